#pragma once
#include <cnix/concepts/iptables_backend.hpp>
#include <cnix/concepts/node_nat_policy.hpp>
#include <cnix/nat/iptables_layout.hpp>
#include <cnix/nat/node_rules.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::nat::iptables_node_layout {

// clang-format off
/// The node's chains and rules of aws/amazon-vpc-cni-k8s (pkg/networkutils), in the words of iptables-save, so that those which
/// either made are found, checked and removed by the other:
///
///     *nat
///     -A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
///     -A AWS-SNAT-CHAIN-0 -d 10.1.0.0/16 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN
///     -A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
///     -A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 10.0.1.10 --random-fully
///     -A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0
///     -A AWS-CONNMARK-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN
///     -A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80
///     -A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
///     *mangle
///     -A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80
///     -A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
///     -A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
///     *filter
///     -A FORWARD -d 169.254.172.0/22 -m conntrack --ctstate NEW -m comment --comment "Block Node Local Pod access via IPv4" -j REJECT --reject-with icmp-port-unreachable
///
/// Up to v1.15 a network had a chain of its own, AWS-SNAT-CHAIN-1 and so on.
// clang-format on

constexpr inline std::string_view snat_chain = "AWS-SNAT-CHAIN-";
constexpr inline std::string_view connmark_chain = "AWS-CONNMARK-CHAIN-";

/// A rule of a chain that others have rules in, too.
struct shared_rule {
    std::string chain;
    std::string rest;
    bool first = false; ///< to be inserted before all others
    bool last = false;  ///< to stand behind all others

    friend bool operator==(shared_rule const&, shared_rule const&) = default;
};

/// A chain of cnix's own.
struct own_chain {
    std::string name;
    std::vector<std::string> returns; ///< in any order
    std::string end;                  ///< after those

    friend bool operator==(own_chain const&, own_chain const&) = default;
};

/// What a table of a family should hold.
struct table_plan {
    net::family family;
    ipt::table table;
    std::vector<own_chain> chains{};
    std::vector<shared_rule> rules{};
};

inline std::string comment(std::string_view text) {
    return "-m comment --comment \"" + std::string{text} + "\" ";
}
/// Whether a rule of a chain that others use is one of these, of whatever settings and version.
inline bool is_ours(ipt::table table, iptables_layout::saved_rule const& rule) {
    auto const has = [&](std::string_view text) {
        return rule.rest.find("--comment \"" + std::string{text} + '"') != rule.rest.npos;
    };
    auto const target = rule.target();
    switch (table) {
    case ipt::table::nat:
        return (rule.chain == "POSTROUTING" && target.starts_with(snat_chain)) ||
               (rule.chain == "PREROUTING" && (target.starts_with(connmark_chain) || has("AWS, CONNMARK")));
    case ipt::table::mangle:
        return rule.chain == "PREROUTING" && has("AWS, primary ENI");
    case ipt::table::filter:
        break;
    }
    return rule.chain == "FORWARD" &&
           (has("Block Node Local Pod access via IPv4") || has("Block Node Local Pod access via IPv6"));
}
inline bool is_ours(ipt::table table, std::string_view chain) {
    return table == ipt::table::nat && (chain.starts_with(snat_chain) || chain.starts_with(connmark_chain));
}

inline std::string source_ports(snat_ports ports, bool old) {
    switch (ports) {
    case snat_ports::prng: // iptables before 1.6.2 does not know the better one
        return old ? " --random" : " --random-fully";
    case snat_ports::hashrandom:
        return " --random";
    case snat_ports::kept:
        break;
    }
    return "";
}

/// For an iptables that is `old`.
inline table_plan nat_plan(node_nat const& wanted, bool old) {
    table_plan plan{net::family::ipv4, ipt::table::nat};
    if (!wanted.ipv4 || !wanted.source) return plan;
    auto const mark = node_rules::hex("0x%x", wanted.mark);
    own_chain snat{std::string{snat_chain} + '0', {}, {}},
        connmark{std::string{connmark_chain} + '0', {}, {}};
    auto const except = [&](std::vector<net::prefix> const& networks, std::string_view snat_comment) {
        for (auto const& network : node_rules::networks(networks)) {
            // iptables leaves a match of everything out
            auto const match = network.length() == 0 ? std::string{} : "-d " + network.str() + ' ';
            auto const to_connmark = match + comment("AWS CONNMARK CHAIN") + "-j RETURN";
            if (std::ranges::find(connmark.returns, to_connmark) != connmark.returns.end()) continue;
            connmark.returns.push_back(to_connmark);
            snat.returns.push_back(match + comment(snat_comment) + "-j RETURN");
        }
    };
    except(wanted.exclusions, "AWS SNAT CHAIN EXCLUSION");
    except(wanted.local, "AWS SNAT CHAIN");
    snat.end = "! -o vlan+ " + comment("AWS, SNAT") + "-m addrtype ! --dst-type LOCAL -j SNAT --to-source " +
               wanted.source->str() + source_ports(wanted.ports, old);
    connmark.end = comment("AWS, CONNMARK") + "-j CONNMARK --set-xmark " + mark + '/' + mark;
    plan.rules = {
        {"POSTROUTING", comment("AWS SNAT CHAIN") + "-j " + snat.name},
        {"PREROUTING",
         "-i " + wanted.veth_prefix + "+ " + comment("AWS, outbound connections") + "-j " + connmark.name},
        {"PREROUTING",
         comment("AWS, CONNMARK") + "-j CONNMARK --restore-mark --nfmask " + mark + " --ctmask " + mark,
         false, true}};
    plan.chains = {std::move(snat), std::move(connmark)};
    return plan;
}

inline table_plan mangle_plan(node_nat const& wanted, net::family family) {
    bool const v4 = family == net::family::ipv4;
    table_plan plan{family, ipt::table::mangle};
    if (!(v4 ? wanted.ipv4 : wanted.ipv6)) return plan;
    auto const mark = node_rules::hex("0x%x", wanted.mark);
    auto const restore = [&](std::string_view prefix) {
        return shared_rule{"PREROUTING", "-i " + std::string{prefix} + "+ " + comment("AWS, primary ENI") +
                                             "-j CONNMARK --restore-mark --nfmask " + mark + " --ctmask " +
                                             mark};
    };
    if (wanted.node_port)
        plan.rules.push_back({"PREROUTING", "-i " + wanted.primary_interface.str() + ' ' +
                                                comment("AWS, primary ENI") +
                                                "-m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK "
                                                "--set-xmark " +
                                                mark + '/' + mark});
    // What is not translated is marked by nobody but NodePort.
    if (wanted.node_port || (v4 && wanted.source)) plan.rules.push_back(restore(wanted.veth_prefix));
    if (wanted.node_port) plan.rules.push_back(restore("vlan"));
    return plan;
}

inline table_plan filter_plan(node_nat const& wanted, net::family family) {
    bool const v4 = family == net::family::ipv4;
    table_plan plan{family, ipt::table::filter};
    for (auto const& network : wanted.unreachable)
        if (network.family() == family)
            plan.rules.push_back({"FORWARD",
                                  "-d " + network.network().str() + " -m conntrack --ctstate NEW " +
                                      comment(v4 ? "Block Node Local Pod access via IPv4"
                                                 : "Block Node Local Pod access via IPv6") +
                                      "-j REJECT --reject-with " +
                                      (v4 ? "icmp-port-unreachable" : "icmp6-port-unreachable"),
                                  true});
    return plan;
}

/// Of every table and family that may have rules of cnix's.
inline std::vector<table_plan> plans(node_nat const& wanted, bool old = false) {
    return {nat_plan(wanted, old), mangle_plan(wanted, net::family::ipv4),
            mangle_plan(wanted, net::family::ipv6), filter_plan(wanted, net::family::ipv4),
            filter_plan(wanted, net::family::ipv6)};
}

} // namespace cnix::nat::iptables_node_layout
