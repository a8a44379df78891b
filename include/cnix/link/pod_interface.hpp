#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/result.hpp>
#include <cnix/concepts/netlink_backend.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

/// The pod's end of an attachment: its addresses, routes and sysctls. Everything here runs with the pod's namespace as the
/// thread's, on a backend made there.
namespace cnix::link {

/// Whether one of the addresses is of the family.
inline bool has_family(std::vector<cni::ip> const& ips, net::family family) {
    return std::ranges::any_of(ips, [family](cni::ip const& ip) { return ip.address.family() == family; });
}

/// The first gateway of the family; none if no address of it has one.
inline std::optional<net::address> first_gateway(std::vector<cni::ip> const& ips, net::family family) {
    for (cni::ip const& ip : ips)
        if (ip.gateway && ip.gateway->family() == family) return ip.gateway;
    return std::nullopt;
}

/// The first gateway of each family that has one.
inline std::vector<net::address> first_gateways(std::vector<cni::ip> const& ips) {
    std::vector<net::address> all;
    for (auto family : {net::family::ipv4, net::family::ipv6})
        if (auto const gateway = first_gateway(ips, family)) all.push_back(*gateway);
    return all;
}

/// RT_SCOPE_LINK and RT_SCOPE_HOST (linux/rtnetlink.h): a route of such a scope has no gateway.
constexpr inline std::uint8_t scope_link = 253;
/// See scope_link.
constexpr inline std::uint8_t scope_host = 254;

/// A route of a result as it is put on the device: a route without a gateway gets the first one of its family, unless its
/// scope says that there is none on the way.
inline netlink::route_spec kernel_route(cni::route const& route, std::vector<cni::ip> const& ips,
                                        netlink::index device) {
    bool const direct = route.scope && *route.scope >= scope_link;
    netlink::route_spec spec{.dst = route.dst.network(),
                             .gateway =
                                 route.gw || direct ? route.gw : first_gateway(ips, route.dst.family()),
                             .device = device,
                             .priority = route.priority,
                             .scope = route.scope,
                             .mtu = route.mtu,
                             .advmss = route.advmss};
    if (route.table && *route.table != 0)
        spec.table = *route.table; // 0, RT_TABLE_UNSPEC, is main to the kernel
    return spec;
}

/// The routes, and for each family of the addresses a default route unless there is one, with a gateway or without.
inline std::vector<cni::route> with_default_routes(std::vector<cni::route> routes,
                                                   std::vector<cni::ip> const& ips) {
    for (cni::ip const& ip : ips) {
        auto const any = net::prefix::any(ip.address.family());
        auto const default_of_main = [&](cni::route const& r) {
            return r.dst.network() == any &&
                   (!r.table || *r.table == 0 || *r.table == netlink::route_spec{}.table);
        };
        if (std::ranges::any_of(routes, default_of_main)) continue;
        routes.push_back({.dst = any, .gw = ip.gateway});
    }
    return routes;
}

/// /proc/sys path of `net.ipv4.conf.NAME.KEY`; there may be dots in NAME.
inline std::string interface_sysctl(net::family family, std::string_view interface, std::string_view key) {
    std::string const root = family == net::family::ipv4 ? "net/ipv4/conf/" : "net/ipv6/conf/";
    return root + std::string{interface} + "/" + std::string{key};
}

/// Writes a sysctl that this kernel may not have (one without IPv6, say); nothing is lost without it.
template <netlink_backend Netlink>
void try_sysctl(Netlink& netlink, std::string const& path, std::string_view value) {
    try {
        netlink.set_sysctl(path, value);
    } catch (std::system_error const&) {
    }
}

/// Writes a sysctl if it has another value.
template <netlink_backend Netlink>
void ensure_sysctl(Netlink& netlink, std::string const& path, std::string_view value) {
    if (auto const now = netlink.sysctl(path); !now || *now != value) netlink.set_sysctl(path, value);
}

/// For a bridge's port, which needs no addresses of its own: no link-local one, no router advertisements taken. To be called
/// before it is up.
template <netlink_backend Netlink> void without_ipv6(Netlink& netlink, net::interface_name const& port) {
    try_sysctl(netlink, interface_sysctl(net::family::ipv6, port, "disable_ipv6"), "1");
}

/// Waits until no IPv6 address of the interface is tentative, as `enabledad` asks. Throws if somebody else has an address.
/// Duplicate address detection of one address takes 1 to 2 s (RFC 4862: a random delay, then RetransTimer).
template <netlink_backend Netlink> void settle_addresses(Netlink& netlink, netlink::link const& link) {
    using namespace std::chrono_literals;
    constexpr auto limit = 10s;
    auto const deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        auto const addresses = netlink.addresses(link.index);
        if (auto const taken = std::ranges::find_if(addresses, &netlink::link_address::dad_failed);
            taken != addresses.end())
            throw cni::error{cni::code::internal,
                             "the address " + taken->address.str() + " of " + link.name +
                                 " is in use by somebody else (duplicate address detection failed)"};
        if (!std::ranges::any_of(addresses, &netlink::link_address::tentative)) return;
        if (std::chrono::steady_clock::now() > deadline)
            throw cni::error{cni::code::try_again_later,
                             "duplicate address detection on " + link.name +
                                 " did not end within 10 s; is its other end up?"};
        std::this_thread::sleep_for(20ms);
    }
}

/// Lets the interface have IPv6 addresses, which a pod may have switched off.
template <netlink_backend Netlink> void enable_ipv6(Netlink& netlink, netlink::link const& link) {
    auto const disable_ipv6 = interface_sysctl(net::family::ipv6, link.name, "disable_ipv6");
    if (!netlink.sysctl(disable_ipv6))
        throw cni::error{cni::code::internal,
                         "IPv6 is not available on " + link.name + ", whose MTU is " +
                             std::to_string(link.mtu) +
                             ": it needs an MTU of 1280 at least, and a kernel with IPv6"};
    ensure_sysctl(netlink, "net/ipv6/conf/lo/disable_ipv6", "0");
    ensure_sysctl(netlink, disable_ipv6, "0");
}

/// Gives the interface the lease's addresses, sets it up, and adds the routes.
/// `detect_duplicates`: IPv6 addresses are used only after duplicate address detection.
template <netlink_backend Netlink>
void configure_pod_interface(Netlink& netlink, netlink::link const& link, cni::lease const& lease,
                             bool detect_duplicates) {
    try_sysctl(netlink, interface_sysctl(net::family::ipv4, link.name, "arp_notify"), "1"); // for announce()
    if (detect_duplicates)
        try_sysctl(netlink, interface_sysctl(net::family::ipv6, link.name, "enhanced_dad"), "1");
    // This governs the link-local address; the others carry IFA_F_NODAD.
    try_sysctl(netlink, interface_sysctl(net::family::ipv6, link.name, "accept_dad"),
               detect_duplicates ? "1" : "0");
    if (has_family(lease.ips, net::family::ipv6)) {
        enable_ipv6(netlink, link);
        netlink.set_sysctl(interface_sysctl(net::family::ipv6, link.name, "keep_addr_on_down"), "1");
        try_sysctl(netlink, interface_sysctl(net::family::ipv6, link.name, "ndisc_notify"), "1");
    }
    for (cni::ip const& ip : lease.ips)
        netlink.add_address(link.index, {.address = ip.address, .no_dad = !detect_duplicates});
    netlink.change_link(link.index, {.up = true});
    if (detect_duplicates && has_family(lease.ips, net::family::ipv6)) settle_addresses(netlink, link);
    for (cni::route const& route : lease.routes)
        netlink.add_route(kernel_route(route, lease.ips, link.index));
}

/// Tells the neighbours the addresses' MAC address, by gratuitous ARP and an unsolicited neighbour advertisement: they may know it
/// by a former pod's. The kernel did so when the interface came up (arp_notify, ndisc_notify), but its bridge port does not
/// forward by then. It does so too when a MAC address is set, also to what it is (NETDEV_CHANGEADDR).
template <netlink_backend Netlink> void announce(Netlink& netlink, netlink::link const& link) {
    netlink.change_link(link.index, {.mac = link.mac});
}

/// Whether the kernel's route is the wanted one; what the wanted one leaves open (0) may be anything.
inline bool fulfils(netlink::route_spec const& actual, netlink::route_spec const& wanted) {
    return actual.dst == wanted.dst && actual.device == wanted.device && actual.table == wanted.table &&
           (!wanted.gateway || actual.gateway == wanted.gateway) &&
           (wanted.priority == 0 || actual.priority == wanted.priority) &&
           (wanted.mtu == 0 || actual.mtu == wanted.mtu) &&
           (wanted.advmss == 0 || actual.advmss == wanted.advmss) &&
           (!wanted.scope || wanted.dst.is_v6() || actual.scope == wanted.scope); // IPv6 routes have no scope
}

/// "10.1.0.0/16 via 10.2.0.1 table 100"
inline std::string describe(netlink::route_spec const& route) {
    std::string text = route.dst.str();
    if (route.gateway) text += " via " + route.gateway->str();
    if (route.priority != 0) text += " metric " + std::to_string(route.priority);
    if (route.table != 254) text += " table " + std::to_string(route.table);
    if (route.mtu != 0) text += " mtu " + std::to_string(route.mtu);
    if (route.advmss != 0) text += " advmss " + std::to_string(route.advmss);
    return text;
}

/// Appends that the route is missing on its device, `link`.
template <netlink_backend Netlink>
void check_route(Netlink& netlink, netlink::link const& link, netlink::route_spec const& wanted,
                 std::vector<std::string>& found) {
    if (!std::ranges::any_of(netlink.routes(wanted.dst.family(), link.index),
                             [&](netlink::route_spec const& actual) { return fulfils(actual, wanted); }))
        found.push_back("the route " + describe(wanted) + " is missing on " + link.name);
}

/// Appends that the neighbour is missing on its device, `link`.
template <netlink_backend Netlink>
void check_neighbour(Netlink& netlink, netlink::link const& link, netlink::neighbour_spec const& wanted,
                     std::vector<std::string>& found) {
    auto const neighbours = netlink.neighbours(link.index);
    if (!ranges::contains(neighbours, wanted))
        found.push_back("the MAC address " + wanted.mac.str() + " of " + wanted.address.str() +
                        " is missing on " + link.name);
}

/// The result's addresses of its interface of that index; those that do not say whose they are belong to any.
inline std::vector<cni::ip> addresses_of(cni::result const& result, unsigned interface) {
    std::vector<cni::ip> own;
    for (cni::ip const& ip : result.ips)
        if (!ip.interface || *ip.interface == interface) own.push_back(ip);
    return own;
}

/// Appends which of the result's addresses and routes are missing. What others added meanwhile is no fault.
/// `interface` is the index of the link in the result. A chained plugin's result also has the other interfaces'
/// addresses and routes; a route does not tell whose it is, and may then be on any device.
template <netlink_backend Netlink>
void check_pod_interface(Netlink& netlink, netlink::link const& link, cni::result const& previous,
                         unsigned interface, std::vector<std::string>& found) {
    auto const own = addresses_of(previous, interface);
    bool const chained = own.size() != previous.ips.size();

    auto const addresses = netlink.addresses(link.index);
    for (cni::ip const& ip : own)
        if (!std::ranges::any_of(addresses,
                                 [&](netlink::link_address const& a) { return a.address == ip.address; }))
            found.push_back("the address " + ip.address.str() + " is missing on " + link.name);
    for (auto family : {net::family::ipv4, net::family::ipv6}) {
        if (!std::ranges::any_of(previous.routes,
                                 [family](cni::route const& r) { return r.dst.family() == family; }))
            continue;
        auto const routes = netlink.routes(family);
        for (cni::route const& route : previous.routes) {
            if (route.dst.family() != family) continue;
            auto wanted = kernel_route(route, own, link.index);
            auto const elsewhere = [&](netlink::route_spec const& actual) {
                wanted.device = actual.device;
                wanted.gateway = route.gw;
                return fulfils(actual, wanted);
            };
            if (std::ranges::any_of(
                    routes, [&](netlink::route_spec const& actual) { return fulfils(actual, wanted); }))
                continue;
            if (chained && std::ranges::any_of(routes, elsewhere)) continue;
            found.push_back("the route " + describe(kernel_route(route, own, link.index)) +
                            " is missing on " + link.name);
        }
    }
}

} // namespace cnix::link
