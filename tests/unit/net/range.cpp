#include <cnix/net/range.hpp>

#include <doctest/doctest.h>

#include <ranges>
#include <string>
#include <string_view>
#include <vector>

using cnix::net::address;
using cnix::net::family;
using cnix::net::prefix;
using cnix::net::range;

namespace {

constexpr address at(std::string_view text) { return address::parse(text).value(); }
constexpr range of(std::string_view first, std::string_view last) {
    return range::make(at(first), at(last)).value();
}

constexpr std::size_t count(range const& r) {
    std::size_t n = 0;
    for (address const a : r) n += r.contains(a) ? 1 : 1000;
    return n;
}

static_assert(std::ranges::forward_range<range>);

static_assert(count(range{}) == 1 && *range{}.begin() == at("0.0.0.0"));
static_assert(count(of("10.0.0.1", "10.0.0.1")) == 1);
static_assert(count(of("10.0.0.250", "10.0.1.5")) == 12);
static_assert(count(range::of(prefix::parse("10.0.0.77/28").value())) == 16);
// the last address of a family has no successor: the walk must end all the same
static_assert(count(of("255.255.255.250", "255.255.255.255")) == 6);
static_assert(count(of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
                       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")) == 2);
static_assert(count(of("::ffff:ffff:ffff:fffe", "0:0:0:1::1")) == 4);

static_assert(!range::make(at("10.0.0.2"), at("10.0.0.1")) && !range::make(at("10.0.0.1"), at("fd00::1")));
static_assert(of("10.0.0.1", "10.0.0.9").contains(at("10.0.0.1")) &&
              of("10.0.0.1", "10.0.0.9").contains(at("10.0.0.9")));
static_assert(!of("10.0.0.1", "10.0.0.9").contains(at("10.0.0.10")) &&
              !of("10.0.0.1", "10.0.0.9").contains(at("10.0.0.0")));
static_assert(!of("0.0.0.0", "255.255.255.255").contains(at("::1")));
static_assert(of("10.0.0.1", "10.0.0.9").overlaps(of("10.0.0.9", "10.0.0.12")));
static_assert(of("10.0.0.4", "10.0.0.5").overlaps(of("10.0.0.1", "10.0.0.12")));
static_assert(of("10.0.0.1", "10.0.0.12").overlaps(of("10.0.0.4", "10.0.0.5")));
static_assert(!of("10.0.0.1", "10.0.0.9").overlaps(of("10.0.0.10", "10.0.0.12")));
static_assert(!of("0.0.0.0", "255.255.255.255").overlaps(of("::", "::1")));
static_assert(of("fd00::1", "fd00::2").family() == family::ipv6);

} // namespace

TEST_CASE("it is written as first-last") { CHECK(of("10.0.0.1", "10.0.0.9").str() == "10.0.0.1-10.0.0.9"); }

TEST_CASE("the standard library joins and filters ranges") {
    std::vector const two{of("10.0.0.1", "10.0.0.3"), of("fd00::1", "fd00::2")};
    std::vector<address> rest;
    for (address const a :
         two | std::views::join | std::views::filter([](address const& a) { return a != at("10.0.0.2"); }))
        rest.push_back(a);
    CHECK(rest == std::vector{at("10.0.0.1"), at("10.0.0.3"), at("fd00::1"), at("fd00::2")});
}

TEST_CASE("a large range is walked only as far as asked") {
    auto const all = range::of(prefix::parse("fd00::/8").value());
    std::vector<address> some;
    for (address const a : all | std::views::take(2)) some.push_back(a);
    CHECK(some == std::vector{at("fd00::"), at("fd00::1")});
}
