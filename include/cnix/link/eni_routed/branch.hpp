#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/rollback.hpp>
#include <cnix/eni/lease.hpp>
#include <cnix/eni/pod_routing.hpp>
#include <cnix/link/eni_routed/pod_end.hpp>
#include <cnix/link/veth.hpp>

#include <array>
#include <string>
#include <vector>

/// A pod with a branch ENI (security groups for pods): a VLAN on the node's trunk ENI is the pod's alone.
namespace cnix::link {

/// `vlan.eth.7`
inline net::interface_name branch_name(std::uint16_t vlan) {
    return net::interface_name::parse("vlan.eth." + std::to_string(vlan)).value();
}

/// `10: from all iif vlan.eth.7 lookup 107`
inline netlink::rule_spec branch_rule(net::family family, std::string_view interface, std::uint32_t table) {
    return {.family = family,
            .priority = eni::priority::branch,
            .table = table,
            .input_interface = std::string{interface},
            .protocol = eni::protocol};
}

/// In the branch's table: its subnet's gateway, and everything over it.
inline std::array<netlink::route_spec, 2> branch_routes(eni::branch const& branch, netlink::index device) {
    auto const table = eni::table_of_branch(branch.vlan);
    auto const family = branch.gateway.family();
    return {{{.dst = net::prefix::host(branch.gateway),
              .device = device,
              .table = table,
              .protocol = eni::protocol},
             {.dst = net::prefix::any(family),
              .gateway = branch.gateway,
              .device = device,
              .table = table,
              .protocol = eni::protocol}}};
}

/// What leads the pod's packets in strict mode: all by the branch, even to the node and to other pods of it.
inline std::array<netlink::rule_spec, 2> strict_rules(net::address const& pod, eni::branch const& branch,
                                                      net::interface_name const& host_end) {
    auto const table = eni::table_of_branch(branch.vlan);
    return {branch_rule(pod.family(), branch_name(branch.vlan), table),
            branch_rule(pod.family(), host_end, table)};
}

/// Makes the VLAN interface and its table. One of that ID is a former pod's: the cloud gives each ID once.
template <netlink_backend Netlink>
void add_branch(Netlink& host, cni::attachment const& attachment, eni::branch const& branch,
                cni::rollback& undo) {
    auto const name = branch_name(branch.vlan);
    if (!host.find_link(branch.trunk))
        throw cni::error{cni::code::try_again_later,
                         "the node has no interface of index " + std::to_string(branch.trunk) +
                             ", on which the branch ENI of VLAN " + std::to_string(branch.vlan) +
                             " should be: is the trunk ENI attached?"};
    if (auto const former = host.find_link(name)) host.delete_link(former->index);
    try {
        host.add_vlan({.name = name,
                       .on = branch.trunk,
                       .id = branch.vlan,
                       .group = network_group(attachment.network),
                       .mac = branch.mac});
    } catch (std::system_error const& e) {
        if (e.code() != std::errc::operation_not_supported) throw;
        throw cni::error{cni::code::internal,
                         "this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q), which branch ENIs need"};
    }
    undo.on_failure("delete the interface " + name.str(), [name] {
        Netlink netlink;
        if (auto const link = netlink.find_link(name)) netlink.delete_link(link->index);
    });
    for (auto const& [key, value] : host_end_sysctls)
        try_sysctl(host, interface_sysctl(net::family::ipv6, name, key), value);
    auto const made = host.find_link(name);
    if (!made)
        throw cni::error{cni::code::internal,
                         "the interface " + name.str() + " was deleted by somebody else while it was set up"};
    host.change_link(made->index, {.up = true, .alias = host_interface_alias(attachment), .group = 0});
    for (auto const& route : branch_routes(branch, made->index)) host.replace_route(route);
}

/// Leads the pod's packets by its branch alone (strict).
template <netlink_backend Netlink>
void route_pod_strictly(Netlink& host, net::address const& pod, eni::branch const& branch,
                        netlink::link const& host_end, cni::rollback& undo) {
    auto const rules = strict_rules(pod, branch, net::interface_name::parse(host_end.name).value());
    undo.on_failure("remove the rules of " + pod.str(), [rules] {
        Netlink netlink;
        for (auto const& rule : rules) eni::delete_rules(netlink, rule);
    });
    host.replace_route(eni::pod_route(pod, host_end.index, eni::table_of_branch(branch.vlan)));
    for (auto const& rule : rules) eni::replace_rule(host, rule);
}

/// Removes the attachment's VLAN interface, and then the rules that lead to its table, by which a DEL that is repeated finds it. `vlans` are the IDs that it may have had.
template <netlink_backend Netlink>
void delete_branches(Netlink& host, cni::attachment const& attachment,
                     std::vector<std::uint16_t> const& vlans) {
    for (std::uint16_t const vlan : vlans) {
        auto const link = host.find_link(branch_name(vlan));
        if (link && is_alias_of_another(link->alias, attachment)) continue;
        if (link && link->kind == "vlan") host.delete_link(link->index);
        for (auto const family : {net::family::ipv4, net::family::ipv6})
            for (netlink::rule_spec const& rule : host.rules(family))
                if (rule.priority == eni::priority::branch && rule.table == eni::table_of_branch(vlan))
                    host.delete_rule(rule);
    }
}

/// The VLAN IDs of the attachment's branch ENIs: of its interfaces, and of those whose tables its packets are led to, which come in by
/// its host ends or are from its addresses.
template <netlink_backend Netlink>
std::vector<std::uint16_t> branches_of(Netlink& host, std::vector<netlink::link> const& own,
                                       std::vector<std::string> const& host_ends,
                                       std::vector<net::address> const& addresses) {
    std::vector<std::uint16_t> all;
    for (netlink::link const& link : own)
        if (link.kind == "vlan") all.push_back(link.vlan);
    for (auto const family : {net::family::ipv4, net::family::ipv6})
        for (netlink::rule_spec const& rule : host.rules(family)) {
            if (rule.table <= eni::table_of_branch(0) || rule.table > eni::table_of_branch(4094)) continue;
            bool const by_interface =
                rule.priority == eni::priority::branch && ranges::contains(host_ends, rule.input_interface);
            bool const by_address = rule.priority == eni::priority::from_pod && rule.source &&
                                    ranges::contains(addresses, rule.source->address());
            auto const vlan = static_cast<std::uint16_t>(rule.table - eni::table_of_branch(0));
            if ((by_interface || (by_address && host.find_link(branch_name(vlan)))) &&
                !ranges::contains(all, vlan))
                all.push_back(vlan);
        }
    return all;
}

/// Deletes the rules of ours about what comes in by an interface that is gone.
template <netlink_backend Netlink>
void delete_orphaned_branch_rules(Netlink& host, std::vector<std::string>& found) {
    for (auto const family : {net::family::ipv4, net::family::ipv6})
        for (netlink::rule_spec const& rule : host.rules(family)) {
            auto const name = net::interface_name::parse(rule.input_interface);
            if (rule.protocol != eni::protocol || rule.priority != eni::priority::branch || !name ||
                host.find_link(*name))
                continue;
            try {
                host.delete_rule(rule);
            } catch (std::exception const& e) {
                found.emplace_back(e.what());
            }
        }
}

/// Appends what of add_branch's and the mode's rules is missing.
template <netlink_backend Netlink>
void check_branch(Netlink& host, netlink::link const& host_end, net::address const& pod, std::uint16_t vlan,
                  bool strict, std::vector<std::string>& found) {
    auto const link = host.find_link(branch_name(vlan));
    if (!link || link->kind != "vlan") {
        found.push_back("the interface " + branch_name(vlan).str() + " of the pod's branch ENI is missing");
        return;
    }
    if (!link->up) found.push_back("the interface " + link->name + " of the pod's branch ENI is down");
    auto const table = eni::table_of_branch(vlan);
    auto const routes = host.routes(pod.family());
    auto const is_default = [&](netlink::route_spec const& route) {
        return route.table == table && route.dst == net::prefix::any(pod.family()) &&
               route.device == link->index;
    };
    if (std::ranges::none_of(routes, is_default))
        found.push_back("the default route over " + link->name + " is missing in the table " +
                        std::to_string(table));
    if (!strict) return eni::check_pod_routing(host, host_end, pod, {.exactly = table, .device = {}}, found);
    auto const to_pod = eni::pod_route(pod, host_end.index, table);
    if (std::ranges::none_of(routes,
                             [&](netlink::route_spec const& route) { return fulfils(route, to_pod); }))
        found.push_back("the route to " + pod.str() + " is missing on " + host_end.name);
    auto const rules = host.rules(pod.family());
    for (std::string_view const interface : {std::string_view{link->name}, std::string_view{host_end.name}})
        if (!ranges::contains(rules, branch_rule(pod.family(), interface, table)))
            found.push_back("the policy rule for what comes in by " + std::string{interface} + " is missing");
}

} // namespace cnix::link
