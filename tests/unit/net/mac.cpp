#include <cnix/net/mac.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

using cnix::net::mac;

namespace {

struct spelling {
    std::string_view given;
    std::string_view printed; ///< empty: no EUI-48
};

// What Go's net.ParseMAC makes of each, as far as it has six bytes.
constexpr spelling spellings[] = {
    {"02:42:ac:11:00:02", "02:42:ac:11:00:02"},
    {"02-42-AC-11-00-02", "02:42:ac:11:00:02"},
    {"0242.ac11.0002", "02:42:ac:11:00:02"},
    {"ff:ff:ff:ff:ff:ff", "ff:ff:ff:ff:ff:ff"},
    {"00:00:00:00:00:00", "00:00:00:00:00:00"},
    {"02:42-ac:11:00:02", ""},
    {"02:42:ac:11:00", ""},
    {"02:42:ac:11:00:02:03", ""},
    {"02:42:ac:11:00:02:03:04", ""}, // EUI-64
    {"2:42:ac:11:00:02", ""},
    {"02:42:ac:11:00:0g", ""},
    {"0242.ac11:0002", ""},
    {"02.42.ac.11.00.02", ""},
    {"0242-ac11-0002", ""},
    {" 2:42:ac:11:00:02", ""},
    {"02:42:ac:11:00:02 ", ""},
    {"02:42:ac:11:00:2:", ""},
    {"zz", ""},
    {"", ""},
};

constexpr bool agrees(spelling const& s) {
    auto const parsed = mac::parse(s.given);
    return parsed ? parsed->text() == s.printed : s.printed.empty();
}
static_assert(std::ranges::all_of(spellings, agrees));

static_assert(mac{}.is_zero() && !mac::parse("00:00:00:00:00:01")->is_zero());
static_assert(mac::parse("01:00:5e:00:00:01")->is_multicast() &&
              mac::parse("ff:ff:ff:ff:ff:ff")->is_multicast());
static_assert(!mac::parse("02:42:ac:11:00:02")->is_multicast());
static_assert(mac::parse("02:42:ac:11:00:02")->bytes()[5] == 2);

} // namespace

TEST_CASE("texts are read as by Go's net.ParseMAC") {
    for (spelling const& s : spellings) {
        CAPTURE(s.given);
        auto const parsed = mac::parse(s.given);
        CHECK((parsed ? parsed->str() : "") == s.printed);
    }
}

TEST_CASE("what holds for any address") {
    std::mt19937 random{20250717};
    for (int i = 0; i < 10'000; ++i) {
        std::array<std::uint8_t, 6> bytes{};
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        mac const m{bytes};
        REQUIRE(mac::parse(m.text()) == m);
        std::string dashed = m.str();
        std::ranges::replace(dashed, ':', '-');
        REQUIRE(mac::parse(dashed) == m);
    }
}
