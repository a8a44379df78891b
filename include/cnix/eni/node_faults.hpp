#pragma once
#include <cnix/eni/node_interface.hpp>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

/// Where the node contradicts its inventory. A wrong one (two MAC addresses or device numbers swapped, a mistyped address) would
/// have set-up take away what the node itself is reached by.
namespace cnix::eni {

namespace detail {
template <netlink_backend Netlink>
bool has_address(Netlink& host, netlink::index link, net::address const& address) {
    auto const is = [&](netlink::link_address const& one) { return one.address.address() == address; };
    return std::ranges::any_of(host.addresses(link), is);
}
} // namespace detail

/// Why an inventory with a primary ENI is not the node's, as far as interfaces are there. Empty: nothing speaks against it.
template <netlink_backend Netlink>
findings inventory_faults(Netlink& host, std::vector<network_interface> const& enis,
                          std::vector<net::family> const& families) {
    findings all;
    auto const primary = std::ranges::find_if(enis, is_primary);
    if (primary == enis.end()) return all;
    auto const& own = primary->primary;
    auto const links = host.links();
    bool has = !own;
    std::string names;
    // Not of the hardware alone: a bond's or a bridge's ports have its MAC address, and no addresses.
    for (auto const& link : links)
        if (link.mac == primary->mac) {
            has = has || detail::has_address(host, link.index, *own);
            names += (names.empty() ? "" : ", ") + link.name;
        }
    if (!has && !names.empty())
        all.push_back("the interface " + names + " of the primary ENI " + primary->id + " (MAC address " +
                      primary->mac.str() + ") does not have its primary address " + own->str());
    for (auto const& eni : enis) {
        if (is_primary(eni)) continue;
        auto const link = link_of(host, eni.mac);
        if (!link) continue;
        std::ranges::move(faults_of_stripping(host, *link, eni, families), std::back_inserter(all));
        if (own && detail::has_address(host, link->index, *own))
            all.push_back("the interface " + link->name + " of the ENI " + eni.id +
                          " has the primary ENI's address " + own->str());
        // Of two whose MAC addresses are swapped: by DHCP, or by a set-up from another inventory.
        for (auto const& other : enis)
            if (!is_primary(other) && other.mac != eni.mac && other.primary && other.primary != own &&
                detail::has_address(host, link->index, *other.primary))
                all.push_back("the interface " + link->name + " of the ENI " + eni.id + " has the address " +
                              other.primary->str() + " of the ENI " + other.id +
                              " (if the inventory is right, take it from the interface)");
    }
    return all;
}

/// Addresses of ENIs on interfaces that no set-up takes them from.
template <netlink_backend Netlink>
findings address_faults(Netlink& host, std::vector<network_interface> const& enis) {
    findings all;
    for (auto const& link : host.links()) {
        auto const is = [&](network_interface const& eni) { return !is_primary(eni) && eni.mac == link.mac; };
        if (std::ranges::any_of(enis, is)) continue;
        for (auto const& [cidr, tentative, failed] : host.addresses(link.index)) {
            auto const address = cidr.address();
            for (auto const& eni : enis) {
                if (eni.primary == address && eni.mac != link.mac)
                    all.push_back(link.name + " has the address " + address.str() + " of the ENI " + eni.id +
                                  ": take it from the interface, or correct the inventory");
                if (std::ranges::any_of(eni.cidrs, [&](auto const& one) { return one.contains(address); }))
                    all.push_back(link.name + " has the address " + address.str() + ", which the ENI " +
                                  eni.id +
                                  " has for pods: take it from the interface, or out of the inventory");
            }
        }
    }
    return all;
}

} // namespace cnix::eni
