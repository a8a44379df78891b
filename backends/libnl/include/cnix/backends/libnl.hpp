#pragma once
#include <cnix/backends/libnl/hold.hpp>
#include <cnix/backends/libnl/socket.hpp>
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
    std::optional<netlink::link> find_link(net::interface_name const& name);
    std::optional<netlink::link> find_link(netlink::index index);
    std::vector<netlink::link> links();
    void add_bridge(netlink::bridge_spec const& bridge);
    void add_veth(netlink::veth_spec const& veth);
    void add_vlan(netlink::vlan_spec const& vlan);
    void change_link(netlink::index index, netlink::link_change const& change);
    bool delete_link(netlink::index index);

    std::optional<netlink::bridge_port> port(netlink::index index);
    void change_port(netlink::index index, netlink::bridge_port const& port);
    std::vector<netlink::port_vlan> port_vlans(netlink::index index);
    void add_port_vlan(netlink::index index, netlink::port_vlan const& vlan);
    bool delete_port_vlan(netlink::index index, netlink::port_vlan const& vlan);

    std::vector<netlink::link_address> addresses(netlink::index index);
    void add_address(netlink::index index, netlink::address_spec const& address);
    bool delete_address(netlink::index index, net::prefix const& address);

    std::vector<netlink::route_spec> routes(net::family family);
    std::vector<netlink::route_spec> routes(net::family family, netlink::index device);
    netlink::reached reach(net::address const& address);
    void add_route(netlink::route_spec const& route);
    void replace_route(netlink::route_spec const& route);
    bool delete_route(netlink::route_spec const& route);

    std::vector<netlink::rule_spec> rules(net::family family);
    void add_rule(netlink::rule_spec const& rule);
    bool delete_rule(netlink::rule_spec const& rule);

    std::vector<netlink::neighbour_spec> neighbours(netlink::index index);
    void replace_neighbour(netlink::neighbour_spec const& neighbour);
    bool delete_neighbour(netlink::neighbour_spec const& neighbour);

    rtnl::hold hold(net::interface_name const& name);

    std::optional<std::string> sysctl(std::string_view path);
    void set_sysctl(std::string_view path, std::string_view text);

  private:
    rtnl::socket sock_;
};

static_assert(netlink_backend<libnl>);

} // namespace cnix::backends

#ifndef CNIX_PREBUILT
#include <cnix/backends/libnl.ipp>
#endif
