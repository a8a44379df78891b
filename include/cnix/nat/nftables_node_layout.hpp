#pragma once
#include <cnix/concepts/node_nat_policy.hpp>
#include <cnix/nat/nftables_layout.hpp>
#include <cnix/nat/node_rules.hpp>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::nat::nftables_node_layout {

// clang-format off
/// What the node has in nat::nftables' table, beside the pods' masquerading:
///
///     table inet cnix {
///       chain node-mark {                                 # connections keep to the primary interface
///         type filter hook prerouting priority mangle
///         iifname "eth0" fib daddr . iif type local ct mark set ct mark | 0x80
///         iifname "eni*" ct mark & 0x80 == 0x80 meta mark set meta mark | 0x80
///         iifname "eni*" ct mark & 0x80 != 0x80 meta mark set meta mark & 0xffffff7f
///       }
///       chain node-outbound {                             # new ones that will be translated do so, too
///         type filter hook prerouting priority dstnat + 10
///         iifname != "eni*" return
///         ct state != new return
///         fib daddr type local return
///         ip daddr 10.0.0.0/16 return
///         meta nfproto ipv4 ct mark set ct mark | 0x80 meta mark set meta mark | 0x80
///       }
///       chain node-snat {
///         type nat hook postrouting priority srcnat + 1
///         ip daddr 10.0.0.0/16 return
///         oifname != "vlan*" fib daddr type != local snat ip to 10.0.1.10 fully-random
///       }
///       chain node-reject { type filter hook forward priority filter; ip daddr 169.254.172.0/22 ct state new reject with icmp port-unreachable }
///     }
///
/// No bit but those of `mark` is written, of a packet's mark and of a connection's: kube-proxy, service meshes and others have
/// theirs beside it. `node-outbound` looks after DNAT (-100) has chosen the destination, and is no nat chain, which a
/// connection that another has translated would not enter. `node-snat` comes after kube-proxy's masquerading and the pods' (100).
// clang-format on

constexpr inline std::array<std::string_view, 4> names{"node-mark", "node-outbound", "node-snat",
                                                       "node-reject"};

/// As nft lists the masks of marks.
inline std::string mask(std::uint32_t bits) { return node_rules::hex("0x%08x", bits); }

inline nft::chain_plan mark_plan(node_nat const& wanted) {
    nft::chain_plan plan{"node-mark", {.hook = "prerouting", .type = "filter", .priority = -150}, {}};
    auto const bits = mask(wanted.mark);
    // A prefix may be all of a name, but not a pattern.
    auto const restore = [&](std::string const& prefix) {
        auto const from = "iifname \"" + prefix + "*\" ct mark & " + bits;
        plan.rules.push_back(from + " == " + bits + " meta mark set meta mark | " + bits);
        plan.rules.push_back(from + " != " + bits + " meta mark set meta mark & " + mask(~wanted.mark));
    };
    if (wanted.node_port)
        plan.rules.push_back("iifname " + nft::text(wanted.primary_interface) +
                             " fib daddr . iif type local ct mark set ct mark | " + bits);
    restore(wanted.veth_prefix);
    if (wanted.node_port) restore("vlan");
    return plan;
}

/// "ip daddr 10.0.0.0/16 return", one a network in which pods are known.
inline std::vector<std::string> returns(node_nat const& wanted) {
    auto networks = wanted.local;
    networks.insert(networks.end(), wanted.exclusions.begin(), wanted.exclusions.end());
    std::vector<std::string> rules;
    for (auto const& network : node_rules::networks(networks)) {
        // nft lists a prefix of all bits as the address alone
        auto const text = network.length() == 32 ? network.address().str() : network.str();
        rules.push_back(network.length() == 0 ? "meta nfproto ipv4 return" : "ip daddr " + text + " return");
    }
    return rules;
}

inline nft::chain_plan outbound_plan(node_nat const& wanted) {
    auto const bits = mask(wanted.mark);
    nft::chain_plan plan{"node-outbound",
                         {.hook = "prerouting", .type = "filter", .priority = -90},
                         {"iifname != \"" + wanted.veth_prefix + "*\" return", "ct state != new return",
                          "fib daddr type local return"}};
    for (auto const& rule : returns(wanted)) plan.rules.push_back(rule);
    plan.rules.push_back("meta nfproto ipv4 ct mark set ct mark | " + bits + " meta mark set meta mark | " +
                         bits);
    return plan;
}

inline nft::chain_plan snat_plan(node_nat const& wanted) {
    nft::chain_plan plan{
        "node-snat", {.hook = "postrouting", .type = "nat", .priority = 101}, returns(wanted)};
    std::string const ports = wanted.ports == snat_ports::prng         ? " fully-random"
                              : wanted.ports == snat_ports::hashrandom ? " random"
                                                                       : "";
    plan.rules.push_back("oifname != \"vlan*\" fib daddr type != local snat ip to " + wanted.source->str() +
                         ports);
    return plan;
}

inline nft::chain_plan reject_plan(node_nat const& wanted) {
    nft::chain_plan plan{"node-reject", {.hook = "forward", .type = "filter", .priority = 0}, {}};
    for (auto const& network : wanted.unreachable)
        plan.rules.push_back((network.is_v4() ? "ip daddr " : "ip6 daddr ") + network.network().str() +
                             " ct state new reject with " + (network.is_v4() ? "icmp" : "icmpv6") +
                             " port-unreachable");
    return plan;
}

/// The chains that are wanted.
inline std::vector<nft::chain_plan> plans(node_nat const& wanted) {
    bool const translates = wanted.ipv4 && wanted.source;
    std::vector<nft::chain_plan> all;
    if (translates || (wanted.node_port && (wanted.ipv4 || wanted.ipv6))) all.push_back(mark_plan(wanted));
    if (translates) {
        all.push_back(outbound_plan(wanted));
        all.push_back(snat_plan(wanted));
    }
    if (!wanted.unreachable.empty()) all.push_back(reject_plan(wanted));
    return all;
}

} // namespace cnix::nat::nftables_node_layout
