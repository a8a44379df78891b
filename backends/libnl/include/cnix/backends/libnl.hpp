#pragma once
#include <cnix/backends/libnl/addresses.hpp>
#include <cnix/backends/libnl/bridge_ports.hpp>
#include <cnix/backends/libnl/hold.hpp>
#include <cnix/backends/libnl/links.hpp>
#include <cnix/backends/libnl/neighbours.hpp>
#include <cnix/backends/libnl/routes.hpp>
#include <cnix/backends/libnl/rules.hpp>
#include <cnix/backends/libnl/socket.hpp>
#include <cnix/backends/libnl/sysctl.hpp>
#include <cnix/concepts/netlink_backend.hpp>

namespace cnix::backends {

/// The kernel's network configuration through rtnetlink: one socket, opened in the constructor. Each
/// operation is one request, and asks for no more than its object (except that a deletion of a VLAN looks
/// first).
///
/// Messages are built and read with libnl's core. Its objects and caches (libnl-route) are not used: they
/// read back every link of the node, and know no RTAX_ADVMSS, RTM_GETVLAN, FRA_PROTOCOL or a veth's
/// IFLA_NET_NS_FD.
///
/// Kernel: Linux 4.20, for the VLANs of a port 5.6. Not thread safe; movable.
class libnl {
  public:
    std::optional<netlink::link> find_link(net::interface_name const& name) {
        return rtnl::find_link(sock_, name);
    }
    std::optional<netlink::link> find_link(netlink::index index) { return rtnl::find_link(sock_, index); }
    std::vector<netlink::link> links() { return rtnl::links(sock_); }
    void add_bridge(netlink::bridge_spec const& bridge) { rtnl::add_bridge(sock_, bridge); }
    void add_veth(netlink::veth_spec const& veth) { rtnl::add_veth(sock_, veth); }
    void add_vlan(netlink::vlan_spec const& vlan) { rtnl::add_vlan(sock_, vlan); }
    void change_link(netlink::index index, netlink::link_change const& change) {
        rtnl::change_link(sock_, index, change);
    }
    bool delete_link(netlink::index index) { return rtnl::delete_link(sock_, index); }

    std::optional<netlink::bridge_port> port(netlink::index index) { return rtnl::port(sock_, index); }
    void change_port(netlink::index index, netlink::bridge_port const& port) {
        rtnl::change_port(sock_, index, port);
    }
    std::vector<netlink::port_vlan> port_vlans(netlink::index index) {
        return rtnl::port_vlans(sock_, index);
    }
    void add_port_vlan(netlink::index index, netlink::port_vlan const& vlan) {
        rtnl::add_port_vlan(sock_, index, vlan);
    }
    bool delete_port_vlan(netlink::index index, netlink::port_vlan const& vlan) {
        return rtnl::delete_port_vlan(sock_, index, vlan);
    }

    std::vector<netlink::link_address> addresses(netlink::index index) {
        return rtnl::addresses(sock_, index);
    }
    void add_address(netlink::index index, netlink::address_spec const& address) {
        rtnl::add_address(sock_, index, address);
    }
    bool delete_address(netlink::index index, net::prefix const& address) {
        return rtnl::delete_address(sock_, index, address);
    }

    std::vector<netlink::route_spec> routes(net::family family) { return rtnl::routes(sock_, family); }
    std::vector<netlink::route_spec> routes(net::family family, netlink::index device) {
        return rtnl::routes(sock_, family, device);
    }
    netlink::reached reach(net::address const& address) { return rtnl::reach(sock_, address); }
    void add_route(netlink::route_spec const& route) { rtnl::add_route(sock_, route); }
    void replace_route(netlink::route_spec const& route) { rtnl::replace_route(sock_, route); }
    bool delete_route(netlink::route_spec const& route) { return rtnl::delete_route(sock_, route); }

    std::vector<netlink::rule_spec> rules(net::family family) { return rtnl::rules(sock_, family); }
    void add_rule(netlink::rule_spec const& rule) { rtnl::add_rule(sock_, rule); }
    bool delete_rule(netlink::rule_spec const& rule) { return rtnl::delete_rule(sock_, rule); }

    std::vector<netlink::neighbour_spec> neighbours(netlink::index index) {
        return rtnl::neighbours(sock_, index);
    }
    void replace_neighbour(netlink::neighbour_spec const& neighbour) {
        rtnl::replace_neighbour(sock_, neighbour);
    }
    bool delete_neighbour(netlink::neighbour_spec const& neighbour) {
        return rtnl::delete_neighbour(sock_, neighbour);
    }

    rtnl::hold hold(net::interface_name const& name) { return rtnl::hold{name}; }

    std::optional<std::string> sysctl(std::string_view path) { return rtnl::read_sysctl(path); }
    void set_sysctl(std::string_view path, std::string_view text) { rtnl::write_sysctl(path, text); }

  private:
    rtnl::socket sock_;
};

static_assert(netlink_backend<libnl>);

} // namespace cnix::backends
