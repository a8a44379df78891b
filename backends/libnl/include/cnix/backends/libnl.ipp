#pragma once
#include <cnix/backends/libnl.hpp>
#include <cnix/backends/libnl/addresses.hpp>
#include <cnix/backends/libnl/bridge_ports.hpp>
#include <cnix/backends/libnl/hold.hpp>
#include <cnix/backends/libnl/links.hpp>
#include <cnix/backends/libnl/neighbours.hpp>
#include <cnix/backends/libnl/routes.hpp>
#include <cnix/backends/libnl/rules.hpp>
#include <cnix/backends/libnl/socket.hpp>
#include <cnix/backends/libnl/sysctl.hpp>
#include <cnix/prebuilt.hpp>

namespace cnix::backends {

CNIX_INLINE std::optional<netlink::link> libnl::find_link(net::interface_name const& name) {
    return rtnl::find_link(sock_, name);
}

CNIX_INLINE std::optional<netlink::link> libnl::find_link(netlink::index index) {
    return rtnl::find_link(sock_, index);
}

CNIX_INLINE std::vector<netlink::link> libnl::links() { return rtnl::links(sock_); }

CNIX_INLINE void libnl::add_bridge(netlink::bridge_spec const& bridge) { rtnl::add_bridge(sock_, bridge); }

CNIX_INLINE void libnl::add_veth(netlink::veth_spec const& veth) { rtnl::add_veth(sock_, veth); }

CNIX_INLINE void libnl::add_vlan(netlink::vlan_spec const& vlan) { rtnl::add_vlan(sock_, vlan); }

CNIX_INLINE void libnl::change_link(netlink::index index, netlink::link_change const& change) {
    rtnl::change_link(sock_, index, change);
}

CNIX_INLINE bool libnl::delete_link(netlink::index index) { return rtnl::delete_link(sock_, index); }

CNIX_INLINE std::optional<netlink::bridge_port> libnl::port(netlink::index index) {
    return rtnl::port(sock_, index);
}

CNIX_INLINE void libnl::change_port(netlink::index index, netlink::bridge_port const& port) {
    rtnl::change_port(sock_, index, port);
}

CNIX_INLINE std::vector<netlink::port_vlan> libnl::port_vlans(netlink::index index) {
    return rtnl::port_vlans(sock_, index);
}

CNIX_INLINE void libnl::add_port_vlan(netlink::index index, netlink::port_vlan const& vlan) {
    rtnl::add_port_vlan(sock_, index, vlan);
}

CNIX_INLINE bool libnl::delete_port_vlan(netlink::index index, netlink::port_vlan const& vlan) {
    return rtnl::delete_port_vlan(sock_, index, vlan);
}

CNIX_INLINE std::vector<netlink::link_address> libnl::addresses(netlink::index index) {
    return rtnl::addresses(sock_, index);
}

CNIX_INLINE void libnl::add_address(netlink::index index, netlink::address_spec const& address) {
    rtnl::add_address(sock_, index, address);
}

CNIX_INLINE bool libnl::delete_address(netlink::index index, net::prefix const& address) {
    return rtnl::delete_address(sock_, index, address);
}

CNIX_INLINE std::vector<netlink::route_spec> libnl::routes(net::family family) {
    return rtnl::routes(sock_, family);
}

CNIX_INLINE std::vector<netlink::route_spec> libnl::routes(net::family family, netlink::index device) {
    return rtnl::routes(sock_, family, device);
}

CNIX_INLINE netlink::reached libnl::reach(net::address const& address) { return rtnl::reach(sock_, address); }

CNIX_INLINE void libnl::add_route(netlink::route_spec const& route) { rtnl::add_route(sock_, route); }

CNIX_INLINE void libnl::replace_route(netlink::route_spec const& route) { rtnl::replace_route(sock_, route); }

CNIX_INLINE bool libnl::delete_route(netlink::route_spec const& route) {
    return rtnl::delete_route(sock_, route);
}

CNIX_INLINE std::vector<netlink::rule_spec> libnl::rules(net::family family) {
    return rtnl::rules(sock_, family);
}

CNIX_INLINE void libnl::add_rule(netlink::rule_spec const& rule) { rtnl::add_rule(sock_, rule); }

CNIX_INLINE bool libnl::delete_rule(netlink::rule_spec const& rule) { return rtnl::delete_rule(sock_, rule); }

CNIX_INLINE std::vector<netlink::neighbour_spec> libnl::neighbours(netlink::index index) {
    return rtnl::neighbours(sock_, index);
}

CNIX_INLINE void libnl::replace_neighbour(netlink::neighbour_spec const& neighbour) {
    rtnl::replace_neighbour(sock_, neighbour);
}

CNIX_INLINE bool libnl::delete_neighbour(netlink::neighbour_spec const& neighbour) {
    return rtnl::delete_neighbour(sock_, neighbour);
}

CNIX_INLINE auto libnl::hold(net::interface_name const& name) -> rtnl::hold { return rtnl::hold{name}; }

CNIX_INLINE std::optional<std::string> libnl::sysctl(std::string_view path) {
    return rtnl::read_sysctl(path);
}

CNIX_INLINE void libnl::set_sysctl(std::string_view path, std::string_view text) {
    rtnl::write_sysctl(path, text);
}

} // namespace cnix::backends
