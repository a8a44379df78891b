#include <cnix/cni/json_writer.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

using cnix::cni::json_writer;

namespace {

std::string written(std::string_view chars) { return json_writer().value(chars).str(); }
std::string relaid(std::string_view json, json_writer::layout how) {
    return json_writer(how).raw(json).str();
}

void a_result(json_writer& w) {
    w.begin_object().member("cniVersion", "1.1.0").key("interfaces").begin_array();
    w.begin_object().member("name", "eth0").member("mtu", 1500).end_object();
    w.begin_object().end_object();
    w.end_array()
        .key("ips")
        .begin_array()
        .end_array()
        .member("up", true)
        .key("dns")
        .begin_object()
        .end_object();
    w.key("gone").null().end_object();
}

} // namespace

// The expected texts are what Go 1.26 prints for the same values.
TEST_CASE("indented as by json.MarshalIndent") {
    json_writer w;
    a_result(w);
    CHECK(w.str() == R"({
    "cniVersion": "1.1.0",
    "interfaces": [
        {
            "name": "eth0",
            "mtu": 1500
        },
        {}
    ],
    "ips": [],
    "up": true,
    "dns": {},
    "gone": null
})");
}

TEST_CASE("compact as by json.Marshal") {
    json_writer w(json_writer::layout::compact);
    a_result(w);
    CHECK(
        w.str() ==
        R"({"cniVersion":"1.1.0","interfaces":[{"name":"eth0","mtu":1500},{}],"ips":[],"up":true,"dns":{},"gone":null})");
}

TEST_CASE("a value alone needs no container") {
    CHECK(json_writer().value(false).str() == "false");
    CHECK(json_writer().begin_array().end_array().str() == "[]");
    CHECK(json_writer().begin_array().begin_array().end_array().end_array().str() == "[\n    []\n]");
}

TEST_CASE("integers of every width") {
    CHECK(json_writer().value(std::numeric_limits<std::int64_t>::min()).str() == "-9223372036854775808");
    CHECK(json_writer().value(std::numeric_limits<std::uint64_t>::max()).str() == "18446744073709551615");
    CHECK(json_writer().value(std::uint8_t{7}).str() == "7");
}

TEST_CASE("strings are escaped as Go escapes them") {
    CHECK(written("plain /") == R"("plain /")");
    CHECK(written("a\"b\\c") == R"("a\"b\\c")");
    CHECK(written("\b\f\n\r\t") == R"("\b\f\n\r\t")");
    CHECK(written(std::string_view("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\x7f\"");
    CHECK(written("<a href=\"x\">&") == R"("\u003ca href=\"x\"\u003e\u0026")");
    CHECK(written("\u2028\u2029\u2027\u202a") == "\"\\u2028\\u2029\u2027\u202a\"");
    CHECK(written("grün €\U0001F600") == "\"grün €\U0001F600\"");
    CHECK(json_writer(json_writer::layout::compact).begin_object().member("<", "").end_object().str() ==
          R"({"\u003c":""})");
}

TEST_CASE("each byte that is not UTF-8 becomes an escaped U+FFFD") {
    CHECK(written("a\xffz") == R"("a\ufffdz")");
    CHECK(written("\xc3") == R"("\ufffd")");                               // cut short
    CHECK(written("\xc3(") == R"("\ufffd(")");                             // no continuation
    CHECK(written("\xc0\xaf") == R"("\ufffd\ufffd")");                     // overlong
    CHECK(written("\xe0\x9f\x80") == R"("\ufffd\ufffd\ufffd")");           // overlong
    CHECK(written("\xed\xa0\x80") == R"("\ufffd\ufffd\ufffd")");           // a surrogate
    CHECK(written("\xf4\x90\x80\x80") == R"("\ufffd\ufffd\ufffd\ufffd")"); // above U+10FFFF
    CHECK(written("\xf4\x8f\xbf\xbf") == "\"\xf4\x8f\xbf\xbf\"");
    CHECK(written("\xed\x9f\xbf") == "\"\xed\x9f\xbf\"");
}

TEST_CASE("raw JSON is laid out anew and otherwise kept") {
    constexpr std::string_view source = " { \"a\" :\t[ 1.50 , -2e3,\r\n \"x, ]} \\\" \\u0041<\" ] , \"b\":{ "
                                        "} ,\"c\":[  ],\"d\" : null,\"e\":\"\" } ";
    CHECK(relaid(source, json_writer::layout::compact) ==
          R"({"a":[1.50,-2e3,"x, ]} \" \u0041\u003c"],"b":{},"c":[],"d":null,"e":""})");
    CHECK(relaid(source, json_writer::layout::indented) == R"({
    "a": [
        1.50,
        -2e3,
        "x, ]} \" \u0041\u003c"
    ],
    "b": {},
    "c": [],
    "d": null,
    "e": ""
})");
    CHECK(relaid("true", json_writer::layout::indented) == "true");
}

TEST_CASE("raw JSON inside what is written") {
    json_writer w;
    w.begin_object().key("prevResult").raw(R"({"ips":[]})").member("x", 1).end_object();
    CHECK(w.str() == "{\n    \"prevResult\": {\n        \"ips\": []\n    },\n    \"x\": 1\n}");
}
