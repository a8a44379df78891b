#include <cnix/config/suggest.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace cnix::config::detail;

namespace {

constexpr std::string_view suggested(std::string_view key) {
    constexpr std::string_view names[]{
        "isGateway", "isDefaultGateway", "ipMasq", "ipMasqBackend", "mtu", "vlan", "ips", "hairpinMode"};
    key_name list[8]{};
    for (std::size_t i = 0; i < 8; ++i) list[i] = {names[i].data(), names[i].size()};
    return nearest(list, 8, key);
}

/// The textbook table (optimal string alignment), as an oracle.
std::size_t table_distance(std::string const& a, std::string const& b) {
    std::vector<std::vector<std::size_t>> cell(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i)
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                cell[i][j] = i + j;
                continue;
            }
            cell[i][j] = std::min(
                {cell[i - 1][j] + 1, cell[i][j - 1] + 1, cell[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cell[i][j] = std::min(cell[i][j], cell[i - 2][j - 2] + 1);
        }
    return cell[a.size()][b.size()];
}

} // namespace

static_assert(edit_distance("ipMask", "ipMasq", 3) == 1);
static_assert(edit_distance("isGatway", "isGateway", 3) == 1);
static_assert(edit_distance("hairpinMdoe", "hairpinMode", 3) == 1);
static_assert(edit_distance("IPMASQ", "ipMasq", 3) == 0);
static_assert(edit_distance("", "abc", 3) == 3 && edit_distance("abcd", "", 3) == 4);

static_assert(suggested("isGatway") == "isGateway");
static_assert(suggested("ipMask") == "ipMasq");
static_assert(suggested("ipMasqBackends") == "ipMasqBackend");
static_assert(suggested("mut") == "mtu");
static_assert(suggested("ip") == "ips");
static_assert(suggested("hairpin_mode") == "hairpinMode");
static_assert(suggested("unrelated").empty());
static_assert(suggested("x").empty());
static_assert(suggested("").empty());

TEST_CASE("the distance is that of the full table, for every limit") {
    std::mt19937 random(20240229);
    auto const word = [&] {
        std::string made;
        for (std::size_t left = random() % 9; left != 0; --left)
            made += static_cast<char>('a' + random() % 3);
        return made;
    };
    for (int i = 0; i < 20000; ++i) {
        std::string const a = word();
        std::string const b = word();
        for (std::size_t limit = 0; limit <= 3; ++limit) {
            CAPTURE(a);
            CAPTURE(b);
            REQUIRE(edit_distance(a, b, limit) == std::min(table_distance(a, b), limit + 1));
        }
    }
}

TEST_CASE("long keys are not compared") {
    CHECK(edit_distance(std::string(65, 'a'), std::string(65, 'a'), 3) == 4);
}
