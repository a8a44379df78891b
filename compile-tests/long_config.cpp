// A configuration of 20 KB costs a compiler less than a second to check (bench/compile --only check). What of that depends on the
// code alone, the operations of g++ and the steps of clang, is bounded for this source by its build; building it is the test.
#include <cnix/accepts.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/plugin.hpp>

#include <array>
#include <cstddef>
#include <string_view>

using namespace cnix;
using bridge = plugin<link::bridge<archetypes::netlink>, ipam::host_local, nat::nftables<archetypes::nft>,
                      archetypes::ns>;

/// A list of 20,000 bytes, nothing but ranges, which cost most a byte; their subnets in steps of `step` through a /16 each.
consteval auto text_of(unsigned step) {
    config::text list =
        R"({"cniVersion":"1.1.0","name":"pods","plugins":[{"type":"bridge","ipam":{"type":"host-local","ranges":[)";
    for (unsigned i = 0; list.size() < 19'930; ++i) {
        config::text const subnet = config::concat("10.", i / 256, '.', i * step % 256, '.');
        list.append(config::concat(i == 0 ? "" : ",", R"([{"subnet":")", subnet, R"(0/24","rangeStart":")",
                                   subnet, R"(10"}])"));
    }
    list.append("]}}]}");
    std::array<char, 20'000> text;
    text.fill(' ');
    for (std::size_t i = 0; i < list.size(); ++i) text[i] = list.view()[i];
    return text;
}

constexpr auto in_order = text_of(1);
constexpr auto mixed = text_of(37);
static_assert(accepts<bridge>({in_order.data(), in_order.size()}));
static_assert(accepts<bridge>({mixed.data(), mixed.size()}));
