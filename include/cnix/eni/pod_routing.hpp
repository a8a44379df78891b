#pragma once
#include <cnix/concepts/netlink_backend.hpp>
#include <cnix/eni/routing.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

/// The node's side of a pod's address: a route to it, and the policy rules that send what comes to it and from it the right way.
///
/// A rule is made after its address's route and removed before it, so a rule of ours without a route is garbage.
namespace cnix::eni {

/// `10.0.2.55 dev enic440f455693 scope link`
inline netlink::route_spec pod_route(net::address const& pod, netlink::index host_end,
                                     std::uint32_t table = main_table) {
    return {.dst = net::prefix::host(pod), .device = host_end, .table = table, .protocol = protocol};
}

/// `512: from all to 10.0.2.55 lookup main`: before the rules that look at where a packet comes from.
inline netlink::rule_spec to_pod_rule(net::address const& pod) {
    return {.family = pod.family(),
            .priority = priority::to_pod,
            .table = main_table,
            .destination = net::prefix::host(pod),
            .protocol = protocol};
}

/// `1536: from 10.0.2.55 lookup 2`: the cloud takes packets from an ENI only with that ENI's addresses.
inline netlink::rule_spec from_pod_rule(net::address const& pod, std::uint32_t table) {
    return {.family = pod.family(),
            .priority = priority::from_pod,
            .table = table,
            .source = net::prefix::host(pod),
            .protocol = protocol};
}

/// Deletes every rule of that priority for those packets, whoever made it and whatever table it looks up.
template <netlink_backend Netlink> void delete_rules(Netlink& host, netlink::rule_spec rule) {
    rule.table = 0;
    rule.protocol = 0;
    while (host.delete_rule(rule)) {
    }
}

/// Puts the rule in the place of all of its priority for those packets: the kernel would follow an older one.
template <netlink_backend Netlink> void replace_rule(Netlink& host, netlink::rule_spec const& rule) {
    delete_rules(host, rule);
    try {
        host.add_rule(rule);
    } catch (std::system_error const& e) {
        if (e.code() != std::errc::file_exists) throw; // by another cnix in between
    }
}

/// Leads packets to and from the address: to it over `host_end`; from it by the table of its ENI. What an earlier life of the
/// address left is replaced.
template <netlink_backend Netlink>
void route_pod(Netlink& host, net::address const& pod, netlink::index host_end, std::uint32_t table) {
    host.replace_route(pod_route(pod, host_end));
    replace_rule(host, to_pod_rule(pod));
    if (table != main_table)
        replace_rule(host, from_pod_rule(pod, table));
    else
        delete_rules(host, from_pod_rule(pod, table));
}

/// Removes what route_pod made, and what upstream's plugin did. Nothing left is no error.
template <netlink_backend Netlink> void unroute_pod(Netlink& host, net::address const& pod) {
    delete_rules(host, to_pod_rule(pod));
    delete_rules(host, from_pod_rule(pod, main_table));
    auto route = pod_route(pod, 0);
    route.protocol = 0;
    while (host.delete_route(route)) {
    }
}

/// Appends what of route_pod's is missing; without a table, all but the rule that is from the pod.
template <netlink_backend Netlink>
void check_pod_routing(Netlink& host, netlink::link const& host_end, net::address const& pod,
                       std::optional<std::uint32_t> table, std::vector<std::string>& found) {
    auto const routes = host.routes(pod.family(), host_end.index);
    auto const is_route = [&](netlink::route_spec const& route) {
        return route.dst == net::prefix::host(pod) && route.table == main_table;
    };
    if (std::ranges::none_of(routes, is_route))
        found.push_back("the route to " + pod.str() + " is missing on " + host_end.name);
    auto const rules = host.rules(pod.family());
    auto const has = [&](netlink::rule_spec wanted) {
        return std::ranges::any_of(rules, [&](netlink::rule_spec const& rule) {
            wanted.protocol = rule.protocol; // upstream's rules have none
            return rule == wanted;
        });
    };
    if (!has(to_pod_rule(pod)))
        found.push_back("the policy rule to " + pod.str() + " for the main table is missing");
    if (table && *table != main_table && !has(from_pod_rule(pod, *table)))
        found.push_back("the policy rule from " + pod.str() + " for the table " + std::to_string(*table) +
                        " of its ENI is missing");
}

/// The addresses of pods that have a route of ours, and not the rule that leads to it: who deleted it cut them off.
template <netlink_backend Netlink>
std::vector<net::address> pods_without_rule(Netlink& host, net::family family) {
    std::vector<net::prefix> ruled;
    for (netlink::rule_spec const& rule : host.rules(family))
        if (rule.priority == priority::to_pod && rule.destination) ruled.push_back(*rule.destination);
    std::vector<net::address> lost;
    for (netlink::route_spec const& route : host.routes(family))
        if (route.protocol == protocol && route.table == main_table && !route.gateway &&
            route.dst == net::prefix::host(route.dst.address()) && !ranges::contains(ruled, route.dst))
            lost.push_back(route.dst.address());
    return lost;
}

/// Deletes the rules of ours whose address has no route any more: their pod went with its interface, and nobody said so. One that
/// cannot be deleted is a finding.
template <netlink_backend Netlink>
void delete_orphaned_rules(Netlink& host, std::vector<std::string>& found) {
    for (auto const family : {net::family::ipv4, net::family::ipv6}) {
        std::vector<std::pair<net::prefix, netlink::rule_spec>> ours;
        for (netlink::rule_spec const& rule : host.rules(family)) {
            if (rule.protocol != protocol) continue;
            if (rule.priority == priority::to_pod && rule.destination)
                ours.emplace_back(*rule.destination, rule);
            if (rule.priority == priority::from_pod && rule.source) ours.emplace_back(*rule.source, rule);
        }
        if (ours.empty()) continue;
        std::vector<net::prefix> routed; // looked at after the rules: a rule comes after its route
        for (netlink::route_spec const& route : host.routes(family)) routed.push_back(route.dst);
        std::ranges::sort(routed);
        for (auto const& [pod, rule] : ours) {
            if (std::ranges::binary_search(routed, pod)) continue;
            try {
                host.delete_rule(rule);
            } catch (std::exception const& e) {
                found.emplace_back(e.what());
            }
        }
    }
}

} // namespace cnix::eni
