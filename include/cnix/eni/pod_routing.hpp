#pragma once
#include <cnix/concepts/netlink_backend.hpp>
#include <cnix/eni/routing.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
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

/// unroute_pod, if the address leads to that host end or nowhere: it may be another pod's by now.
template <netlink_backend Netlink>
void unroute_own_pod(Netlink& host, net::address const& pod, netlink::index host_end) {
    auto const route = host.reach(pod).host_route;
    if (!route || route->device == host_end) unroute_pod(host, pod);
}

/// Whether the table leads out of the node. A list of IPv6 routes may lack some while others come and go, so one that is missing is
/// looked for again.
template <netlink_backend Netlink>
bool has_default_route(Netlink& host, net::family family, std::uint32_t table) {
    auto const is_it = [&](netlink::route_spec const& route) {
        return route.table == table && route.dst == net::prefix::any(family);
    };
    for (int attempt = 0; attempt < 3; ++attempt)
        if (std::ranges::any_of(host.routes(family), is_it)) return true;
    return false;
}

/// That the table of an ENI after the primary one has none: whose packets should leave by it reach nobody, as the main table leads
/// them out of an ENI from which the cloud does not take them.
inline void add_no_default_route(net::family family, std::uint32_t table, std::vector<std::string>& found) {
    bool const further_card = table >= table_of(0, 1);
    auto const device = further_card ? (table - table_of(0, 1)) % 100 : table - table_of(1) + 1;
    auto const card = further_card ? (table - table_of(0, 1)) / 100 + 1 : 0;
    found.push_back(
        "the table " + std::to_string(table) + " of the ENI with device number " + std::to_string(device) +
        (card != 0 ? " on the network card " + std::to_string(card) : "") + " has no " +
        (family == net::family::ipv4 ? "IPv4" : "IPv6") +
        " default route, so its pods reach nobody: set up the node with cnix-eni-node, or see that "
        "the daemon that does so runs");
}

/// Which table a pod's rule should look up, as far as the result of its ADD tells.
struct wanted_table {
    std::optional<std::uint32_t> exactly{}; ///< of a branch ENI
    std::optional<int> device{};            ///< the ENI's device number, on whatever network card
    bool further_card = false; ///< the ENI is of a card after the first, so the table is not main

    bool allows(std::uint32_t table) const {
        if (exactly) return table == *exactly;
        if (!device) return true;
        if (table >= table_of(0, 1))
            return (table - table_of(0, 1)) % 100 == static_cast<std::uint32_t>(*device);
        return !further_card && table == table_of(*device);
    }
    bool needs_rule() const { return exactly || further_card || (device && *device > 0); }
};

/// Appends what of route_pod's is missing or different.
template <netlink_backend Netlink>
void check_pod_routing(Netlink& host, netlink::link const& host_end, net::address const& pod,
                       wanted_table const& wanted, std::vector<std::string>& found) {
    auto const route = host.reach(pod).host_route;
    if (!route || route->device != host_end.index || route->table != main_table)
        found.push_back("the route to " + pod.str() + " is missing on " + host_end.name);
    bool to_pod = false, from_pod = false;
    for (netlink::rule_spec const& rule : host.rules(pod.family())) {
        if (rule.priority == priority::to_pod && rule.destination == net::prefix::host(pod) &&
            rule.table == main_table)
            to_pod = true;
        if (rule.priority != priority::from_pod || rule.source != net::prefix::host(pod)) continue;
        from_pod = true;
        if (!wanted.allows(rule.table))
            found.push_back("the policy rule from " + pod.str() + " is for the table " +
                            std::to_string(rule.table) + ", which is not its ENI's");
        else if (!wanted.exactly && rule.table != main_table &&
                 !has_default_route(host, pod.family(), rule.table))
            add_no_default_route(pod.family(), rule.table, found);
    }
    if (!to_pod) found.push_back("the policy rule to " + pod.str() + " for the main table is missing");
    if (!from_pod && wanted.needs_rule())
        found.push_back("the policy rule from " + pod.str() + " for the table of its ENI is missing");
}

/// The addresses of pods that have a route of ours, and not the rule that leads to it: who deleted it cut them off. An ADD makes the
/// route first and a DEL removes the rule first, so what is missing is looked at again after a while.
template <netlink_backend Netlink>
std::vector<net::address> pods_without_rule(Netlink& host, net::family family) {
    using namespace std::chrono_literals;
    auto const missing = [&] {
        std::vector<net::address> lost;
        for (netlink::route_spec const& route : host.routes(family))
            if (route.protocol == protocol && route.table == main_table && !route.gateway &&
                route.dst == net::prefix::host(route.dst.address()))
                lost.push_back(route.dst.address());
        if (lost.empty()) return lost;
        std::vector<net::prefix> ruled; // after the routes: an ADD's rule comes after its route
        for (netlink::rule_spec const& rule : host.rules(family))
            if (rule.priority == priority::to_pod && rule.destination) ruled.push_back(*rule.destination);
        std::erase_if(
            lost, [&](net::address const& pod) { return ranges::contains(ruled, net::prefix::host(pod)); });
        return lost;
    };
    auto lost = missing();
    if (lost.empty()) return lost;
    std::this_thread::sleep_for(200ms);
    auto const still = missing();
    std::erase_if(lost, [&](net::address const& pod) {
        return !ranges::contains(still, pod) || !host.reach(pod).host_route;
    });
    return lost;
}

/// Deletes the rules of ours whose address has no route any more: their pod went with its interface, and nobody said so. One that
/// cannot be deleted is a finding. If the address has become another pod's in between, its rule is made again. `routes` are the
/// node's of a while ago: an address that none of them is for is looked up.
template <netlink_backend Netlink>
void delete_orphaned_rules(Netlink& host, std::vector<netlink::route_spec> const& routes,
                           std::vector<std::string>& found) {
    std::vector<net::prefix> routed;
    for (netlink::route_spec const& route : routes) routed.push_back(route.dst);
    std::ranges::sort(routed);
    auto const is_routed = [&](net::prefix const& pod) {
        return host.reach(pod.address()).host_route.has_value();
    };
    for (auto const family : {net::family::ipv4, net::family::ipv6})
        for (netlink::rule_spec const& rule : host.rules(family)) {
            auto const& pod = rule.priority == priority::to_pod ? rule.destination : rule.source;
            bool const of_pod = rule.priority == priority::to_pod || rule.priority == priority::from_pod;
            if (rule.protocol != protocol || !of_pod || !pod) continue;
            if (std::ranges::binary_search(routed, *pod) || is_routed(*pod)) continue;
            try {
                host.delete_rule(rule);
                auto const same = [&](netlink::rule_spec const& other) {
                    return other.priority == rule.priority && other.source == rule.source &&
                           other.destination == rule.destination;
                };
                if (is_routed(*pod) && std::ranges::none_of(host.rules(family), same)) host.add_rule(rule);
            } catch (std::exception const& e) {
                found.emplace_back(e.what());
            }
        }
}

} // namespace cnix::eni
