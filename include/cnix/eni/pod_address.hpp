#pragma once
#include <cnix/net/prefix.hpp>

#include <algorithm>
#include <array>

namespace cnix::eni {

/// What no subnet of pods has an address of (RFC 6890): this network, the node's loopback, link-local, multicast, reserved with
/// the broadcast address.
constexpr inline std::array not_of_pods{
    net::prefix::parse("0.0.0.0/8").value(),      net::prefix::parse("127.0.0.0/8").value(),
    net::prefix::parse("169.254.0.0/16").value(), net::prefix::parse("224.0.0.0/3").value(),
    net::prefix::parse("::/127").value(),         net::prefix::parse("fe80::/10").value(),
    net::prefix::parse("ff00::/8").value()};

/// Whether all addresses of a prefix can be pods', or routers' of theirs.
constexpr bool is_of_pods(net::prefix const& one) {
    return std::ranges::none_of(not_of_pods, [&](net::prefix const& other) { return other.overlaps(one); });
}

} // namespace cnix::eni
