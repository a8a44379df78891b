#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/netlink_backend.hpp>
#include <cnix/eni/network_interface.hpp>
#include <cnix/eni/repairs.hpp>

#include <boost/algorithm/string/join.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

/// The ENIs' interfaces on the node, and the tables of what leaves by each.
namespace cnix::eni {

/// The interface of that MAC address; nothing: there is none. Of several, which one made on it is, or a bridge or bond that it is
/// a port of, the first that is hardware.
template <netlink_backend Netlink> std::optional<netlink::link> link_of(Netlink& host, net::mac const& mac) {
    std::optional<netlink::link> best;
    auto const rank = [](netlink::link const& link) { return std::tuple{!link.kind.empty(), link.index}; };
    for (auto const& link : host.links())
        if (link.mac == mac && (!best || rank(link) < rank(*best))) best = link;
    return best;
}
/// The ENI's. Throws cni::error with try_again_later if it is not there: a new ENI's interface takes seconds to appear.
template <netlink_backend Netlink> netlink::link link_of(Netlink& host, network_interface const& eni) {
    if (auto found = link_of(host, eni.mac)) return *found;
    throw cni::error{cni::code::try_again_later, "no interface of the node has the MAC address " +
                                                     eni.mac.str() + " of the ENI " + eni.id +
                                                     ": it is not attached yet, or not any more; try again"};
}

/// Whether the node had its routes before any pod came: the others' tables are cnix's.
inline bool is_primary(network_interface const& eni) { return eni.table() == main_table; }

/// Whether the table is of an ENI other than the primary one. Those of branch ENIs begin behind the last device's.
constexpr bool is_eni_table(std::uint32_t table) {
    return (table >= table_of(1) && table < table_of_branch(1)) || table >= table_of(0, 1);
}

/// `32765: from 10.0.2.10 lookup 2`
inline netlink::rule_spec from_eni_rule(net::address const& primary, std::uint32_t table) {
    return {.family = primary.family(),
            .priority = priority::from_eni,
            .table = table,
            .source = net::prefix::host(primary),
            .protocol = protocol};
}

/// The routes of the ENI's table: to its router, and by it to all else.
inline std::vector<netlink::route_spec> routes_of(network_interface const& eni, subnet const& in,
                                                  netlink::index device) {
    return {
        {.dst = net::prefix::host(in.gateway), .device = device, .table = eni.table(), .protocol = protocol},
        {.dst = net::prefix::any(in.prefix.family()),
         .gateway = in.gateway,
         .device = device,
         .table = eni.table(),
         .protocol = protocol}};
}

namespace detail {
/// Another cnix may be at it, too.
template <class Add> void unless_there(Add&& add) {
    try {
        add();
    } catch (std::system_error const& e) {
        if (e.code() != std::errc::file_exists) throw;
    }
}
inline std::string text(netlink::route_spec const& route) {
    auto const gateway = route.gateway ? " via " + route.gateway->str() : std::string{};
    return route.dst.str() + gateway + " in table " + std::to_string(route.table);
}
/// Whether a route is as it was written; the kernel chooses an IPv6 route's priority.
inline bool same(netlink::route_spec const& one, netlink::route_spec const& other) {
    return one.dst == other.dst && one.gateway == other.gateway && one.table == other.table &&
           one.protocol == other.protocol;
}

template <netlink_backend Netlink>
void repair_link(Netlink& host, netlink::link const& link, std::uint32_t mtu, repairs& differ) {
    if (link.mtu != mtu)
        differ("the MTU of " + link.name + " is " + std::to_string(link.mtu) + ", and should be " +
                   std::to_string(mtu),
               [&] { host.change_link(link.index, {.mtu = mtu}); });
    if (!link.up) differ(link.name + " is down", [&] { host.change_link(link.index, {.up = true}); });
}

/// The ENI's own address, and no other: they are its pods', and the node must not answer for them.
template <netlink_backend Netlink>
void repair_addresses(Netlink& host, netlink::link const& link, network_interface const& eni,
                      net::family family, repairs& differ) {
    auto const* in = eni.subnet_of(family);
    std::optional<net::prefix> own;
    if (in && eni.primary && eni.primary->family() == family)
        own = net::prefix::make(*eni.primary, in->prefix.length());
    for (auto const& [address, tentative, failed] : host.addresses(link.index)) {
        if (address.family() != family || address.address().is_link_local() || address == own) continue;
        differ(link.name + " has the address " + address.str() + ", which is not the ENI's own",
               [&, gone = address] { host.delete_address(link.index, gone); });
    }
    // Asked for again: an IPv4 address can have gone with one of its network that was older.
    auto const all = host.addresses(link.index);
    auto const has = [&](netlink::link_address const& one) { return one.address == own; };
    if (own && std::ranges::none_of(all, has))
        differ("the address " + own->str() + " is missing on " + link.name, [&] {
            unless_there([&] { host.add_address(link.index, {.address = *own, .no_dad = true}); });
        });
}

template <netlink_backend Netlink>
void repair_routes(Netlink& host, netlink::link const& link, network_interface const& eni, net::family family,
                   subnet const* in, repairs& differ) {
    auto const all = host.routes(family, link.index);
    auto const wanted = in ? routes_of(eni, *in, link.index) : std::vector<netlink::route_spec>{};
    auto const has = [](std::vector<netlink::route_spec> const& routes, netlink::route_spec const& one) {
        return std::ranges::any_of(routes, [&](auto const& other) { return same(one, other); });
    };
    for (auto const& route : all) { // first, for IPv6 would spread over both ways
        bool const foreign = route.protocol != protocol || route.table == main_table;
        if (foreign || has(wanted, route)) continue;
        differ("the route " + text(route) + " out of " + link.name + " is not wanted any more",
               [&] { host.delete_route(route); });
    }
    for (auto const& route : wanted)
        if (!has(all, route))
            differ("the route " + text(route) + " out of " + link.name + " is missing",
                   [&] { host.replace_route(route); });
    // The kernel's, which came with the address: what leaves for the subnet leaves by the primary ENI, or by the rules.
    if (in)
        for (auto const& route : host.routes(family, link.index))
            if (route.table == main_table && route.dst == in->prefix && !route.gateway)
                differ("the route " + text(route) + " leads out of " + link.name,
                       [&] { host.delete_route(route); });
}
} // namespace detail

namespace detail {
/// Whether the node's default route is the interface's alone. Others may be there with a greater metric, as DHCP makes them.
template <netlink_backend Netlink>
bool carries_default(Netlink& host, netlink::link const& link, net::family family) {
    auto all = host.routes(family);
    std::erase_if(all, [&](netlink::route_spec const& route) {
        return route.table != main_table || route.dst != net::prefix::any(family);
    });
    if (all.empty()) return false;
    auto const best = std::ranges::min(all, {}, &netlink::route_spec::priority).priority;
    return std::ranges::all_of(all, [&](netlink::route_spec const& route) {
        return route.priority != best || route.device == link.index;
    });
}
} // namespace detail

/// Why nothing may be taken from the interface of an ENI that is not the primary one. Empty: it may.
template <netlink_backend Netlink>
findings faults_of_stripping(Netlink& host, netlink::link const& link, network_interface const& eni,
                             std::vector<net::family> const& families) {
    findings all;
    for (auto const family : families)
        if (detail::carries_default(host, link, family))
            all.push_back("the interface " + link.name + " of the ENI " + eni.id + " carries the node's " +
                          (family == net::family::ipv4 ? "IPv4" : "IPv6") +
                          " default route, which is the primary ENI's");
    return all;
}

/// What is the node's of an ENI other than the primary one: MTU, up, its own address, its table, the rule for what the node
/// sends from its address. Where `differ` puts right, all is so afterwards. Of a family that is not in `families`, routes of
/// ours go and addresses are left alone.
template <netlink_backend Netlink>
void repair_eni(Netlink& host, network_interface const& eni, std::uint32_t mtu,
                std::vector<net::family> const& families, repairs& differ) {
    if (is_primary(eni))
        throw cni::error{cni::code::internal, "the ENI " + eni.id +
                                                  " is the primary one, or has its table 254: its routes are "
                                                  "the node's own"};
    auto const link = link_of(host, eni);
    detail::repair_link(host, link, mtu, differ);
    for (auto const family : {net::family::ipv4, net::family::ipv6}) {
        bool const used = std::ranges::find(families, family) != families.end();
        if (used) detail::repair_addresses(host, link, eni, family, differ);
        detail::repair_routes(host, link, eni, family, used ? eni.subnet_of(family) : nullptr, differ);
    }
}

/// Sets up an ENI's interface (repair_eni) and its rule. Throws cni::error, and changes nothing, where faults_of_stripping finds any.
template <netlink_backend Netlink>
void set_up_eni(Netlink& host, network_interface const& eni, std::uint32_t mtu,
                std::vector<net::family> const& families) {
    if (!is_primary(eni))
        if (auto const faults = faults_of_stripping(host, link_of(host, eni), eni, families); !faults.empty())
            throw cni::error{cni::code::invalid_network_config, boost::algorithm::join(faults, "\n")};
    repairs now;
    repair_eni(host, eni, mtu, families, now);
    if (!eni.primary) return;
    auto const rule = from_eni_rule(*eni.primary, eni.table());
    for (auto const& other : host.rules(rule.family)) {
        if (other == rule) return;
        if (other.protocol == protocol && other.priority == rule.priority && other.source == rule.source)
            host.delete_rule(other);
    }
    detail::unless_there([&] { host.add_rule(rule); });
}

/// Takes away what set_up_eni made but for MTU and up; of an ENI that is gone, what it left. Nothing left is no error.
template <netlink_backend Netlink> void tear_down_eni(Netlink& host, network_interface const& eni) {
    if (is_primary(eni)) return;
    for (auto const family : {net::family::ipv4, net::family::ipv6})
        for (auto const& rule : host.rules(family))
            if (rule.protocol == protocol && rule.priority == priority::from_eni &&
                (rule.table == eni.table() ||
                 (eni.primary && rule.source == net::prefix::host(*eni.primary))))
                host.delete_rule(rule);
    auto const link = link_of(host, eni.mac);
    if (!link) return;
    for (auto const family : {net::family::ipv4, net::family::ipv6}) {
        auto ours = host.routes(family, link->index);
        std::erase_if(ours, [&](netlink::route_spec const& route) {
            return route.protocol != protocol || route.table != eni.table();
        });
        if (ours.empty()) continue;
        // First: as long as there are routes, a repetition knows that the address is ours, too.
        auto const* in = eni.subnet_of(family);
        if (in && eni.primary && eni.primary->family() == family)
            if (auto const own = net::prefix::make(*eni.primary, in->prefix.length()))
                host.delete_address(link->index, *own);
        for (auto const& route : ours) host.delete_route(route);
    }
}

} // namespace cnix::eni
