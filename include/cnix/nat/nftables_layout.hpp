#pragma once
#include <cnix/concepts/nft_script.hpp>
#include <cnix/net/prefix.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace cnix::nat::nftables_layout {

// clang-format off
/// What nat::nftables keeps in the kernel:
///
///     table inet cnix {
///       map pods4 { type ipv4_addr : verdict; elements = { 10.1.0.5 comment "<attachment>" : goto net-mynet } }
///       map pods6 { type ipv6_addr : verdict }
///       set subnets4-mynet { type ipv4_addr; flags interval; auto-merge; elements = { 10.1.0.0/16 } }
///       set subnets6-mynet { type ipv6_addr; flags interval; auto-merge }
///       chain outbound    { ip daddr 224.0.0.0/4 return; ip6 daddr ff00::/8 return; masquerade }
///       chain postrouting { type nat hook postrouting priority srcnat; ip saddr vmap @pods4; ip6 saddr vmap @pods6 }
///       chain net-mynet   { ip daddr @subnets4-mynet return; ip6 daddr @subnets6-mynet return; goto outbound }
///     }
// clang-format on
///
/// The node's chains (nftables_node_layout.hpp) are in the same table. A pod is an element; a network is a chain, which its pods' elements hold (EBUSY), and which holds
/// `outbound`. So the kernel refuses to delete a network's chain while it has a pod, and `outbound` while
/// there is a network; a transaction that deletes one of them with what belongs to it cannot take away what
/// another process has just added.

constexpr inline nft::table_id table{"inet", "cnix"};
constexpr inline std::string_view outbound = "outbound";

inline nft::set_id pods(net::family family) {
    bool const v4 = family == net::family::ipv4;
    return {table, v4 ? "pods4" : "pods6", v4 ? nft::key_type::ipv4 : nft::key_type::ipv6};
}
inline std::string network_chain(cni::network_name const& network) {
    return nft::network_object("net", network);
}
inline nft::set_id subnets(cni::network_name const& network, net::family family) {
    bool const v4 = family == net::family::ipv4;
    return {table, nft::network_object(v4 ? "subnets4" : "subnets6", network), pods(family).type};
}

inline nft::element_change add_pod(net::address const& pod, cni::attachment_id const& owner) {
    return nft::create(pods(pod.family()), pod, nft::comment(owner), network_chain(owner.network));
}

inline nft::chain_plan postrouting_plan() {
    constexpr int srcnat = 100; // NF_IP_PRI_NAT_SRC
    return {"postrouting",
            {.hook = "postrouting", .type = "nat", .priority = srcnat},
            {"ip saddr vmap @pods4", "ip6 saddr vmap @pods6"}};
}
inline nft::chain_plan outbound_plan() {
    return {std::string{outbound},
            {},
            {"ip daddr 224.0.0.0/4 return", "ip6 daddr ff00::/8 return", "masquerade"}};
}
inline nft::chain_plan network_plan(cni::network_name const& network) {
    return {network_chain(network),
            {},
            {"ip daddr @" + subnets(network, net::family::ipv4).name + " return",
             "ip6 daddr @" + subnets(network, net::family::ipv6).name + " return",
             "goto " + std::string{outbound}}};
}

// Commands of a transaction, one a line.

/// Makes whatever of the table is missing, and the rules of its chains what they should be. Can be repeated
/// and run by many at once.
inline std::string make_table() {
    return "add table " + nft::text(table) + '\n' +                                               //
           "add map " + nft::text(pods(net::family::ipv4)) + " { type ipv4_addr : verdict; }\n" + //
           "add map " + nft::text(pods(net::family::ipv6)) + " { type ipv6_addr : verdict; }\n" + //
           nft::make(table, outbound_plan()) + nft::make(table, postrouting_plan());
}
/// The same for what a network has of its own. Refused while there is no table.
inline std::string make_network(cni::network_name const& network) {
    return "add set " + nft::text(subnets(network, net::family::ipv4)) +
           " { type ipv4_addr; flags interval; auto-merge; }\n" + //
           "add set " + nft::text(subnets(network, net::family::ipv6)) +
           " { type ipv6_addr; flags interval; auto-merge; }\n" + //
           nft::make(table, network_plan(network));
}

inline std::string add_subnet(cni::network_name const& network, net::prefix const& subnet) {
    return "add element " + nft::text(subnets(network, subnet.family())) + " { " + subnet.str() + " }\n";
}

/// What a network has of its own. Its chain cannot be erased while the network has a pod.
inline std::vector<nft::object> network_objects(cni::network_name const& network) {
    return {{nft::object::kind::chain, table, network_chain(network)},
            {nft::object::kind::set, table, subnets(network, net::family::ipv4).name},
            {nft::object::kind::set, table, subnets(network, net::family::ipv6).name}};
}
/// The rest, but for the table. `outbound` cannot be erased while there is a network.
inline std::vector<nft::object> table_objects() {
    return {{nft::object::kind::chain, table, std::string{outbound}},
            {nft::object::kind::chain, table, postrouting_plan().name},
            {nft::object::kind::set, table, pods(net::family::ipv4).name},
            {nft::object::kind::set, table, pods(net::family::ipv6).name}};
}

} // namespace cnix::nat::nftables_layout
