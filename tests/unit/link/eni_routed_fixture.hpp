#pragma once
#include <cnix/backends/recording/journal.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/link/forwarding.hpp>
#include <cnix/link/veth_pair.hpp>

#include "recorded.hpp"
#include "support/eni_leases.hpp"
#include "support/eni_tables.hpp"
#include <string>
#include <string_view>
#include <vector>

/// link::eni_routed over the recording backends.
namespace cnix::test {

using routed = link::eni_routed<recording::netlink>;

/// A fresh node whose second and third ENI are set up.
using eni_world = with_enis<recording::netlink, recorded_world>;

inline settings<routed> keys(link::eni_routed_config config = {}, bool pod = true) {
    settings<routed> all;
    all.config = std::move(config);
    if (pod)
        all.cni_args = {.K8S_POD_NAME = config::text{"nginx"}, .K8S_POD_NAMESPACE = config::text{"default"}};
    return all;
}

/// Verbs of it, for pods on a fresh node.
struct routed_node : eni_world {
    routed link{};
    recording::netlink host{};

    routed_node() {
        host.set_sysctl(link::forwarding_sysctl(net::family::ipv4), "0");
        recording::journal::clear();
    }
    static cni::attachment pod_one(std::string_view container = "c1", int n = 0) {
        auto one = laws::attachment("aws-cni", container);
        one.netns = "/run/netns/pod" + std::to_string(n);
        return one;
    }
    bool prepares = false; ///< before the lease is known
    cni::result add(cni::attachment const& one, eni::lease const& lease,
                    settings<routed> const& with = keys()) {
        auto pod = recording::ns::open(one.netns);
        cni::result result;
        static_cast<cni::lease&>(result) = lease;
        cni::rollback undo;
        try {
            if (prepares) link.prepare(one, with, pod, undo);
            link.add(one, with, pod, lease, result, undo);
        } catch (...) {
            CHECK(undo.undo().empty());
            throw;
        }
        undo.commit();
        return result;
    }
    cni::result add(eni::lease const& lease, settings<routed> const& with = keys()) {
        return add(pod_one(), lease, with);
    }
    void del(cni::attachment const& one, settings<routed> const& with = keys()) {
        auto pod = recording::ns::find(one.netns);
        link.del(one, with, pod ? &*pod : nullptr);
    }
    void del_without_pod(cni::attachment one, std::vector<net::address> known = {}) {
        one.addresses = std::move(known);
        link.del(one, keys(), static_cast<recording::ns*>(nullptr));
    }
    findings check(cni::attachment const& one, cni::result const& previous,
                   settings<routed> const& with = keys()) {
        auto pod = recording::ns::open(one.netns);
        findings found;
        link.check(one, with, pod, previous, found);
        return found;
    }
    findings check(cni::result const& previous, settings<routed> const& with = keys()) {
        return check(pod_one(), previous, with);
    }
    static std::string script() { return test::recorded_node::script(); }
    std::vector<std::string> rules(net::family family = net::family::ipv4) {
        std::vector<std::string> all;
        for (auto const& rule : host.rules(family))
            if (rule.protocol == eni::protocol)
                all.push_back(std::to_string(rule.priority) +
                              (rule.source ? " from " + rule.source->str() : "") +
                              (rule.destination ? " to " + rule.destination->str() : "") + " table " +
                              std::to_string(rule.table));
        return all;
    }
    using strings = std::vector<std::string>;
};

/// A pod with a branch ENI of VLAN 7 on the trunk ENI.
struct branch_node : routed_node {
    eni::lease lease = eni_lease(-1, {{"10.0.5.55"}});
    netlink::index trunk = 0;

    branch_node() {
        host.add_veth({.host = {.name = "eth2"_ifname}, .peer = {.name = "cloud"_ifname}});
        trunk = host.find_link("eth2"_ifname)->index;
        lease.branch = eni::branch{.vlan = 7,
                                   .mac = net::mac::parse("02:00:00:00:00:07").value(),
                                   .gateway = ip("10.0.5.1"),
                                   .trunk = trunk};
        recording::journal::clear();
    }
    std::vector<std::string> branch_rules() {
        std::vector<std::string> all;
        for (auto const& rule : host.rules(net::family::ipv4))
            if (rule.priority == 10)
                all.push_back("iif " + rule.input_interface + " table " + std::to_string(rule.table));
        return all;
    }
    std::vector<std::string> routes() {
        std::vector<std::string> all;
        for (auto const& route : host.routes(net::family::ipv4))
            if (route.protocol == eni::protocol)
                all.push_back(link::describe(route) + " dev " + host.find_link(route.device)->name);
        return all;
    }
};

} // namespace cnix::test
