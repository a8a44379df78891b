#pragma once
#include <cnix/backends/recording/names.hpp>

namespace cnix::backends::recording {

/// A netlink_backend on the process-wide model (kernel.hpp). Each change that succeeds, and that finds what
/// it is to remove, is written to the journal; looking is not.
class netlink {
  public:
    netlink();

    std::optional<nl::link> find_link(net::interface_name const& name);
    std::optional<nl::link> find_link(nl::index index);
    std::vector<nl::link> links();

    void add_bridge(nl::bridge_spec const& bridge);

    void add_veth(nl::veth_spec const& veth);

    void add_vlan(nl::vlan_spec const& vlan);

    void change_link(nl::index index, nl::link_change const& change);

    /// The model has one process.
    struct held {
        explicit operator bool() const { return true; }
        bool alone() const { return true; }
    };
    held hold(net::interface_name const&);

    bool delete_link(nl::index index);

    std::optional<nl::bridge_port> port(nl::index index);
    void change_port(nl::index index, nl::bridge_port const& port);
    std::vector<nl::port_vlan> port_vlans(nl::index index);
    void add_port_vlan(nl::index index, nl::port_vlan const& vlan);
    bool delete_port_vlan(nl::index index, nl::port_vlan const& vlan);

    std::vector<nl::link_address> addresses(nl::index index);
    void add_address(nl::index index, nl::address_spec const& spec);
    bool delete_address(nl::index index, net::prefix const& address);

    std::vector<nl::route_spec> routes(net::family family);
    std::vector<nl::route_spec> routes(net::family family, nl::index device);
    /// The model has no rules on the way: the main table's route.
    nl::reached reach(net::address const& address);
    void add_route(nl::route_spec const& route);
    void replace_route(nl::route_spec const& route);
    bool delete_route(nl::route_spec const& route);

    std::vector<nl::rule_spec> rules(net::family family);
    void add_rule(nl::rule_spec const& rule);
    bool delete_rule(nl::rule_spec const& rule);

    std::vector<nl::neighbour_spec> neighbours(nl::index index);
    void replace_neighbour(nl::neighbour_spec const& neighbour);
    bool delete_neighbour(nl::neighbour_spec const& neighbour);

    /// Of the current namespace, as the concept has it: not of the one this object was made in.
    std::optional<std::string> sysctl(std::string_view path);
    void set_sysctl(std::string_view path, std::string_view text);

  private:
    /// The handle's namespace is where the command runs, whichever is current by now.
    void note(std::string const& command, std::vector<std::string> undo);

    /// What a change is going to overwrite.
    nl::link_change former(interface const& entry, nl::link_change const& change);

    /// How an error text names an interface.
    std::string named(nl::index index) const;
    static bool mtu_is_valid(std::uint32_t mtu) noexcept; // ETH_MIN_MTU, ETH_MAX_MTU

    static void check_new(network_namespace& space, std::string_view name, std::optional<net::mac> const& mac,
                          std::uint32_t mtu, std::string const& what);
    void check_master(nl::index index, std::string const& what);
    interface& existing(nl::index index, std::string const& what);

    std::optional<std::string> value_of(std::string_view path, network_namespace& space);
    std::optional<std::string> value_of(std::string_view path);

    template <class Predicate> std::vector<nl::route_spec> routes_where(Predicate keep);
    static bool same_slot(nl::route_spec const& a, nl::route_spec const& b);
    std::vector<nl::route_spec>::iterator first_in_slot(nl::route_spec const& route);
    /// With what the kernel fills in; throws what it would refuse.
    nl::route_spec resolved(nl::route_spec route, std::string const& what);
    void check_up(nl::index device, std::string const& what);

    std::optional<nl::neighbour_spec> take_neighbour(nl::neighbour_spec const& neighbour);

    network_namespace* space_;
};

static_assert(netlink_backend<netlink>);

} // namespace cnix::backends::recording

#ifndef CNIX_PREBUILT
#include <cnix/backends/recording/netlink.ipp>
#endif
