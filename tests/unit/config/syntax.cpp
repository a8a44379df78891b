#include <cnix/config/syntax.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

using namespace cnix::config;
using namespace cnix::config::detail;
using namespace std::string_view_literals;

namespace {

constexpr bool well_formed(std::string_view source) { return !check_syntax(source); }

/// Offset and message of the fault.
constexpr bool rejected(std::string_view source, std::size_t offset, std::string_view message) {
    auto const fault = check_syntax(source);
    return fault && fault->offset == offset && fault->message == message;
}

constexpr text decoded(std::string_view source) {
    text buffer;
    return cursor(source.data(), source.data() + source.size()).string(buffer);
}
constexpr std::string_view skipped(std::string_view source) {
    return cursor(source.data(), source.data() + source.size()).skip();
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

} // namespace

static_assert(well_formed(" {\"a\": [1, -0.5e+3, true, false, null, \"x\", {}], \"b\": []}\r\n\t"));
static_assert(well_formed("0") && well_formed("\"\"") && well_formed("null"));

static_assert(rejected("", 0, "the text ends where a value is expected"));
static_assert(rejected("{} x", 3, "text after the end of the document"));
static_assert(rejected("{\"a\":1,}", 6, "`,` before the closing bracket"));
static_assert(rejected("[1, ]", 2, "`,` before the closing bracket"));
static_assert(rejected("[1 2]", 3, "expected `,` or `]`"));
static_assert(rejected("{\"a\":1 2}", 7, "expected `,` or `}`"));
static_assert(rejected("[1}", 2, "expected `,` or `]`"));
static_assert(rejected("{a:1}", 1, "expected a key in double quotes"));
static_assert(rejected("{\"a\" 1}", 5, "expected `:` after the key"));
static_assert(rejected("{\"a\":1", 6, "the text ends inside an object"));
static_assert(rejected("{", 1, "the text ends inside an object"));
static_assert(rejected("[1", 2, "the text ends inside an array"));
static_assert(rejected("[", 1, "the text ends where a value is expected"));
static_assert(rejected("[\"a", 1, "the string is not closed"));
static_assert(rejected("[\"\\", 2, "no such escape in JSON"));
static_assert(rejected("\"a\nb\"", 2, "control character in a string; write it as an escape such as \\n"));
static_assert(rejected("\"\\x\"", 1, "no such escape in JSON"));
static_assert(rejected("\"\\u00g0\"", 1, "no such escape in JSON"));
static_assert(rejected("[01]", 1, "a number with a leading zero"));
static_assert(rejected("[1.]", 1, "a number without digits after the `.`"));
static_assert(rejected("[1e]", 1, "a number without digits in its exponent"));
static_assert(rejected("[-]", 1, "not a JSON value; a string needs double quotes"));
static_assert(rejected("\xef\xbb\xbf{}", 0,
                       "a byte order mark, which JSON has not; save the file as UTF-8 without it"));
static_assert(rejected("[cni0]", 1, "not a JSON value; a string needs double quotes"));
static_assert(rejected("[True]", 1, "not a JSON value; a string needs double quotes"));
static_assert(rejected("[tru]", 1, "not a JSON value; a string needs double quotes"));

// strings as Go decodes them
static_assert(decoded(R"("plain")") == "plain" && decoded(R"("")") == "");
static_assert(decoded(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
static_assert(decoded(R"("a\u0041\u00e9\u20ACz")") == "aA\u00e9\u20acz");
static_assert(decoded(R"("\u0000")") == "\0"sv);
static_assert(decoded(R"("\ud83d\ude00")") == "\U0001F600");
static_assert(decoded(R"("\uDBFF\uDFFF")") == "\U0010FFFF");
static_assert(decoded(R"("\ud83d")") == "\uFFFD" && decoded(R"("\ude00x")") == "\uFFFDx");
static_assert(decoded(R"("\ud83d\u0041")") == "\uFFFDA" && decoded(R"("\ud83d\n")") == "\uFFFD\n");
static_assert(decoded(R"("\ud83d\ud83d\ude00")") == "\uFFFD\U0001F600");
static_assert(decoded("\"gr\u00fcn \u20ac\U0001F600\"") == "gr\u00fcn \u20ac\U0001F600");
static_assert(decoded("\"a\xffz\"") == "a\uFFFDz");
static_assert(decoded("\"\xc3\"") == "\uFFFD" && decoded("\"\xe2\x82\"") == "\uFFFD\uFFFD");
static_assert(decoded("\"\xe2\x82\\n\"") == "\uFFFD\uFFFD\n");
static_assert(decoded("\"\xc0\xaf\xe0\x9f\x80\"") == "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
static_assert(decoded("\"\xed\xa0\x80\xf4\x90\x80\x80\"") == "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");

static_assert(skipped("12]") == "12" && skipped("-1.5e+3,") == "-1.5e+3" && skipped("true}") == "true" &&
              skipped("0") == "0");
static_assert(skipped(R"("a\"]" , 1)") == R"("a\"]")");
static_assert(skipped(R"({"a]": [1, "}"], "b": {}} ])") == R"({"a]": [1, "}"], "b": {}})");

TEST_CASE("nesting is capped") {
    CHECK(max_depth == 32);
    CHECK(well_formed(nested(32)));
    CHECK(rejected(nested(33), 32, "nested deeper than 32 levels"));
    std::string objects;
    for (int i = 0; i < 33; ++i) objects += "{\"a\":";
    CHECK(rejected(objects, 32 * 5, "nested deeper than 32 levels"));
    CHECK(rejected(std::string(1000000, '['), 32, "nested deeper than 32 levels"));
}

TEST_CASE("length is capped") {
    CHECK(well_formed("1" + std::string(max_size - 1, ' ')));
    CHECK(rejected("1" + std::string(max_size, ' '), max_size, "the text is longer than 4 MiB"));
}

TEST_CASE("corpus") {
    std::size_t seen[2]{};
    for (bool const good : {true, false})
        for (auto const& file :
             std::filesystem::directory_iterator(std::string(CNIX_CORPUS) + (good ? "/accept" : "/reject"))) {
            std::ifstream in(file.path(), std::ios::binary);
            std::string const source{std::istreambuf_iterator<char>(in), {}};
            CAPTURE(file.path().string());
            CHECK(well_formed(source) == good);
            if (good) { // every cut inside the document is a fault, and found without reading past the end
                std::string_view const whole(source);
                std::size_t const end = whole.find_last_not_of(" \r\n\t");
                if (whole[end] == '}' || whole[end] == ']' || whole[end] == '"')
                    for (std::size_t size = 0; size <= end; ++size)
                        CHECK_FALSE(well_formed(std::string(source, 0, size)));
            }
            ++seen[good];
        }
    CHECK(seen[true] > 25);
    CHECK(seen[false] > 50);
}
