#include <cnix/cni/error_json.hpp>

#include <doctest/doctest.h>

#include <string>

using cnix::cni::code;
using cnix::cni::error;
using cnix::cni::read_error;
using cnix::cni::to_json;

// As containernetworking/cni 1.3 prints them.
TEST_CASE("an error as a runtime reads it") {
    CHECK(to_json(error{code::invalid_environment, "invalid characters in containerID", "a<b"}) ==
          "{\n    \"code\": 4,\n    \"msg\": \"invalid characters in containerID\",\n    \"details\": "
          "\"a\\u003cb\"\n}");
    CHECK(to_json(error{code::internal, "no"}) == "{\n    \"code\": 999,\n    \"msg\": \"no\"\n}");
    CHECK(to_json(error{code::try_again_later, ""}) == "{\n    \"code\": 11,\n    \"msg\": \"\"\n}");
}

TEST_CASE("a delegate's error is passed on") {
    error const e = read_error(R"({"cniVersion":"1.0.0","code":123,"msg":"m\n","details":"d"})");
    CHECK(static_cast<unsigned>(e.code()) == 123);
    CHECK(e.message() == "m\n");
    CHECK(e.details() == "d");
    CHECK(static_cast<unsigned>(read_error("{}").code()) == 0);
    for (auto const& one : {error{code::plugin_not_available, "a\"b", "\x01"}, error{code::internal, ""}}) {
        error const again = read_error(to_json(one));
        CHECK(again.code() == one.code());
        CHECK(again.message() == one.message());
        CHECK(again.details() == one.details());
    }
}

TEST_CASE("what a delegate printed in place of an error is quoted") {
    error const e = read_error("panic: \"x\"\n");
    CHECK(e.code() == code::internal);
    CHECK(e.message().starts_with(
        "netplugin failed but error parsing its diagnostic message \"panic: \\\"x\\\"\\n\": 1:1: "));
    CHECK(read_error(R"({"code":"x"})").code() == code::internal);
    CHECK(read_error(R"({"code":-1})").code() == code::internal);
    CHECK(read_error("").code() == code::internal);
}
