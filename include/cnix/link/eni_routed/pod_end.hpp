#pragma once
#include <cnix/eni/routing.hpp>
#include <cnix/link/pod_interface.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The two ends of a routed pod's interface.
namespace cnix::link {

/// Below net/ipv6/conf of a host end (driver.go, setupVeth): the node neither learns from a pod nor lets itself be led by one.
constexpr inline std::array<std::pair<std::string_view, std::string_view>, 3> host_end_sysctls{
    {{"accept_ra", "0"}, {"accept_redirects", "1"}, {"forwarding", "0"}}};

/// The gateway of the pod's n-th interface: 169.254.1.1 or fe80::1, for the next ones .2, ::2... On no wire: nobody has it, and the
/// pod knows its MAC address, which is the host end's.
inline net::address pod_gateway(net::family family, std::size_t interface) {
    auto const last = static_cast<std::uint32_t>(interface + 1);
    return family == net::family::ipv4 ? net::address::v4(0xa9fe0100u + last)
                                       : net::address::v6(0xfe80ull << 48, last);
}

/// The table of the pod's n-th interface in the pod.
inline std::uint32_t pod_table(std::size_t interface) {
    return interface == 0 ? eni::main_table : static_cast<std::uint32_t>(interface);
}

/// In the pod, `1: from 10.0.2.55 lookup 1`: what an interface after the first has as its address leaves by it.
inline netlink::rule_spec pod_rule(net::address const& address, std::size_t interface) {
    return {.family = address.family(),
            .priority = 1,
            .table = pod_table(interface),
            .source = net::prefix::host(address),
            .protocol = eni::protocol};
}

/// In the pod, the route to the gateway and the default route over it.
inline std::array<netlink::route_spec, 2> pod_routes(net::family family, netlink::index device,
                                                     std::size_t interface) {
    auto const gateway = pod_gateway(family, interface);
    return {{{.dst = net::prefix::host(gateway),
              .device = device,
              .table = pod_table(interface),
              .protocol = eni::protocol},
             {.dst = net::prefix::any(family),
              .gateway = gateway,
              .device = device,
              .table = pod_table(interface),
              .protocol = eni::protocol}}};
}

/// Gives the pod's n-th interface its addresses, sets it up, and makes its routes. IPv6 addresses are used at once: nobody else has
/// them, as the ENI's owner hands them out, and the node is the only neighbour.
template <netlink_backend Netlink>
void configure_routed_pod(Netlink& netlink, netlink::link const& link, net::mac const& host_end,
                          std::vector<net::address> const& addresses, std::size_t interface) {
    bool const ipv6 = std::ranges::any_of(addresses, &net::address::is_v6);
    if (ipv6) enable_ipv6(netlink, link);
    netlink::link_change up{.up = true};
    if (ipv6)
        up.addr_gen_mode = 1; // IN6_ADDR_GEN_MODE_NONE: a link-local address would be detected for a second
    netlink.change_link(link.index, up);
    for (net::address const& address : addresses) {
        netlink.add_address(link.index, {.address = net::prefix::host(address), .no_dad = true});
        auto const family = address.family();
        netlink.replace_neighbour({pod_gateway(family, interface), host_end, link.index});
        for (auto const& route : pod_routes(family, link.index, interface)) netlink.replace_route(route);
        if (interface > 0) netlink.add_rule(pod_rule(address, interface));
    }
}

/// Appends what of configure_routed_pod's is missing.
template <netlink_backend Netlink>
void check_routed_pod(Netlink& netlink, netlink::link const& link, net::mac const& host_end,
                      std::vector<cni::ip> const& ips, std::size_t interface,
                      std::vector<std::string>& found) {
    for (cni::ip const& ip : ips) {
        auto const address = ip.address.address();
        check_neighbour(netlink, link, {pod_gateway(address.family(), interface), host_end, link.index},
                        found);
        for (auto const& route : pod_routes(address.family(), link.index, interface))
            check_route(netlink, link, route, found);
        if (interface > 0 && !ranges::contains(netlink.rules(address.family()), pod_rule(address, interface)))
            found.push_back("the policy rule from " + address.str() + " for the pod's table " +
                            std::to_string(pod_table(interface)) + " is missing in the pod");
    }
}

/// Appends which of the host end's sysctls has another value. Not `forwarding`: who writes conf/all/forwarding, as a node that is
/// set up for IPv6 has it, writes it for every interface that is there.
template <netlink_backend Netlink>
void check_host_end(Netlink& netlink, netlink::link const& link, std::vector<std::string>& found) {
    for (auto const& [key, value] : host_end_sysctls) {
        if (key == "forwarding") continue;
        auto const path = interface_sysctl(net::family::ipv6, link.name, key);
        if (auto const now = netlink.sysctl(path); now && *now != value)
            found.push_back(path + " is " + *now + ", and should be " + std::string{value});
    }
}

} // namespace cnix::link
