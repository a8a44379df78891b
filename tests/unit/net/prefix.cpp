#include <cnix/net/prefix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

using cnix::net::address;
using cnix::net::family;
using cnix::net::prefix;

namespace {

struct spelling {
    std::string_view given;
    std::string_view printed; ///< empty: no prefix
    std::string_view network;
};

// What Go's net.ParseCIDR makes of each.
constexpr spelling spellings[] = {
    {"10.1.0.5/16", "10.1.0.5/16", "10.1.0.0/16"},
    {"10.1.0.5/0", "10.1.0.5/0", "0.0.0.0/0"},
    {"10.1.0.5/32", "10.1.0.5/32", "10.1.0.5/32"},
    {"10.1.0.5/08", "10.1.0.5/8", "10.0.0.0/8"},
    {"10.1.0.5/0000000000000016", "10.1.0.5/16", "10.1.0.0/16"},
    {"fd00::5/64", "fd00::5/64", "fd00::/64"},
    {"fd00::5/128", "fd00::5/128", "fd00::5/128"},
    {"FD00::/8", "fd00::/8", "fd00::/8"},
    {"::/0", "::/0", "::/0"},
    {"10.1.0.5/33", "", ""},
    {"fd00::5/129", "", ""},
    {"10.1.0.5/", "", ""},
    {"10.1.0.5", "", ""},
    {"/8", "", ""},
    {"", "", ""},
    {"10.1.0.5/+8", "", ""},
    {"10.1.0.5/-1", "", ""},
    {"10.1.0.5/8 ", "", ""},
    {"10.1.0.5/ 8", "", ""},
    {"10.1.0.5/8/8", "", ""},
    {"10.1.0.5/a", "", ""},
    {"10.1.0.5/99999999999999999999", "", ""},
    {"10.018.0.0/16", "", ""},
    {"10.0.0.0/255.0.0.0", "", ""},
    {"fd00::1%eth0/64", "", ""},
    {"10.1/16", "", ""},
    // Go has 10.0.0.0/120 of the one below, which it then cannot read.
    {"::ffff:10.0.0.0/120", "", ""},
};

constexpr bool agrees(spelling const& s) {
    auto const parsed = prefix::parse(s.given);
    if (!parsed) return s.printed.empty();
    return parsed->text() == s.printed && parsed->network().text() == s.network;
}
static_assert(std::ranges::all_of(spellings, agrees));

constexpr address at(std::string_view text) { return address::parse(text).value(); }
constexpr prefix net(std::string_view text) { return prefix::parse(text).value(); }

static_assert(prefix{} == net("0.0.0.0/0") && prefix::any(family::ipv6) == net("::/0"));
static_assert(prefix::host(at("10.0.0.1")) == net("10.0.0.1/32") &&
              prefix::host(at("fd00::1")) == net("fd00::1/128"));
static_assert(prefix::make(at("10.0.0.1"), 32) && !prefix::make(at("10.0.0.1"), 33) &&
              !prefix::make(at("10.0.0.1"), -1));
static_assert(prefix::make(at("::"), 128) && !prefix::make(at("::"), 129));
static_assert(net("10.1.0.5/16").has_host_bits() && !net("10.1.0.0/16").has_host_bits());
static_assert(net("10.1.0.5/16") != net("10.1.0.0/16"));
static_assert(net("10.1.0.5/23").first() == at("10.1.0.0") && net("10.1.0.5/23").last() == at("10.1.1.255"));
static_assert(net("10.1.0.5/31").last() == at("10.1.0.5") && net("10.1.0.5/32").first() == at("10.1.0.5"));
static_assert(net("fd00::5/64").last() == at("fd00::ffff:ffff:ffff:ffff"));
static_assert(net("10.1.0.0/16").contains(at("10.1.255.255")) &&
              !net("10.1.0.0/16").contains(at("10.2.0.0")));
static_assert(net("0.0.0.0/0").contains(at("255.255.255.255")) && !net("0.0.0.0/0").contains(at("::1")));
static_assert(!net("::/0").contains(at("10.0.0.1")));
static_assert(net("10.1.0.0/16").overlaps(net("10.1.2.0/24")) &&
              net("10.1.2.0/24").overlaps(net("10.1.0.0/16")));
static_assert(!net("10.1.0.0/24").overlaps(net("10.1.1.0/24")) && !net("0.0.0.0/0").overlaps(net("::/0")));
static_assert(net("0.0.0.0/0").is_default_route() && net("::/0").is_default_route());
static_assert(!net("0.0.0.0/1").is_default_route() && !net("10.0.0.1/0").is_default_route());

} // namespace

TEST_CASE("texts are read as by Go's net.ParseCIDR") {
    for (spelling const& s : spellings) {
        CAPTURE(s.given);
        auto const parsed = prefix::parse(s.given);
        CHECK((parsed ? parsed->str() : "") == s.printed);
        CHECK((parsed ? parsed->network().str() : "") == s.network);
    }
}

TEST_CASE("the longest text fits") {
    CHECK(net("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128").str() ==
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

TEST_CASE("what holds for any prefix") {
    std::mt19937_64 random{20250717};
    for (int i = 0; i < 20'000; ++i) {
        address const a =
            i % 2 == 0 ? address::v4(static_cast<std::uint32_t>(random())) : address::v6(random(), random());
        int const length = static_cast<int>(random() % static_cast<unsigned>(bits(a.family()) + 1));
        prefix const p = prefix::make(a, length).value();
        CAPTURE(p.str());
        REQUIRE(prefix::parse(p.text()) == p);
        REQUIRE(p.contains(a));
        REQUIRE(p.contains(p.first()));
        REQUIRE(p.contains(p.last()));
        REQUIRE(p.overlaps(p.network()));
        REQUIRE_FALSE(p.network().has_host_bits());
        REQUIRE(p.network().network() == p.network());
        if (length > 0) {
            REQUIRE_FALSE(p.contains(p.first().previous()));
            REQUIRE_FALSE(p.contains(p.last().next()));
        }
    }
}
