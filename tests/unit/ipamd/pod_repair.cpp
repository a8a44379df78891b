#include <ipamd/pod_repair.hpp>
#include <cnix/backends/recording.hpp>

#include <doctest/doctest.h>

using namespace cnix;

namespace {

eni::assignment pod(std::string name) {
    return {{"aws-cni", "0123abcd", "eth0"}, {"default", std::move(name), 1}, {}, {}};
}

using netlink = backends::recording::netlink;
net::address const first = *net::address::parse("10.0.2.55");
net::address const second = *net::address::parse("fd00::55");

/// A node with the host end of a pod that has two addresses of the second ENI.
struct node {
    struct reset {
        reset() { backends::recording::reset(); }
    } const fresh{}; // before the host's handle
    netlink host;
    cnix::netlink::index end = 0;
    std::vector<ipamd::placed_interface> pods{{pod("nginx").key, "enic440f455693", {first, second}, 3}};
    bool busy = false;

    node() {
        host.add_veth({.host = {*net::interface_name::parse("enic440f455693")},
                       .peer = {*net::interface_name::parse("peer")}});
        end = host.find_link(*net::interface_name::parse("enic440f455693"))->index;
        for (auto const& address : pods[0].addresses) eni::route_pod(host, address, end, 3);
    }
    findings repair() {
        return ipamd::repair_pods(host, pods, [&](eni::pod_key const&) { return !busy; });
    }
    bool whole() {
        findings missing;
        for (auto const& address : pods[0].addresses)
            eni::check_pod_routing(host, *host.find_link(end), address, {.exactly = 3}, missing);
        return missing.empty();
    }
};

} // namespace

TEST_CASE("the host end's name is upstream's") {
    CHECK(ipamd::host_end_of(pod("nginx"), 0, "eni") ==
          eni::host_end_name("eni",
                             [] {
                                 eni::pod_args args;
                                 args.K8S_POD_NAME = config::text{"nginx"};
                                 args.K8S_POD_NAMESPACE = config::text{"default"};
                                 return args;
                             }(),
                             {*cni::network_name::parse("aws-cni"), *cni::container_id::parse("0123abcd"),
                              *net::interface_name::parse("eth0")})
              .str());
    CHECK(ipamd::host_end_of(pod("nginx"), 1, "eni") != ipamd::host_end_of(pod("nginx"), 0, "eni"));
    auto old = pod("");
    old.key = {"_migrated-from-cri", "0123abcd", "unknown"};
    CHECK(!ipamd::host_end_of(old, 0, "eni"));
}

TEST_CASE("what is whole is left alone") {
    node one;
    CHECK(one.repair().empty());
    CHECK(one.whole());
}

TEST_CASE("what others took away is put back, and told") {
    node one;
    SUBCASE("the rule to the pod") { REQUIRE(one.host.delete_rule(eni::to_pod_rule(first))); }
    SUBCASE("the rule from the pod") { REQUIRE(one.host.delete_rule(eni::from_pod_rule(second, 3))); }
    SUBCASE("the route") { REQUIRE(one.host.delete_route(eni::pod_route(first, one.end))); }
    SUBCASE("a rule for another table") { eni::replace_rule(one.host, eni::from_pod_rule(first, 4)); }
    CHECK(!one.whole());
    CHECK(one.repair().size() == 1);
    CHECK(one.whole());
    CHECK(one.repair().empty());
}

TEST_CASE("nothing is put back while the plugin is at it") {
    node one;
    REQUIRE(one.host.delete_rule(eni::to_pod_rule(first)));
    one.busy = true;
    CHECK(one.repair().empty());
    CHECK(!one.whole());
}

TEST_CASE("a pod whose host end is not there gets nothing") {
    node one;
    one.host.delete_link(one.end);
    for (auto const& address : one.pods[0].addresses) eni::unroute_pod(one.host, address);
    auto const before = one.host.rules(net::family::ipv4);
    CHECK(one.repair().empty());
    CHECK(one.host.rules(net::family::ipv4) == before);
}

TEST_CASE("a pod may live whose host end or route is there") {
    node one;
    auto given = pod("nginx");
    given.holdings = {{"eni-1", one.pods[0].addresses}};
    auto const live = [&](std::string_view prefix) {
        return ipamd::may_live(given, ipamd::traces_of_pods(one.host), prefix);
    };
    SUBCASE("as it should be") { CHECK(live("eni")); }
    SUBCASE("others took its routes away") {
        for (auto const& address : one.pods[0].addresses) eni::unroute_pod(one.host, address);
        CHECK(live("eni"));
    }
    // Else the addresses of all pods would be given to others.
    SUBCASE("the plugin was told another prefix") {
        CHECK(live("blub"));
        REQUIRE(one.host.delete_route(eni::pod_route(first, one.end)));
        CHECK(live("blub"));
    }
    SUBCASE("it is gone") {
        one.host.delete_link(one.end);
        CHECK(!live("eni"));
        given.key = {"_migrated-from-cri", "0123abcd", "unknown"};
        CHECK(live("eni"));
    }
}
