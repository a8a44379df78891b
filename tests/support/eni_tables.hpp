#pragma once
#include <cnix/concepts/netlink_backend.hpp>
#include <cnix/eni/routing.hpp>

#include <initializer_list>
#include <utility>

namespace cnix::test {

/// Default routes in the tables of ENIs, given by device number and network card: what a node that is set up has.
template <netlink_backend Netlink>
void with_eni_tables(std::initializer_list<std::pair<int, int>> enis = {{1, 0}, {2, 0}, {1, 1}}) {
    Netlink host;
    auto const uplink = net::interface_name::parse("uplink").value();
    if (!host.find_link(uplink)) host.add_bridge({.name = uplink});
    auto const device = host.find_link(uplink)->index;
    for (auto const& [number, card] : enis)
        for (auto const family : {net::family::ipv4, net::family::ipv6})
            host.add_route(
                {.dst = net::prefix::any(family), .device = device, .table = eni::table_of(number, card)});
}

/// A world for link_laws on a node of the ENI design.
template <netlink_backend Netlink, class World> struct with_enis : World {
    with_enis() { with_eni_tables<Netlink>(); }
};

} // namespace cnix::test
