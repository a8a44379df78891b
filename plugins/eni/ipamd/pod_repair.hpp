#pragma once
#include <cnix/concepts/settings.hpp>
#include <cnix/eni/pod.hpp>
#include <cnix/eni/pod_routing.hpp>
#include <cnix/eni/state.hpp>

#include <algorithm>
#include <concepts>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace cnix::ipamd {

/// One interface of a pod: what the node should have for it, if it has its host end.
struct placed_interface {
    eni::pod_key key{};
    std::string host_end{}; ///< the name of its host end
    std::vector<net::address> addresses{};
    std::uint32_t table = eni::main_table;
};

/// The name of the host end of an assignment's interface. Nothing where the checkpoint does not tell enough: entries of upstream
/// before v1.12 have no pod, and the key may be none that a request could have.
inline std::optional<std::string> host_end_of(eni::assignment const& one, std::size_t interface,
                                              std::string_view prefix) {
    auto const network = cni::network_name::parse(one.key.network);
    auto const container = cni::container_id::parse(one.key.container);
    auto const name = net::interface_name::parse(one.key.interface);
    if (!network || !container || !name || one.key == eni::migrated(one.key)) return std::nullopt;
    eni::pod_args pod;
    pod.K8S_POD_NAME = config::text{one.pod.name};
    pod.K8S_POD_NAMESPACE = config::text{one.pod.name_space};
    return std::string{eni::host_end_name(prefix, pod, {*network, *container, *name}, interface).view()};
}

/// What of the node tells that a pod is there.
struct pod_traces {
    std::set<std::string, std::less<>> interfaces{}; ///< their names
    std::set<net::address> routed{};                 ///< addresses that have a route of their own out of one
};

template <netlink_backend Netlink> pod_traces traces_of_pods(Netlink& host) {
    pod_traces all;
    for (auto& link : host.links()) all.interfaces.insert(std::move(link.name));
    for (auto const family : {net::family::ipv4, net::family::ipv6})
        for (auto const& route : host.routes(family))
            if (route.table == eni::main_table && route.dst.length() == net::bits(family))
                all.routed.insert(route.dst.address());
    return all;
}

/// Whether the pod may be there: its host end is, or a route to an address of it. The kernel removes a route with its interface,
/// so one that is there leads to somebody, whatever `prefix` the plugin was told when it named the host end.
inline bool may_live(eni::assignment const& one, pod_traces const& traces, std::string_view prefix) {
    for (std::size_t i = 0; i < one.holdings.size(); ++i) {
        auto const name = host_end_of(one, i, prefix);
        if (!name || traces.interfaces.contains(*name)) return true;
        for (net::address const& address : one.holdings[i].addresses)
            if (traces.routed.contains(address)) return true;
    }
    return false;
}

/// Puts back what others took away of the node's side of pods: the route to an address, and its rules. Returns what was
/// missing. Pods whose host end is not there are passed over: they are in the making, or gone.
///
/// `hold` keeps the plugin off an attachment for as long as what it returns lives; false in a condition: it is at it now, and
/// knows best. Upstream's plugin is not kept off: what it may have taken away in between is taken away again.
template <netlink_backend Netlink, std::invocable<eni::pod_key const&> Hold>
findings repair_pods(Netlink& host, std::vector<placed_interface> const& pods, Hold&& hold) {
    std::map<std::string, netlink::index, std::less<>> ends;
    for (auto& link : host.links()) ends.emplace(std::move(link.name), link.index);
    std::set<std::pair<net::address, netlink::index>> routed;
    std::set<net::address> to;
    std::set<std::pair<net::address, std::uint32_t>> from;
    for (auto const family : {net::family::ipv4, net::family::ipv6}) {
        for (auto const& route : host.routes(family))
            if (route.table == eni::main_table && route.dst.length() == net::bits(family))
                routed.emplace(route.dst.address(), route.device);
        for (auto const& rule : host.rules(family)) {
            if (rule.priority == eni::priority::to_pod && rule.destination && rule.table == eni::main_table)
                to.insert(rule.destination->address());
            if (rule.priority == eni::priority::from_pod && rule.source)
                from.emplace(rule.source->address(), rule.table);
        }
    }
    auto const is_whole = [&](placed_interface const& pod, netlink::index end, net::address const& address) {
        return routed.contains({address, end}) && to.contains(address) &&
               (pod.table == eni::main_table || from.contains({address, pod.table}));
    };

    findings found;
    for (placed_interface const& pod : pods) {
        auto const end = ends.find(pod.host_end);
        if (end == ends.end()) continue;
        for (net::address const& address : pod.addresses) {
            if (is_whole(pod, end->second, address)) continue;
            // Asked once more, of this pod alone: lists are of different moments, and one of IPv6 routes may lack some.
            auto const held = hold(pod.key);
            if (!held) break;
            auto const now = host.find_link(*net::interface_name::parse(pod.host_end));
            if (!now) break;
            eni::wanted_table wanted;
            if (pod.table != eni::main_table)
                wanted.exactly = pod.table;
            else
                wanted.device = 0;
            findings missing;
            eni::check_pod_routing(host, *now, address, wanted, missing);
            if (missing.empty()) continue;
            eni::route_pod(host, address, now->index, pod.table);
            if (!host.find_link(now->index)) {
                eni::unroute_pod(host, address);
                break;
            }
            found.insert(found.end(), missing.begin(), missing.end());
        }
    }
    return found;
}

} // namespace cnix::ipamd
