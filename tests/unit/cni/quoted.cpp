#include <cnix/cni/quoted.hpp>

#include <doctest/doctest.h>

#include <string_view>

using cnix::cni::one_line, cnix::cni::quoted;

TEST_CASE("values are quoted as by Go's %q") {
    CHECK(quoted("") == R"("")");
    CHECK(quoted("a b") == R"("a b")");
    CHECK(quoted("a\"b\\") == R"("a\"b\\")");
    CHECK(quoted("\a\b\t\n\v\f\r") == R"("\a\b\t\n\v\f\r")");
    CHECK(quoted(std::string_view{"\0\x1f\x7f", 3}) == R"("\x00\x1f\x7f")");
    CHECK(quoted("\xC3\xA9") == "\"\xC3\xA9\"");
}

TEST_CASE("a line stays one, whoever's words are in it") {
    CHECK(one_line("gone: \"\xC3\xA9\"") == "gone: \"\xC3\xA9\"\n");
    CHECK(one_line("gone\ncnix: all is well\x1b[2J\x7f\r") == "gone?cnix: all is well?[2J??\n");
}
