#pragma once
#include <cnix/concepts/settings.hpp>
#include <cnix/net/interface_name.hpp>
#include <cnix/net/prefix.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cnix {

/// What ports a connection gets that leaves under the node's address.
enum class snat_ports : std::uint8_t {
    prng,       ///< random ones (NF_NAT_RANGE_PROTO_RANDOM_FULLY)
    hashrandom, ///< a hash with a random seed (NF_NAT_RANGE_PROTO_RANDOM)
    kept,       ///< the pod's own where it is free
};

/// What a node of a routed cloud network (eni::node) wants of its Nat, for all its pods at once: which connections leave
/// under the node's primary address, and which have to come and go by its primary interface.
struct node_nat {
    bool ipv4 = true;  ///< the node's pods have IPv4 addresses
    bool ipv6 = false; ///< the node's pods have IPv6 addresses: those are never translated
    /// With one, connections from here to elsewhere than `local` get it as their source. None: others translate ("external
    /// SNAT"), or nobody needs to.
    std::optional<net::address> source{};
    /// IPv4 networks in which pods are known by their own addresses: the cloud network's, and exclusions.
    std::vector<net::prefix> local{};
    std::vector<net::prefix> exclusions{}; ///< as `local`
    snat_ports ports = snat_ports::prng;
    /// Connections to an address of the node that come in by the primary interface, and may go on to a pod of another one
    /// (NodePort), are answered by it.
    bool node_port = true;
    net::interface_name primary_interface = *net::interface_name::parse("eth0");
    std::string veth_prefix = "eni"; ///< how the names of pods' host ends begin; 1 to 4 bytes
    std::uint32_t mark =
        0x80; ///< bits of the connection's and the packet's mark: all of them, or none; not 0
    /// Node-local addresses that nothing but the node may connect to.
    std::vector<net::prefix> unreachable{};

    /// Whether there are connections that have to keep to the primary interface. They are marked, for a rule to look at.
    bool marks() const { return node_port || source.has_value(); }
};

/// How a node translates and marks its pods' connections: a second contract of Nat policies.
///
///   set_up_node   makes it so: adds what is missing, replaces what differs, removes what was wanted before. Changes nothing
///                 if nothing is to be changed.
///   check_node    appends what set_up_node would change.
///   remove_node   removes what any set_up_node made. Idempotent.
///   marks_connections  whether it can: a model that never does has none of these do anything.
///
/// Only bits of `mark` are ever written, of a packet's and a connection's mark. What others have in the kernel is left
/// alone, as are pods' own masquerading (nat_policy) and the node's of each other.
///
/// Laws (tests/laws/node_nat_laws.hpp): set_up_node then check_node finds nothing; twice changes nothing the second time;
/// after another set_up_node there is no trace of the first; remove_node leaves no trace, also twice; neither it nor the
/// removal of the last pod's masquerading takes the other's away.
template <class Nat>
concept node_nat_policy =
    std::default_initializable<Nat> && requires(Nat nat, node_nat const& wanted, findings& found) {
        { nat.set_up_node(wanted) } -> std::same_as<void>;
        { nat.check_node(wanted, found) } -> std::same_as<void>;
        { nat.remove_node() } -> std::same_as<void>;
        { Nat::marks_connections } -> std::convertible_to<bool>;
        { Nat::name } -> std::convertible_to<std::string_view>;
    };

namespace archetypes {
/// The least that is one; declared only.
struct node_nat {
    static constexpr std::string_view name = "archetype";
    static constexpr bool marks_connections = true;
    void set_up_node(cnix::node_nat const&);
    void check_node(cnix::node_nat const&, findings&);
    void remove_node();
};
static_assert(node_nat_policy<node_nat>);
} // namespace archetypes

} // namespace cnix
