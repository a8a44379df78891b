#include <cnix/net/address.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

using cnix::net::address;
using cnix::net::family;

namespace {

struct spelling {
    std::string_view given;
    std::string_view printed; ///< empty: no address
};

// What Go's net.ParseIP makes of each, and how net.IP prints it.
constexpr spelling spellings[] = {
    {"10.1.0.1", "10.1.0.1"},
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"1.2.3.0", "1.2.3.0"},
    {"256.0.0.1", ""},
    {"1.2.3", ""},
    {"1.2.3.4.5", ""},
    {"1.2.3.4.", ""},
    {"1..3.4", ""},
    {".1.2.3", ""},
    {"01.2.3.4", ""},
    {"1.2.3.00", ""},
    {"1.2.3.-4", ""},
    {"+1.2.3.4", ""},
    {" 1.2.3.4", ""},
    {"1.2.3.4 ", ""},
    {"1.2.3.4a", ""},
    {"0x1.2.3.4", ""},
    {"1.2.3.1000", ""},
    {"1.2.3.4/8", ""},
    {"1", ""},
    {"", ""},
    {"::", "::"},
    {"::1", "::1"},
    {"1::", "1::"},
    {"fd00::5", "fd00::5"},
    {"FD00::ABCD", "fd00::abcd"},
    {"00fd::0001", "fd::1"},
    {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
    {"1::3:4:5:6:7:8", "1:0:3:4:5:6:7:8"},
    {"1:2:3:4:5:6:7", ""},
    {"1:2:3:4:5:6:7:8:9", ""},
    {"1:2:3:4:5:6:7:8::", ""},
    {"::1:2:3:4:5:6:7:8", ""},
    {"1:2:3:4::5:6:7:8", ""},
    {"1::2::3", ""},
    {":::", ""},
    {":1", ""},
    {"1:", ""},
    {"::1:", ""},
    {"1:::2", ""},
    {"12345::", ""},
    {"g::", ""},
    {"[::1]", ""},
    {"fe80::1%eth0", ""},
    {"::ffff:10.0.0.1", "10.0.0.1"},
    {"::FFFF:a00:1", "10.0.0.1"},
    {"::ffff:0:0", "0.0.0.0"},
    {"0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"},
    {"::fffe:1.2.3.4", "::fffe:102:304"},
    {"::10.0.0.1", "::a00:1"},
    {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
    {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    {"1:2:3:4:5:6:7:1.2.3.4", ""},
    {"1:2:3:4:5:1.2.3.4", ""},
    {"1.2.3.4::", ""},
    {"::1.2.3", ""},
    {"::1.2.3.04", ""},
    {"::1.2.3.256", ""},
    {"::1.2.3.4.5", ""},
    {"::1.2.3.4:5", ""},
    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
    {"0:0:0:0:0:0:0:0", "::"},
    {"1:0:0:0:0:0:0:0", "1::"},
    {"0:1:0:0:0:0:0:0", "0:1::"},
    {"0:0:1:0:0:0:1:0", "0:0:1::1:0"},
};

constexpr bool agrees(spelling const& s) {
    auto const parsed = address::parse(s.given);
    if (!parsed) return s.printed.empty();
    return parsed->text() == s.printed && address::parse(s.printed) == parsed;
}
static_assert(std::ranges::all_of(spellings, agrees));

constexpr address at(std::string_view text) { return address::parse(text).value(); }

static_assert(address{} == at("0.0.0.0"));
static_assert(at("10.1.0.1").is_v4() && at("::ffff:10.1.0.1").is_v4() && at("::a").is_v6());
static_assert(at("10.1.0.1").v4_value() == 0x0a010001);
static_assert(at("fd00::5").high() == 0xfd00'0000'0000'0000 && at("fd00::5").low() == 5);

// carries and the ends of the address space
static_assert(at("10.0.255.255").next() == at("10.1.0.0") && at("10.1.0.0").previous() == at("10.0.255.255"));
static_assert(at("255.255.255.255").next() == at("0.0.0.0") &&
              at("0.0.0.0").previous() == at("255.255.255.255"));
static_assert(at("::ffff:ffff:ffff:ffff").next() == at("0:0:0:1::") &&
              at("0:0:0:1::").previous() == at("::ffff:ffff:ffff:ffff"));
static_assert(at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").next() == at("::"));
static_assert(at("::").previous() == at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
static_assert(at("10.0.0.0") + 256 == at("10.0.1.0") && at("10.0.1.0") - 256 == at("10.0.0.0"));

static_assert(at("10.1.2.3").masked(0) == at("0.0.0.0") && at("10.1.2.3").masked(32) == at("10.1.2.3"));
static_assert(at("10.1.2.3").masked(15) == at("10.0.0.0") && at("10.1.2.3").filled(15) == at("10.1.255.255"));
static_assert(at("10.1.2.3").filled(0) == at("255.255.255.255") &&
              at("10.1.2.3").filled(32) == at("10.1.2.3"));
static_assert(at("fd00:1:2:3:4::5").masked(64) == at("fd00:1:2:3::"));
static_assert(at("fd00:1:2:3:4::5").filled(64) == at("fd00:1:2:3:ffff:ffff:ffff:ffff"));
static_assert(at("fd00:1:2:3:4::5").masked(72) == at("fd00:1:2:3::") &&
              at("fd00::8004").masked(127) == at("fd00::8004"));
static_assert(at("fd00::5").masked(0) == at("::") && at("fd00::5").masked(128) == at("fd00::5"));
static_assert(at("::").filled(0) == at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") &&
              at("fd00::5").filled(128) == at("fd00::5"));

static_assert(at("9.255.255.255") < at("10.0.0.0") && at("255.255.255.255") < at("::") &&
              at("::ffff:0") < at("1::"));

static_assert(at("0.0.0.0").is_unspecified() && at("::").is_unspecified() && !at("::1").is_unspecified());
static_assert(at("224.0.0.1").is_multicast() && at("239.255.255.255").is_multicast() &&
              !at("240.0.0.0").is_multicast());
static_assert(!at("223.255.255.255").is_multicast() && at("ff02::1").is_multicast() &&
              !at("fe80::1").is_multicast());
static_assert(at("169.254.0.1").is_link_local() && at("fe80::1").is_link_local() &&
              at("febf::").is_link_local());
static_assert(!at("169.255.0.0").is_link_local() && !at("fec0::").is_link_local());
static_assert(at("127.9.9.9").is_loopback() && at("::1").is_loopback() && !at("128.0.0.1").is_loopback() &&
              !at("::2").is_loopback());

} // namespace

TEST_CASE("texts are read and printed as by Go's net.IP") {
    for (spelling const& s : spellings) {
        CAPTURE(s.given);
        auto const parsed = address::parse(s.given);
        CHECK((parsed ? parsed->str() : "") == s.printed);
    }
}

TEST_CASE("an IPv4-mapped address that did not come as text stays IPv6 and is printed as RFC 5952 5 has it") {
    auto const mapped = address::v6(0, 0xffff'0a00'0001);
    CHECK(mapped.is_v6());
    CHECK(mapped.str() == "::ffff:10.0.0.1");
    CHECK(address::v6(0, 0xfffe'0a00'0001).str() == "::fffe:a00:1");
    CHECK(at("::").filled(80).is_v6());
}

TEST_CASE("bytes are in network order, 4 or 16 of them") {
    auto const v4 = at("10.1.2.3").bytes();
    CHECK(v4[0] == 10);
    CHECK(v4[3] == 3);
    CHECK(address::from_bytes({v4.data(), 4}) == at("10.1.2.3"));
    auto const v6 = at("fd00:1:2:3:4:5:6:7").bytes();
    CHECK(v6[0] == 0xfd);
    CHECK(v6[15] == 7);
    CHECK(address::from_bytes(v6) == at("fd00:1:2:3:4:5:6:7"));
    CHECK_FALSE(address::from_bytes({v6.data(), 5}));
    CHECK_FALSE(address::from_bytes({}));
}

TEST_CASE("what holds for any address") {
    std::mt19937_64 random{20250717};
    for (int i = 0; i < 20'000; ++i) {
        // runs of zeros and of ones, which uniform bits would never show
        auto const sparse = [&] {
            return random() & random() & random() & (random() % 3 ? ~0ULL : 0xffff'0000'0000'ffffULL);
        };
        bool const four = i % 2 == 0;
        address const a = four ? address::v4(static_cast<std::uint32_t>(random()))
                               : address::v6(sparse(), sparse() | 1ULL << 63);
        CAPTURE(a.str());
        REQUIRE(address::parse(a.text()) == a);
        REQUIRE(address::from_bytes({a.bytes().data(), a.size()}) == a);
        REQUIRE(a.next().previous() == a);
        std::uint64_t const n = random() >> random() % 64;
        REQUIRE((a + n) - n == a);
        int const length = static_cast<int>(random() % static_cast<unsigned>(bits(a.family()) + 1));
        REQUIRE(a.masked(length) <= a);
        REQUIRE(a <= a.filled(length));
        REQUIRE(a.masked(length).filled(length) == a.filled(length));
        REQUIRE(a.filled(length).masked(length) == a.masked(length));
        REQUIRE(a.masked(length).family() == a.family());
    }
}
