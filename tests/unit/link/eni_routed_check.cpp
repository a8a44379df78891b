#include <cnix/cni/error.hpp>
#include <cnix/eni/pod_routing.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/link/eni_routed/pod_end.hpp>

#include <doctest/doctest.h>

#include "eni_routed_fixture.hpp"
#include <string>
#include <utility>
#include <vector>

/// What the verbs that only look find.
namespace {

using namespace cnix;
using namespace cnix::net::literals;
using test::branch_node;
using test::cidr;
using test::eni_lease;
using test::ip;
using test::keys;
using node = test::routed_node;
namespace recording = backends::recording;

TEST_CASE_FIXTURE(node, "CHECK of an ENI of another network card, and of the pod's second interface") {
    auto lease = eni_lease(1, {{"10.0.2.55"}, {"10.9.0.55"}});
    lease.allocations[0].table = eni::table_of(1, 2);
    test::with_eni_tables<recording::netlink>({{1, 2}});
    auto const made = add(lease);
    CHECK(check(made) == findings{});
    host.delete_rule(eni::from_pod_rule(ip("10.9.0.55"), 10101));
    CHECK(check(made) == findings{"the policy rule from 10.9.0.55 for the table of its ENI is missing"});
}

TEST_CASE_FIXTURE(node, "CHECK of a pod whose only interface is called as others' second") {
    auto one = pod_one();
    one.interface = "mNicIf1"_ifname;
    CHECK(check(one, add(one, eni_lease(1, {{"10.0.2.55"}}))) == findings{});
}

TEST_CASE_FIXTURE(node, "CHECK finds what is missing or different") {
    auto const made = add(eni_lease(1, {{"10.0.2.55"}}));
    auto const end = *host.find_link("enic440f455693"_ifname);
    std::string wanted;
    SUBCASE("the rule to the pod") {
        host.delete_rule(eni::to_pod_rule(ip("10.0.2.55")));
        wanted = "the policy rule to 10.0.2.55 for the main table is missing";
    }
    SUBCASE("the rule from the pod") {
        host.delete_rule(eni::from_pod_rule(ip("10.0.2.55"), 2));
        wanted = "the policy rule from 10.0.2.55 for the table of its ENI is missing";
    }
    SUBCASE("another table") {
        host.delete_rule(eni::from_pod_rule(ip("10.0.2.55"), 2));
        host.add_rule(eni::from_pod_rule(ip("10.0.2.55"), 3));
        wanted = "the policy rule from 10.0.2.55 is for the table 3, which is not its ENI's";
    }
    SUBCASE("the route") {
        host.delete_route(eni::pod_route(ip("10.0.2.55"), end.index));
        wanted = "the route to 10.0.2.55 is missing on enic440f455693";
    }
    SUBCASE("a sysctl") {
        host.set_sysctl("net/ipv6/conf/enic440f455693/accept_ra", "1");
        wanted = "net/ipv6/conf/enic440f455693/accept_ra is 1, and should be 0";
    }
    SUBCASE("forwarding") {
        host.set_sysctl("net/ipv4/ip_forward", "0");
        wanted = "the node does not forward: net/ipv4/ip_forward is 0";
    }
    SUBCASE("the gateway's neighbour") {
        recording::ns::open("/run/netns/pod0").run([&] {
            recording::netlink inside;
            for (auto const& one : inside.neighbours(inside.find_link("eth0"_ifname)->index))
                inside.delete_neighbour(one);
        });
        wanted = "the MAC address " + end.mac.str() + " of 169.254.1.1 is missing on eth0";
    }
    SUBCASE("the default route") {
        recording::ns::open("/run/netns/pod0").run([&] {
            recording::netlink inside;
            inside.delete_route(
                link::pod_routes(net::family::ipv4, inside.find_link("eth0"_ifname)->index, 0)[1]);
        });
        wanted = "the route 0.0.0.0/0 via 169.254.1.1 is missing on eth0";
    }
    CHECK(check(made) == findings{wanted});
}

TEST_CASE_FIXTURE(node, "CHECK of a pod whose ENI is not set up") {
    auto const made = add(eni_lease(3, {{"10.0.4.55", "fd00::55"}}));
    std::string const cure = ": set up the node with cnix-eni-node, or see that the daemon that does so runs";
    std::string const what = " default route, so its pods reach nobody" + cure;
    CHECK(check(made) == findings{"the table 4 of the ENI with device number 3 has no IPv4" + what,
                                  "the table 4 of the ENI with device number 3 has no IPv6" + what});
    test::with_eni_tables<recording::netlink>({{3, 0}});
    CHECK(check(made) == findings{});
}

TEST_CASE_FIXTURE(node, "CHECK of a pod whose second card is not set up") {
    auto lease = eni_lease(1, {{"10.0.2.55"}, {"10.9.0.55"}});
    lease.allocations[1].table = eni::table_of(1, 3);
    CHECK(
        check(add(lease)) ==
        findings{"the table 10301 of the ENI with device number 1 on the network card 3 has no IPv4 default "
                 "route, so its pods reach nobody: set up the node with cnix-eni-node, or see that the "
                 "daemon that does so runs"});
}

TEST_CASE_FIXTURE(node, "CHECK of a pod that was there before the node was made to forward IPv6") {
    auto const made = add(eni_lease(1, {{"10.0.2.55", "fd00::55"}}));
    host.set_sysctl("net/ipv6/conf/enic440f455693/forwarding", "1"); // the kernel, for conf/all/forwarding
    CHECK(check(made) == findings{});
}

TEST_CASE_FIXTURE(node, "STATUS tells of pods whose rules are gone") {
    add(eni_lease(1, {{"10.0.2.55", "fd00::55"}}));
    findings found;
    link.status(keys(), found);
    CHECK(found.empty());
    host.delete_rule(eni::to_pod_rule(ip("fd00::55")));
    try {
        link.status(keys(), found);
        FAIL("it was not told");
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::limited_connectivity);
        CHECK(e.message().starts_with("1 pods cannot be reached, fd00::55 among them"));
    }
}

TEST_CASE_FIXTURE(node, "STATUS of a lease of an ENI that is not set up") {
    findings found;
    link.status_of(eni_lease(0, {{"10.0.1.55", "fd00::55"}}), found);
    link.status_of(eni_lease(1, {{"10.0.2.55", "fd00::55"}}), found);
    CHECK(found == findings{});
    host.delete_route({.dst = cidr("::/0"), .table = 2});
    link.status_of(eni_lease(1, {{"10.0.2.55", "fd00::55"}}), found);
    CHECK(found == findings{"the table 2 of the ENI with device number 1 has no IPv6 default route, so its "
                            "pods reach nobody: set up the node with cnix-eni-node, or see that the daemon "
                            "that does so runs"});
}

TEST_CASE_FIXTURE(node, "the addresses that pods have, whoever gave them") {
    CHECK(link.in_use().empty());
    add(eni_lease(1, {{"10.0.2.55", "fd00::55"}}));
    host.add_veth({.host = {.name = "eni0123456789a"_ifname}, .peer = {.name = "upstream"_ifname}});
    host.add_veth({.host = {.name = "veth0"_ifname}, .peer = {.name = "bridged"_ifname}});
    for (auto const& [end, address] : {std::pair{"eni0123456789a"_ifname, "10.0.2.77/32"},
                                       {"veth0"_ifname, "10.0.2.78/32"},
                                       {"uplink"_ifname, "10.0.2.1/32"}})
        host.add_route({.dst = cidr(address), .device = host.find_link(end)->index});
    CHECK(link.in_use() == std::vector{ip("10.0.2.55"), ip("10.0.2.77"), ip("fd00::55")});
}

} // namespace
