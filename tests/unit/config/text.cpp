#include <cnix/config/text.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using cnix::config::concat;
using cnix::config::text;

namespace {

struct with_default {
    text name = "cni0";
};

constexpr bool keeps_its_bytes() {
    text a = "cni0";
    text b = a;
    text c = std::move(a);
    b.append('x').append("yz");
    text d;
    d = c;
    d = *&d; // self-assignment
    return c == "cni0" && b == "cni0xyz" && d == c && a.empty() && with_default{}.name.size() == 4;
}

constexpr bool grows() {
    text all;
    for (int i = 0; i < 100; ++i) all.append(static_cast<char>('a' + i % 26));
    std::vector<text> many(3, all);
    return many[2].size() == 100 && many[2].view()[27] == 'b';
}

} // namespace

static_assert(keeps_its_bytes());
static_assert(grows());
static_assert(text().empty() && text("") == "" && text("") == std::string_view());
static_assert(text("a") < "b" && text("a") < text("ab") && "b" > text("a"));
static_assert(std::string_view(text("abc")).size() == 3);
static_assert(concat("mtu ", 1500, ' ', text("x"), std::string_view("y")) == "mtu 1500 xy");
static_assert(concat(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
static_assert(concat(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
static_assert(concat(std::int8_t{-128}, ' ', std::uint8_t{255}, ' ', 0) == "-128 255 0");

TEST_CASE("text at run time") {
    CHECK(keeps_its_bytes());
    CHECK(grows());
    CHECK(std::string(text("bytes")) == "bytes");
    CHECK(text(std::string("bytes")) == std::string("bytes"));
}
