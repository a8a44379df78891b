#pragma once
#include <cnix/cni/result.hpp>
#include <cnix/net/interface_name.hpp>
#include <cnix/net/mac.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::netlink {

/// Interface indices are the kernel's; 0 is none.
using index = int;

/// A network interface as the kernel tells of it.
struct link {
    netlink::index index = 0;
    std::string name{};
    std::string kind{}; ///< IFLA_INFO_KIND: "bridge", "veth", ...; empty for hardware and lo
    net::mac mac{};
    std::uint32_t mtu = 0;
    bool up = false; ///< IFF_UP: set up by the administrator
    /// IFLA_OPERSTATE is UP (or UNKNOWN, for drivers that do not tell; a veth does, and is UNKNOWN when new).
    /// Follows a change of the carrier after up to a second (linkwatch).
    bool operational = false;
    bool promiscuous = false; ///< IFF_PROMISC
    netlink::index master = 0;
    /// IFLA_LINK: of a veth, its other end's index in that end's namespace; of a VLAN, the interface that it is on.
    netlink::index peer = 0;
    std::string alias{};         ///< IFLA_IFALIAS
    std::uint32_t group = 0;     ///< IFLA_GROUP
    bool vlan_filtering = false; ///< of a bridge: IFLA_BR_VLAN_FILTERING
    std::uint16_t vlan = 0;      ///< of an interface of kind "vlan": its ID (IFLA_VLAN_ID)
};

/// A bridge to be made.
struct bridge_spec {
    net::interface_name name;
    std::uint32_t group = 0; ///< IFLA_GROUP
    std::uint32_t mtu = 0;   ///< 0: the kernel's choice
    /// Given, it stays whatever ports come and go (addr_assign_type SET); absent, the kernel follows the
    /// ports.
    std::optional<net::mac> mac{};
    bool vlan_filtering = false; ///< operation_not_supported without CONFIG_BRIDGE_VLAN_FILTERING
    bool up = true;
};

/// One end of a veth pair to be made.
struct veth_end {
    net::interface_name name;
    std::uint32_t group = 0;       ///< IFLA_GROUP
    std::optional<net::mac> mac{}; ///< given, udev leaves it alone (addr_assign_type SET)
};

/// A veth pair made by one RTM_NEWLINK: `host` here, `peer` in another namespace or here too. Each has one queue a direction.
struct veth_spec {
    veth_end host;
    veth_end peer;
    int peer_netns = -1;       ///< descriptor of the peer's namespace; -1: the same one
    std::uint32_t mtu = 0;     ///< of both ends; 0: the kernel's choice
    netlink::index master = 0; ///< of the host end
    bool host_up = true;       ///< the peer cannot be created up (ENOTCONN, drivers/net/veth.c)
};

/// A VLAN (802.1Q) on an interface, to be made; it is down.
struct vlan_spec {
    net::interface_name name;
    netlink::index on = 0;         ///< the interface that tagged frames come by; without it the VLAN goes
    std::uint16_t id = 0;          ///< 1 to 4094
    std::uint32_t group = 0;       ///< IFLA_GROUP
    std::optional<net::mac> mac{}; ///< absent: that of the interface
};

/// Only what is given is changed, in one message; addr_gen_mode before `up`, in its own, as the kernel would
/// bring the interface up first. A change that fails may have been done in part.
struct link_change {
    std::optional<bool> up{};
    std::optional<netlink::index> master{}; ///< 0 releases from the master
    std::optional<net::mac> mac{};
    std::optional<bool> promiscuous{};
    std::optional<std::uint32_t> mtu{};
    std::optional<std::string> alias{};   ///< at most 255 bytes (IFALIASZ - 1)
    std::optional<std::uint32_t> group{}; ///< IFLA_GROUP
    std::optional<int> addr_gen_mode{};   ///< IN6_ADDR_GEN_MODE_*: 1 = none, no link-local address is made;
                                          ///< address_family_not_supported with an MTU below 1280
    std::optional<bool> vlan_filtering{}; ///< of a bridge
    /// Of an interface that is down (before Linux 6.2 the kernel renames no other); `up` comes after it. Its sysctls go with it.
    std::optional<net::interface_name> name{};
};

/// Attributes of a bridge's port (IFLA_BRPORT_*).
struct bridge_port {
    bool hairpin = false;  ///< IFLA_BRPORT_MODE
    bool isolated = false; ///< IFLA_BRPORT_ISOLATED

    friend bool operator==(bridge_port const&, bridge_port const&) = default;
};

/// An entry of a port's VLAN table (BRIDGE_VLAN_INFO_*). A port has one PVID: adding another entry with
/// `pvid` takes it from the former.
struct port_vlan {
    std::uint16_t vid = 0; ///< 1 to 4094
    bool pvid = false;
    bool untagged = false;

    friend auto operator<=>(port_vlan const&, port_vlan const&) = default;
};

/// An IPv4 address shorter than /31 gets the subnet's last address as its broadcast address.
struct address_spec {
    net::prefix address{};
    /// IPv6: usable at once, without duplicate address detection (IFA_F_NODAD).
    bool no_dad = false;
};

/// An address as the kernel tells of it.
struct link_address {
    net::prefix address{};
    bool tentative = false;  ///< duplicate address detection is under way
    bool dad_failed = false; ///< somebody else has the address
};

/// A unicast route, to be written or as the kernel tells of it.
struct route_spec {
    net::prefix dst{};
    std::optional<net::address> gateway{};
    netlink::index device = 0;
    std::uint32_t priority = 0;           ///< 0: the kernel's choice (1024 for IPv6)
    std::uint32_t table = 254;            ///< RT_TABLE_MAIN
    std::optional<std::uint8_t> scope{};  ///< absent: link without a gateway, else global
    std::uint32_t mtu = 0;                ///< RTAX_MTU; 0: not set
    std::uint32_t advmss = 0;             ///< RTAX_ADVMSS; 0: not set
    std::uint8_t protocol = 3;            ///< RTPROT_BOOT, what `ip route` writes
    std::optional<net::address> source{}; ///< RTA_PREFSRC
    bool onlink = false;                  ///< RTNH_F_ONLINK: the gateway is taken to be on the device's link
};

/// What a lookup of an address finds.
struct reached {
    bool local = false; ///< it is one of the node's own
    /// The unicast route that is to this address alone, if the lookup ends at one.
    std::optional<route_spec> host_route{};
};

/// A policy rule that looks up a table.
struct rule_spec {
    net::family family = net::family::ipv4;
    std::uint32_t priority = 0; ///< always written: 0 comes before every other rule
    std::uint32_t table = 254;
    std::optional<net::prefix> source{};
    std::optional<net::prefix> destination{};
    std::string input_interface{}; ///< empty: any
    std::uint32_t mark = 0;
    std::uint32_t mask = 0;     ///< 0: the mark is not looked at
    std::uint8_t protocol = 0;  ///< FRA_PROTOCOL
    std::uint8_t transport = 0; ///< FRA_IP_PROTO: IPPROTO_ICMPV6, say; 0: any

    friend bool operator==(rule_spec const&, rule_spec const&) = default;
};

/// A permanent entry of the neighbour table (ARP, NDP).
struct neighbour_spec {
    net::address address{};
    net::mac mac{};
    netlink::index device = 0; ///< the entry is permanent (NUD_PERMANENT)

    friend bool operator==(neighbour_spec const&, neighbour_spec const&) = default;
};

} // namespace cnix::netlink

namespace cnix {

/// The kernel's network configuration of one network namespace: the one that is current when the object is
/// made. Sockets are opened on first use at the earliest in the constructor, and stay bound to that
/// namespace; sysctls are those of the namespace that is current at the call.
///
/// Errors: every operation throws std::system_error whose code() is the kernel's errno and whose what() names
/// the operation and the object (`add the veth "veth1"`), and has the kernel's own words if it sends any.
/// Adding what exists is std::errc::file_exists, except that add_port_vlan gives an existing entry the new
/// flags. Deleting what is not there, also because its interface is gone, is no error: it returns false. A
/// dump that the kernel reports as interrupted (NLM_F_DUMP_INTR) is repeated. Any other operation on an
/// interface that is gone throws std::errc::no_such_device, except neighbours(), which finds none.
///
/// Routes: a route is another if its destination, table, priority, gateway or device differs. add_route of
/// one that differs only in gateway or device is accepted: IPv6 spreads over both (ECMP), IPv4 uses the
/// newer. replace_route puts it in the place of one with the same destination, table and priority. Gateways
/// must be reachable: std::errc::network_unreachable for IPv4, host_unreachable for IPv6 (`onlink` avoids
/// it). delete_route takes the first that has what is given; mtu, advmss, source are not looked at.
/// delete_rule likewise, and with the table 0 of whatever table.
///
/// Neighbours: an interface that goes down loses them.
///
/// Laws (tests/laws/netlink_laws.hpp, netlink_ip_laws.hpp): what was added is found; what was deleted is not; deleting twice
/// returns true, then false; a failed add changes nothing.
template <class Netlink>
concept netlink_backend =
    std::default_initializable<Netlink> &&
    requires(Netlink netlink, netlink::index index, net::interface_name const& name,
             net::prefix const& prefix, net::address const& destination, std::string_view path,
             std::string_view text, netlink::bridge_spec const& bridge, netlink::veth_spec const& veth,
             netlink::vlan_spec const& tagged, netlink::link_change const& change,
             netlink::bridge_port const& port, netlink::port_vlan const& vlan,
             netlink::address_spec const& address, netlink::route_spec const& route,
             netlink::rule_spec const& rule, netlink::neighbour_spec const& neighbour, net::family family) {
        // links
        { netlink.find_link(name) } -> std::same_as<std::optional<netlink::link>>;
        { netlink.find_link(index) } -> std::same_as<std::optional<netlink::link>>;
        { netlink.links() } -> std::same_as<std::vector<netlink::link>>;
        { netlink.add_bridge(bridge) } -> std::same_as<void>;
        { netlink.add_veth(veth) } -> std::same_as<void>;
        { netlink.add_vlan(tagged) } -> std::same_as<void>; // operation_not_supported without 8021q
        { netlink.change_link(index, change) } -> std::same_as<void>;
        { netlink.delete_link(index) } -> std::same_as<bool>;
        // bridge ports
        { netlink.port(index) } -> std::same_as<std::optional<netlink::bridge_port>>; // nothing: not a port
        { netlink.change_port(index, port) } -> std::same_as<void>;
        { netlink.port_vlans(index) } -> std::same_as<std::vector<netlink::port_vlan>>; // sorted by vid
        { netlink.add_port_vlan(index, vlan) } -> std::same_as<void>;
        { netlink.delete_port_vlan(index, vlan) } -> std::same_as<bool>;
        // addresses
        { netlink.addresses(index) } -> std::same_as<std::vector<netlink::link_address>>;
        { netlink.add_address(index, address) } -> std::same_as<void>;
        { netlink.delete_address(index, prefix) } -> std::same_as<bool>;
        // unicast routes of every table but `local`, one entry a next hop; with an
        // index: those out of that device
        { netlink.routes(family) } -> std::same_as<std::vector<netlink::route_spec>>;
        { netlink.routes(family, index) } -> std::same_as<std::vector<netlink::route_spec>>;
        // how a packet of the node's own would go (RTM_GETROUTE). Never misses a route, as a
        // list of IPv6 routes does without a word while others come and go
        { netlink.reach(destination) } -> std::same_as<netlink::reached>;
        { netlink.add_route(route) } -> std::same_as<void>;
        { netlink.replace_route(route) } -> std::same_as<void>;
        { netlink.delete_route(route) } -> std::same_as<bool>;
        // policy rules
        { netlink.rules(family) } -> std::same_as<std::vector<netlink::rule_spec>>;
        { netlink.add_rule(rule) } -> std::same_as<void>;
        { netlink.delete_rule(rule) } -> std::same_as<bool>;
        // neighbours
        { netlink.neighbours(index) } -> std::same_as<std::vector<netlink::neighbour_spec>>; // permanent ones
        { netlink.replace_neighbour(neighbour) } -> std::same_as<void>;
        { netlink.delete_neighbour(neighbour) } -> std::same_as<bool>;
        // A hold on an interface that several cnix processes of this namespace may have at
        // once: alone() makes it the only one, or returns false while there are others.
        // Copies are one hold; to be told no loses it, so that the last one that asks is told
        // yes. The kernel drops it with the process. It is none (false) if there is no such
        // interface, or no way to hold it.
        { netlink.hold(name).alone() } -> std::same_as<bool>;
        requires std::constructible_from<bool, decltype(netlink.hold(name))>;
        requires std::default_initializable<decltype(netlink.hold(name))>; // none
        // sysctls: path below /proc/sys, with '/' ("net/ipv4/ip_forward"); no line end
        // in what is read
        { netlink.sysctl(path) } -> std::same_as<std::optional<std::string>>; // nothing: there is none
        { netlink.set_sysctl(path, text) } -> std::same_as<void>;
    };

namespace detail {
template <class Netlink> auto explain_netlink() {
    static_assert(netlink_backend<Netlink>,
                  "cnix: the backend `Netlink` does not model cnix::netlink_backend; write what the notes "
                  "below miss as "
                  "cnix::archetypes::netlink has it; docs/writing-a-policy.md#backends");
}

/// Stands in for a policy of the library whose backend is none, and says so. (By a function: clang has no use any more for a class
/// with a failed assertion, and would say so.)
template <class Netlink> struct no_netlink {
    using is_refused = decltype(explain_netlink<Netlink>());
};
} // namespace detail

namespace archetypes {
/// What a policy may use of a netlink backend, and no more; declared only.
struct netlink {
    using index = cnix::netlink::index;
    /// A hold on an interface, given back at its end.
    struct held {
        explicit operator bool() const;
        bool alone() const;
    };
    std::optional<cnix::netlink::link> find_link(net::interface_name const&);
    std::optional<cnix::netlink::link> find_link(index);
    std::vector<cnix::netlink::link> links();
    void add_bridge(cnix::netlink::bridge_spec const&);
    void add_veth(cnix::netlink::veth_spec const&);
    void add_vlan(cnix::netlink::vlan_spec const&);
    void change_link(index, cnix::netlink::link_change const&);
    bool delete_link(index);
    std::optional<cnix::netlink::bridge_port> port(index);
    void change_port(index, cnix::netlink::bridge_port const&);
    std::vector<cnix::netlink::port_vlan> port_vlans(index);
    void add_port_vlan(index, cnix::netlink::port_vlan const&);
    bool delete_port_vlan(index, cnix::netlink::port_vlan const&);
    std::vector<cnix::netlink::link_address> addresses(index);
    void add_address(index, cnix::netlink::address_spec const&);
    bool delete_address(index, net::prefix const&);
    std::vector<cnix::netlink::route_spec> routes(net::family);
    std::vector<cnix::netlink::route_spec> routes(net::family, index);
    cnix::netlink::reached reach(net::address const&);
    void add_route(cnix::netlink::route_spec const&);
    void replace_route(cnix::netlink::route_spec const&);
    bool delete_route(cnix::netlink::route_spec const&);
    std::vector<cnix::netlink::rule_spec> rules(net::family);
    void add_rule(cnix::netlink::rule_spec const&);
    bool delete_rule(cnix::netlink::rule_spec const&);
    std::vector<cnix::netlink::neighbour_spec> neighbours(index);
    void replace_neighbour(cnix::netlink::neighbour_spec const&);
    bool delete_neighbour(cnix::netlink::neighbour_spec const&);
    held hold(net::interface_name const&);
    std::optional<std::string> sysctl(std::string_view path);
    void set_sysctl(std::string_view path, std::string_view value);
};
static_assert(netlink_backend<netlink>);
} // namespace archetypes

} // namespace cnix
