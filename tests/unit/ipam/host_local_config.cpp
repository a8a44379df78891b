#include <cnix/config/read.hpp>
#include <cnix/entry.hpp>
#include <cnix/ipam/host_local.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace cnix;

namespace {

/// The faults of an `ipam` object; "" if it has none. A constant expression, as in a user's CI.
template <class Config> constexpr config::text faults_of(std::string_view json) {
    config::text all;
    for (config::fault const& one : config::read<Config>(json, config::strict).faults) {
        if (!all.empty()) all.append("; ");
        all.append(one.path.view()).append(": ").append(one.message.view());
    }
    return all;
}
constexpr config::text faults(std::string_view json) { return faults_of<ipam::host_local_config>(json); }
constexpr bool good(std::string_view json) { return faults(json).empty(); }

std::string entry_faults(std::string_view json) {
    return std::string{config::to_string(entry<ipam::host_local>{json}.faults()).view()};
}

} // namespace

// What works at all works when compiling.
static_assert(good(R"({"type": "host-local", "subnet": "10.0.0.0/24"})"));
static_assert(
    good(R"({"ranges": [[{"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.10", "rangeEnd": "10.0.0.20",
    "gateway": "10.0.0.254"}, {"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.30"}], [{"subnet": "fd00::/126"}]],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0", "gw": "fd00::1", "mtu": 1400, "table": 7}],
    "dataDir": "/run/cni", "resolvConf": "/etc/resolv.conf"})"));
static_assert(faults(R"({"subnet": "10.0.0.0/31"})") ==
              "$.subnet: Network 10.0.0.0/31 too small to allocate from");
static_assert(faults(R"({"subnet": "10.0.0.0/24", "gateway": "10.0.1.1"})") ==
              "$.gateway: Gateway 10.0.1.1 not in network 10.0.0.0/24: a pod could not reach it");

TEST_CASE("a range that cannot work is refused, with the place and the reason") {
    auto const only = [](std::string_view range) {
        return std::string{faults("{\"ranges\": [[" + std::string{range} + "]]}").view()};
    };
    std::string const at = "$.ranges[0][0]";
    CHECK(only(R"({"subnet": "10.0.0.0/24"})") == "");
    CHECK(only(R"({"rangeStart": "10.0.0.1"})").find(at + ": a range needs `subnet`") == 0);
    CHECK(only(R"({"subnet": "10.0.0.0/31"})") ==
          at + ".subnet: Network 10.0.0.0/31 too small to allocate from");
    CHECK(only(R"({"subnet": "10.0.0.0/30"})") == "");
    CHECK(only(R"({"subnet": "fd00::/127"})") ==
          at + ".subnet: Network fd00::/127 too small to allocate from");
    CHECK(only(R"({"subnet": "fd00::/126"})") == "");
    CHECK(only(R"({"subnet": "10.0.0.9/24"})") == at + ".subnet: Network has host bits set. For a subnet "
                                                       "mask of length 24 the network address is 10.0.0.0");
    CHECK(only(R"({"subnet": "10.0.0.0/24", "rangeStart": "10.0.1.1"})") ==
          at + ".rangeStart: RangeStart 10.0.1.1 not in network 10.0.0.0/24");
    CHECK(only(R"({"subnet": "10.0.0.0/24", "rangeEnd": "fd00::1"})") ==
          at + ".rangeEnd: RangeEnd fd00::1 not in network 10.0.0.0/24");
    CHECK(only(R"({"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.0"})")
              .find(at + ".rangeStart: RangeStart 10.0.0.0 is the address of the network 10.0.0.0/24") == 0);
    CHECK(only(R"({"subnet": "10.0.0.0/24", "rangeEnd": "10.0.0.255"})")
              .find(at +
                    ".rangeEnd: RangeEnd 10.0.0.255 is the broadcast address of the network 10.0.0.0/24") ==
          0);
    CHECK(
        only(R"({"subnet": "fd00::/64", "rangeStart": "fd00::", "rangeEnd": "fd00::ffff:ffff:ffff:ffff"})") ==
        "");
    CHECK(only(R"({"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.9", "rangeEnd": "10.0.0.8"})") ==
          at + ".rangeEnd: RangeEnd 10.0.0.8 lies before RangeStart 10.0.0.9");
    CHECK(
        only(R"({"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.1", "rangeEnd": "10.0.0.1"})") ==
        at + ".gateway: the gateway 10.0.0.1 is the only address of the range, and none is left to hand out");
    CHECK(only(R"({"subnet": "10.0.0.0/24", "gateway": "fd00::1"})")
              .find(at + ".gateway: Gateway fd00::1 not in") == 0);
    CHECK(only(R"({"subnet": "10.0.0.0"})").find(at + ".subnet: ") == 0);
    CHECK(only(R"({"subnet": "::ffff:10.0.0.0/120"})").find(at + ".subnet: ") == 0);
}

TEST_CASE("ranges that meet are refused") {
    CHECK(faults(R"({"ranges": [[]]})") == "$.ranges[0]: empty range set");
    CHECK(faults(R"({"ranges": [[{"subnet": "10.0.0.0/24"}, {"subnet": "fd00::/64"}]]})") ==
          "$.ranges[0][1]: mixed address families");
    CHECK(faults(R"({"ranges": [[{"subnet": "10.0.0.0/24"}, {"subnet": "10.0.0.128/25"}]]})") ==
          "$.ranges[0][1]: subnets 10.0.0.1-10.0.0.254 and 10.0.0.129-10.0.0.254 overlap");
    CHECK(faults(R"({"ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "10.0.0.0/16"}]]})") ==
          "$.ranges: range set 0 overlaps with 1");
    CHECK(faults(R"({"subnet": "10.0.0.0/24", "ranges": [[{"subnet": "10.0.0.0/24"}]]})") ==
          "$.ranges: range set 0 overlaps with 1");
    CHECK(faults_of<ipam::host_local_runtime_config>(R"({"ipRanges": [[{"subnet": "10.0.0.0/31"}]]})") ==
          "$.ipRanges[0][0].subnet: Network 10.0.0.0/31 too small to allocate from");
}

TEST_CASE("the overlaps told are those of comparing every pair") {
    std::mt19937 random{1};
    auto const upto = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random()) % limit; };
    auto const of = [](ipam::range_faults const& faults) {
        std::vector<std::string> all;
        for (auto const& [path, message] : faults)
            all.push_back(std::string{path} + ": " + std::string{message});
        return all;
    };
    std::size_t told = 0;
    for (int round = 0; round < 500; ++round) {
        // One set, in which ranges may meet and families mix.
        std::vector<ipam::host_local_range> one(upto(8) + 1);
        std::vector<net::range> addresses;
        std::vector<std::string> expected;
        for (std::size_t i = 0; i < one.size(); ++i) {
            bool const v6 = round % 3 == 0 && upto(4) == 0;
            auto const first = 10 + upto(100), last = first + upto(12);
            auto const at = [&](std::uint32_t host) {
                return v6 ? net::address::v6(0xfd00ULL << 48, host) : net::address::v4(0x0a000000 + host);
            };
            one[i] = {net::prefix::make(at(0), v6 ? 64 : 24), at(first), at(last), {}};
            addresses.push_back(net::range::make(at(first), at(last)).value());
            for (std::size_t j = 0; j < i; ++j) {
                std::string const path = "set[" + std::to_string(i) + "]: ";
                if (addresses[j].family() != addresses[i].family())
                    expected.push_back(path + "mixed address families");
                else if (addresses[j].overlaps(addresses[i]))
                    expected.push_back(path + "subnets " + addresses[j].str() + " and " + addresses[i].str() +
                                       " overlap");
                else
                    continue;
                break;
            }
        }
        ipam::range_faults faults;
        CHECK(ipam::resolve(one, {nullptr, "set"}, faults).empty() == !expected.empty());
        CHECK(of(faults) == expected);
        told += expected.size();

        // Sets, each good by itself.
        std::vector<ipam::range_set> sets(upto(6) + 1);
        for (auto& set : sets)
            for (std::uint32_t at = upto(60); at < 250 && set.size() < 3; at += 1 + upto(120)) {
                net::prefix const subnet = net::prefix::parse("10.0.0.0/24").value();
                auto const first = net::address::v4(0x0a000000 + at);
                auto const last = first + upto(5);
                at += 5;
                set.push_back({subnet, net::range::make(first, last).value(), first});
            }
        expected.clear();
        for (std::size_t i = 0; i < sets.size(); ++i)
            for (std::size_t j = i + 1; j < sets.size(); ++j) {
                bool overlap = false;
                for (auto const& left : sets[i])
                    for (auto const& right : sets[j])
                        overlap = overlap || left.addresses.overlaps(right.addresses);
                if (overlap)
                    expected.push_back("ranges: range set " + std::to_string(i) + " overlaps with " +
                                       std::to_string(j));
            }
        faults.clear();
        ipam::refuse_overlaps(sets, "ranges", faults);
        CHECK(of(faults) == expected);
        told += expected.size();
    }
    CHECK(told > 1000);
}

// Comparing every pair takes half a minute.
TEST_CASE("60,000 ranges are compared, as many sets or as one") {
    constexpr std::uint32_t count = 60'000;
    auto const sets = [](auto subnet, std::string_view between) {
        std::string json = "{\"ranges\": [[";
        for (std::uint32_t i = 0; i < count; ++i)
            json += (i == 0 ? std::string{} : std::string{between}) + "{\"subnet\": \"" +
                    net::address::v4(subnet(i)).str() + "/29\"}";
        return json + "]]}";
    };
    auto const own = [](std::uint32_t i) { return 0x0a000000 + (count - i) * 8; };
    auto const last_is_first = [&](std::uint32_t i) { return own(i == count - 1 ? 0 : i); };
    auto const shared = [](std::uint32_t) { return 0x0a000000U; };
    std::string_view const one_set = ",", many_sets = "],[";

    CHECK(faults(sets(own, one_set)) == "");
    CHECK(faults(sets(own, many_sets)) == "");
    CHECK(faults(sets(last_is_first, one_set)).view().starts_with("$.ranges[0][59999]: subnets 10.7.83.1-"));
    CHECK(faults(sets(last_is_first, many_sets)) == "$.ranges: range set 0 overlaps with 59999");
    auto const all_meet =
        config::read<ipam::host_local_config>(sets(shared, many_sets), config::strict).faults;
    REQUIRE(all_meet.size() == config::max_faults);
    CHECK(all_meet.back().message == "range set 0 overlaps with 64");
}

TEST_CASE("other keys are checked") {
    CHECK(faults(R"({"subnet": "10.0.0.0/24", "resolvConf": "/etc/\u0000"})") ==
          "$.resolvConf: a path has no NUL in it");
    CHECK(faults(R"({"subnet": "10.0.0.0/24", "dataDir": "/tmp/a\u0000b"})") ==
          "$.dataDir: a path has no NUL in it");
    CHECK(faults(R"({"subnet": "10.0.0.0/24", "dataDir": "relative"})").view().find("$.dataDir: ") == 0);
    CHECK(faults(R"({"subnet": "10.0.0.0/24", "routes": [{"gw": "10.0.0.1"}]})")
              .view()
              .find("$.routes[0]: a route needs `dst`") == 0);
    CHECK(faults(R"({"subnett": "10.0.0.0/24"})").view().find("`subnet`") != std::string_view::npos);
}

TEST_CASE("a route that the kernel would take for another one is refused") {
    auto const route = [](std::string const& keys) {
        return std::string{
            faults(R"({"subnet": "10.0.0.0/24", "routes": [{"dst": "0.0.0.0/0", )" + keys + "}]}").view()};
    };
    CHECK(route(R"("gw": "10.0.0.1", "mtu": 65520, "advmss": 65495, "scope": 253, "table": 4294967295)") ==
          "");
    CHECK(route(R"("gw": "0.0.0.0")").starts_with("$.routes[0].gw: no gateway has this address"));
    CHECK(route(R"("gw": "::")").starts_with("$.routes[0].gw: no gateway has this address"));
    CHECK(route(R"("mtu": 65521)") == "$.routes[0].mtu: the kernel takes at most 65520 bytes");
    CHECK(route(R"("advmss": 65496)") == "$.routes[0].advmss: the kernel takes at most 65495 bytes");
    CHECK(route(R"("scope": 256)") == "$.routes[0].scope: `256` is out of range; it must be from 0 to 255");
    CHECK(route(R"("table": 4294967296)").starts_with("$.routes[0].table: `4294967296` is out of range"));
}

TEST_CASE("an empty string is a key that is not there, where the reference takes it so") {
    auto const keys = config::read<ipam::host_local_config>(
        R"({"subnet": "10.0.0.0/24", "rangeStart": "", "rangeEnd": "", "gateway": "", "dataDir": "",
            "routes": [{"dst": "0.0.0.0/0", "gw": ""}]})");
    REQUIRE(keys.ok());
    CHECK_FALSE(keys.value.rangeStart);
    CHECK_FALSE(keys.value.gateway);
    CHECK_FALSE(keys.value.routes[0].gw);
    CHECK(keys.value.data_directory() == "/var/lib/cni/networks");
    CHECK(faults(R"({"subnet": ""})")
              .view()
              .starts_with("$.subnet: `` is not an address with a prefix length"));
}

TEST_CASE("requested addresses may have a length, which is dropped") {
    auto const runtime =
        config::read<ipam::host_local_runtime_config>(R"({"ips": ["10.0.0.5/24", "fd00::5"]})");
    REQUIRE(runtime.ok());
    REQUIRE(runtime.value.ips.size() == 2);
    CHECK(runtime.value.ips[0].value.str() == "10.0.0.5");
    CHECK(runtime.value.ips[1].value.str() == "fd00::5");
    CHECK_FALSE(ipam::requested_address::parse("10.0.0"));
    CHECK_FALSE(ipam::requested_address::parse("10.0.0.5/33"));
}

TEST_CASE("more than one address of a family needs version 0.3.0") {
    auto const with = [](std::string const& version) {
        return entry_faults("{\"cniVersion\": \"" + version + R"(", "name": "n", "type": "host-local",
            "ipam": {"type": "host-local", "subnet": "10.0.0.0/24", "ranges": [[{"subnet": "10.1.0.0/24"}]]}})");
    };
    CHECK(with("0.2.0").find(
              "$.ipam.ranges: CNI version 0.2.0 does not support more than 1 address per family") !=
          std::string::npos);
    CHECK(with("0.3.0") == "");
}
