#pragma once
#include <cnix/eni/routing.hpp>
#include <cnix/net/mac.hpp>
#include <cnix/net/prefix.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace cnix::eni {

/// A subnet of the cloud's network, with its router.
struct subnet {
    net::prefix prefix{};
    net::address gateway{};

    friend bool operator==(subnet const&, subnet const&) = default;
};

/// An elastic network interface of the node.
struct network_interface {
    std::string id{}; ///< "eni-0123456789abcdef0"
    net::mac mac{};
    int device_number = 0; ///< 0: the primary one, if on network card 0
    int network_card = 0;
    std::optional<net::address> primary{}; ///< IPv4; the node's own
    std::vector<subnet> subnets{};         ///< at most one a family
    /// What pods' addresses are taken from: single ones as /32 and /128, and delegated prefixes (/28 and /80), of which every
    /// address is usable. They do not overlap.
    std::vector<net::prefix> cidrs{};
    bool excluded = false; ///< no pod is given an address of it; those that have one keep it

    std::uint32_t table() const { return table_of(device_number, network_card); }
    /// Null: none of that family.
    eni::subnet const* subnet_of(net::family family) const {
        auto const found =
            std::ranges::find(subnets, family, [](auto const& one) { return one.prefix.family(); });
        return found == subnets.end() ? nullptr : &*found;
    }

    friend bool operator==(network_interface const&, network_interface const&) = default;
};

} // namespace cnix::eni
