#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/eni/pod_routing.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/link/eni_routed/branch.hpp>

#include <doctest/doctest.h>

#include "eni_routed_fixture.hpp"
#include <string>
#include <vector>

namespace {

using namespace cnix;
using namespace cnix::net::literals;
using test::branch_node;
using test::cidr;
using test::eni_lease;
using test::eni_world;
using test::ip;
using test::keys;
using test::routed;
using node = test::routed_node;
namespace recording = backends::recording;

TEST_CASE("laws") {
    laws::link_laws<routed, recording::ns, eni_world> laws{keys({}, false)};
    laws.all(eni_lease(0, {{"10.0.2.55"}}), eni_lease(0, {{"10.0.2.56"}}));
    laws.all(eni_lease(1, {{"10.0.2.55"}}), eni_lease(1, {{"10.0.2.56"}}));
    laws.all(eni_lease(1, {{"fd00::55"}}), eni_lease(1, {{"fd00::56"}}));
    laws.all(eni_lease(2, {{"10.0.2.55", "fd00::55"}}), eni_lease(2, {{"10.0.2.56", "fd00::56"}}));
}

TEST_CASE_FIXTURE(node, "a pod of the second ENI") {
    auto const made = add(eni_lease(1, {{"10.0.2.55"}}));
    CHECK(
        script() ==
        R"(ip link add name enic440f455693 address <MAC> mtu 9001 group 1664540993 type veth peer name eth0 address <MAC> mtu 9001 netns /run/netns/pod0
sysctl -qw net/ipv6/conf/enic440f455693/accept_ra=0
sysctl -qw net/ipv6/conf/enic440f455693/accept_redirects=1
sysctl -qw net/ipv6/conf/enic440f455693/forwarding=0
ip link set dev enic440f455693 up alias 'cnix:e336e14177615f619e9cec93edcb4148:ba5c1f44a4e959c4a22915070f652226 aws-cni/c1/eth0' group 0
nsenter --net=/run/netns/pod0 ip link set dev eth0 up
nsenter --net=/run/netns/pod0 ip addr add 10.0.2.55/32 dev eth0
nsenter --net=/run/netns/pod0 ip neigh replace 169.254.1.1 lladdr <MAC> dev eth0 nud permanent
nsenter --net=/run/netns/pod0 ip route replace 169.254.1.1/32 dev eth0 proto 201
nsenter --net=/run/netns/pod0 ip route replace default via 169.254.1.1 dev eth0 proto 201
ip neigh replace 10.0.2.55 lladdr <MAC> dev enic440f455693 nud permanent
ip route replace 10.0.2.55/32 dev enic440f455693 proto 201
ip rule add priority 512 from all to 10.0.2.55/32 table 254 protocol 201
ip rule add priority 1536 from 10.0.2.55/32 table 2 protocol 201
sysctl -qw net/ipv4/ip_forward=1
)");
    REQUIRE(made.interfaces.size() == 3);
    CHECK(made.interfaces[0] == cni::interface{.name = "enic440f455693"});
    CHECK(made.interfaces[1].name == "eth0");
    CHECK(net::mac::parse(made.interfaces[1].mac));
    CHECK(made.interfaces[1].sandbox == "/run/netns/pod0");
    CHECK(made.interfaces[2] == cni::interface{.name = "dummyc440f455693", .mac = "0", .sandbox = "1"});
    CHECK(made.ips == std::vector<cni::ip>{{.address = cidr("10.0.2.55/32"), .interface = 1}});
    CHECK(made.routes.empty());
    CHECK(check(made) == findings{});
}

TEST_CASE_FIXTURE(node, "an IPv6 pod") {
    add(eni_lease(0, {{"fd00::55"}}));
    CHECK(
        script() ==
        R"(ip link add name enic440f455693 address <MAC> mtu 9001 group 1664540993 type veth peer name eth0 address <MAC> mtu 9001 netns /run/netns/pod0
sysctl -qw net/ipv6/conf/enic440f455693/accept_ra=0
sysctl -qw net/ipv6/conf/enic440f455693/accept_redirects=1
sysctl -qw net/ipv6/conf/enic440f455693/forwarding=0
ip link set dev enic440f455693 up alias 'cnix:e336e14177615f619e9cec93edcb4148:ba5c1f44a4e959c4a22915070f652226 aws-cni/c1/eth0' group 0
nsenter --net=/run/netns/pod0 ip link set dev eth0 addrgenmode none
nsenter --net=/run/netns/pod0 ip link set dev eth0 up
nsenter --net=/run/netns/pod0 ip addr add fd00::55/128 dev eth0 nodad
nsenter --net=/run/netns/pod0 ip neigh replace fe80::1 lladdr <MAC> dev eth0 nud permanent
nsenter --net=/run/netns/pod0 ip -6 route replace fe80::1/128 dev eth0 proto 201
nsenter --net=/run/netns/pod0 ip -6 route replace default via fe80::1 dev eth0 proto 201
ip neigh replace fd00::55 lladdr <MAC> dev enic440f455693 nud permanent
ip -6 route replace fd00::55/128 dev enic440f455693 proto 201
ip -6 rule add priority 512 from all to fd00::55/128 table 254 protocol 201
)");
}

TEST_CASE_FIXTURE(node, "a pod whose interface was prepared is made by the same commands") {
    for (auto const& lease : {eni_lease(1, {{"10.0.2.55"}}), eni_lease(0, {{"fd00::55"}}),
                              eni_lease(1, {{"10.0.2.55", "fd00::55"}, {"10.9.0.55"}})}) {
        prepares = false;
        add(lease);
        auto const made = script();
        del(pod_one());
        host.set_sysctl("net/ipv4/ip_forward", "0");
        recording::journal::clear();
        prepares = true;
        CHECK(check(add(lease)) == findings{});
        CHECK(script() == made);
        del(pod_one());
        host.set_sysctl("net/ipv4/ip_forward", "0");
        recording::journal::clear();
    }
}

TEST_CASE_FIXTURE(node, "what is in the way of a prepared interface is judged with the lease") {
    prepares = true;
    SUBCASE("a former pod's end goes") {
        add(pod_one("old", 1), eni_lease(1, {{"10.0.2.55"}}));
        CHECK(check(add(eni_lease(2, {{"10.0.3.77"}}))) == findings{});
    }
    SUBCASE("what is no pod's stays") {
        host.add_bridge({.name = "enic440f455693"_ifname});
        CHECK_THROWS_WITH_AS(add(eni_lease(1, {{"10.0.2.55"}})), doctest::Contains("that is no pod's"),
                             cni::error);
    }
    SUBCASE("an address that is taken") {
        auto const made = add(pod_one("c2", 1), eni_lease(1, {{"10.0.2.55"}}), keys({}, false));
        auto const before = state();
        CHECK_THROWS_WITH_AS(add(eni_lease(1, {{"10.0.2.55"}})), doctest::Contains("is another one's"),
                             cni::error);
        CHECK(test::difference(before, state()) == "");
    }
}

TEST_CASE_FIXTURE(node, "a pod of the primary ENI has no rule of its own for what leaves") {
    add(eni_lease(0, {{"10.0.1.55"}}));
    CHECK(rules() == strings{"512 to 10.0.1.55/32 table 254"});
}

TEST_CASE_FIXTURE(node, "compatResult: the table in place of the MAC address") {
    auto const made = add(eni_lease(1, {{"10.0.2.55"}}), keys({.compatResult = true}));
    CHECK(made.interfaces[1].mac == "2");
    CHECK(check(made, keys({.compatResult = true})) == findings{});
}

TEST_CASE_FIXTURE(node, "who is not Kubernetes gets interfaces only") {
    auto podman = keys({}, false);
    podman.cni_args.K8S_POD_NAME = config::text{"web"};
    auto const made = add(pod_one(), eni_lease(1, {{"10.0.2.55"}}), podman);
    CHECK(made.interfaces.size() == 2);
    CHECK(check(made, podman) == findings{});
    host.delete_rule(eni::to_pod_rule(ip("10.0.2.55")));
    CHECK(check(made, podman).size() == 1);
}

TEST_CASE_FIXTURE(node, "an interface for each ENI") {
    auto const lease = eni_lease(1, {{"10.0.2.55"}, {"10.9.0.55"}});
    auto const made = add(lease);
    REQUIRE(made.interfaces.size() == 5);
    CHECK(made.interfaces[3].name == "mNicIf1");
    CHECK(made.ips[1].interface == 3U);
    CHECK(rules() == strings{"512 to 10.0.2.55/32 table 254", "512 to 10.9.0.55/32 table 254",
                             "1536 from 10.0.2.55/32 table 2", "1536 from 10.9.0.55/32 table 10101"});
    CHECK(check(made) == findings{});
    auto const before = state();
    cni::valid_attachments valid{pod_one().network};
    valid.insert(pod_one().container, pod_one().interface);
    findings found;
    link.gc(valid, keys(), found);
    CHECK(test::difference(before, state()) == "");
    del(pod_one());
    CHECK(rules().empty());
    CHECK(state().find("mNicIf1") == std::string::npos);
}

TEST_CASE_FIXTURE(node, "DEL finds what is the attachment's, whatever CNI_ARGS and keys say now") {
    auto const before = state();
    add(eni_lease(1, {{"10.0.2.55"}, {"10.9.0.55"}}));
    SUBCASE("without the pod's name") { del(pod_one(), keys({}, false)); }
    SUBCASE("with another prefix") { del(pod_one(), keys({.vethPrefix = config::text{"pod"}})); }
    SUBCASE("with a prefix that is none") { del(pod_one(), keys({.vethPrefix = config::text{"a/b"}})); }
    host.set_sysctl("net/ipv4/ip_forward", "0");
    CHECK(test::difference(before, state()) == "");
}

TEST_CASE_FIXTURE(node, "an address that somebody has is refused, and stays theirs") {
    auto const made = add(pod_one("c2", 1), eni_lease(1, {{"10.0.2.55"}}), keys({}, false));
    auto const before = state();
    CHECK_THROWS_WITH_AS(
        add(eni_lease(1, {{"10.0.2.55"}})),
        doctest::Contains("the address 10.0.2.55 that the IPAM gives the pod is another one's"), cni::error);
    CHECK(test::difference(before, state()) == "");
    host.add_veth({.host = {.name = "eth1"_ifname}, .peer = {.name = "vpc"_ifname}});
    host.add_address(host.find_link("eth1"_ifname)->index, {.address = cidr("10.0.2.10/24")});
    CHECK_THROWS_WITH_AS(add(eni_lease(1, {{"10.0.2.10"}})), doctest::Contains("is the node's own"),
                         cni::error);
}

TEST_CASE_FIXTURE(node, "rules of a pod whose interface was set down and up are no orphans") {
    add(pod_one("c2", 1), eni_lease(1, {{"10.0.2.77"}}), keys({}, false));
    auto const routes = host.routes(net::family::ipv4);
    for (auto const& route : routes)
        if (route.dst == cidr("10.0.2.77/32")) host.delete_route(route);
    CHECK(rules().size() == 2);
    del_without_pod(pod_one());
    CHECK(rules().size() == 2);
}

TEST_CASE_FIXTURE(node, "a second ADD keeps the first one's interfaces, all of them") {
    auto const lease = eni_lease(1, {{"10.0.2.55"}, {"10.9.0.55"}});
    auto const made = add(lease);
    auto const before = state();
    CHECK_THROWS_AS(add(lease), cni::error);
    CHECK(test::difference(before, state()) == "");
    CHECK(check(made) == findings{});
    auto pod = recording::ns::open("/run/netns/pod0");
    CHECK(link.inspect(pod_one(), keys(), &pod).addresses == std::vector{ip("10.0.2.55"), ip("10.9.0.55")});
    auto other = pod_one();
    other.network = cni::network_name::parse("other").value();
    other.interface = "net1"_ifname;
    CHECK(link.inspect(other, keys(), &pod).addresses.empty());
    CHECK(link.inspect(other, keys(), &pod).other_addresses.size() == 2);
}

TEST_CASE_FIXTURE(node, "what an earlier life of the address left is replaced") {
    host.add_rule({.priority = 1536, .table = 7, .source = cidr("10.0.2.55/32")});
    host.add_rule({.priority = 512, .table = 9, .destination = cidr("10.0.2.55/32")});
    add(eni_lease(1, {{"10.0.2.55"}}));
    CHECK(rules() == strings{"512 to 10.0.2.55/32 table 254", "1536 from 10.0.2.55/32 table 2"});
    CHECK(host.rules(net::family::ipv4).size() == 2 + 3); // the kernel's own
}

TEST_CASE_FIXTURE(node, "a pod that comes again under its name") {
    add(pod_one("old", 1), eni_lease(1, {{"10.0.2.55"}}));
    auto const made = add(eni_lease(2, {{"10.0.3.77"}}));
    SUBCASE("the DEL of the former one does not touch it") {
        del_without_pod(pod_one("old", 1), {ip("10.0.2.55")});
    }
    SUBCASE("nor one that knows no addresses") { del_without_pod(pod_one("old", 1)); }
    CHECK(rules() == strings{"512 to 10.0.3.77/32 table 254", "1536 from 10.0.3.77/32 table 3"});
    CHECK(check(made) == findings{});
}

TEST_CASE_FIXTURE(node, "a second interface of a pod does not take the first one's") {
    add(eni_lease(1, {{"10.0.2.55"}}));
    auto const before = state();
    auto second = pod_one();
    second.interface = "net1"_ifname;
    CHECK_THROWS_WITH_AS(
        add(second, eni_lease(1, {{"10.0.2.56"}})),
        "the pod is attached to ENIs already, by the attachment aws-cni/c1/eth0, whose interface on the node "
        "is enic440f455693: a pod can have one such attachment; leave out the second",
        cni::error);
    CHECK(test::difference(before, state()) == "");
}

TEST_CASE_FIXTURE(node, "an interface of the name that is no pod's is left") {
    host.add_bridge({.name = "enic440f455693"_ifname});
    CHECK_THROWS_AS(add(eni_lease(1, {{"10.0.2.55"}})), cni::error);
    CHECK(host.find_link("enic440f455693"_ifname));
}

TEST_CASE_FIXTURE(node, "DEL leaves no rule and no route, whatever it knows") {
    add(eni_lease(1, {{"10.0.2.55", "fd00::55"}}));
    SUBCASE("with the pod") { del(pod_one()); }
    SUBCASE("without the pod, its host end there") { del_without_pod(pod_one()); }
    SUBCASE("without the pod, its host end gone, addresses told") {
        host.delete_link(host.find_link("enic440f455693"_ifname)->index);
        del_without_pod(pod_one(), {ip("10.0.2.55"), ip("fd00::55")});
    }
    SUBCASE("without the pod, its host end gone, nothing known") {
        host.delete_link(host.find_link("enic440f455693"_ifname)->index);
        CHECK(rules().size() == 2);
        del_without_pod(pod_one());
    }
    CHECK(rules().empty());
    CHECK(rules(net::family::ipv6).empty());
    for (auto family : {net::family::ipv4, net::family::ipv6})
        for (auto const& route : host.routes(family)) CHECK(route.protocol != eni::protocol);
    CHECK_FALSE(host.find_link("enic440f455693"_ifname));
}

TEST_CASE_FIXTURE(node, "DEL removes what upstream's plugin made") {
    auto const address = ip("10.0.2.55");
    host.add_rule({.priority = 1536, .table = 2, .source = cidr("10.0.2.55/32")});
    host.add_rule({.priority = 512, .table = 254, .destination = cidr("10.0.2.55/32")});
    del_without_pod(pod_one(), {address});
    CHECK(host.rules(net::family::ipv4).size() == 3);
}

/// What upstream makes for a pod's n-th interface, as far as ours differs: no alias, no protocol numbers.
void as_upstreams(node& here, std::string const& host_end, std::string_view pod_end,
                  net::address const& address, std::size_t n) {
    auto const end = net::interface_name::parse(host_end).value();
    auto const inner = net::interface_name::parse(pod_end).value();
    auto pod = recording::ns::open("/run/netns/pod0");
    here.host.add_veth({.host = {.name = end}, .peer = {.name = inner}, .peer_netns = pod.fd()});
    here.host.change_link(here.host.find_link(end)->index, {.up = true});
    here.host.add_route({.dst = net::prefix::host(address), .device = here.host.find_link(end)->index});
    here.host.add_rule({.priority = 512, .table = 254, .destination = net::prefix::host(address)});
    here.host.add_rule({.priority = 1536, .table = 2, .source = net::prefix::host(address)});
    pod.run([&] {
        recording::netlink inside;
        inside.change_link(inside.find_link(inner)->index, {.up = true});
        inside.add_address(inside.find_link(inner)->index, {.address = net::prefix::host(address)});
        if (n > 0)
            inside.add_rule({.priority = 1,
                             .table = static_cast<std::uint32_t>(n),
                             .source = net::prefix::host(address)});
    });
}

TEST_CASE_FIXTURE(node, "DEL of upstream's pod with two network cards") {
    auto const before = state();
    auto const first = ip("10.0.2.55"), second = ip("10.9.0.55");
    as_upstreams(*this, "enic440f455693", "eth0", first, 0);
    as_upstreams(*this, eni::host_end_name("eni", keys().cni_args, pod_one(), 1).str(), "mNicIf1", second, 1);
    auto pod = recording::ns::open("/run/netns/pod0");
    CHECK(link.inspect(pod_one(), keys(), &pod).addresses == std::vector{first, second});
    SUBCASE("with the pod") { del(pod_one()); }
    SUBCASE("under another prefix") { del(pod_one(), keys({.vethPrefix = config::text{"pod"}})); }
    SUBCASE("by prevResult, the pod gone") {
        for (auto const& one : host.links())
            if (one.name.starts_with("eni")) host.delete_link(one.index);
        pod.run([&] { // goes with the namespace
            while (recording::netlink{}.delete_rule({.priority = 1, .table = 0})) {
            }
        });
        del_without_pod(pod_one(), {first, second});
    }
    CHECK(test::difference(before, state()) == "");
}

TEST_CASE_FIXTURE(node, "a DEL that is killed before it has deleted the pod's interfaces, and repeated") {
    auto const before = state();
    add(eni_lease(1, {{"10.0.2.55"}, {"10.9.0.55"}}));
    host.set_sysctl("net/ipv4/ip_forward", "0");
    recording::faults::clear();
    for (unsigned n = 1; n < 12; ++n) {
        recording::faults::fail_call(n, EIO); // each a little further
        CHECK_THROWS(del(pod_one()));
    }
    recording::faults::clear();
    del(pod_one());
    CHECK(test::difference(before, state()) == "");
}

/// As Calico's, whose names end with the same digits.
TEST_CASE_FIXTURE(node, "an interface of the pod that is somebody else's is left") {
    auto pod = recording::ns::open("/run/netns/pod0");
    host.add_veth({.host = {.name = "calic440f455693"_ifname},
                   .peer = {.name = "eth0"_ifname},
                   .peer_netns = pod.fd()});
    pod.run([] {
        recording::netlink inside;
        auto const index = inside.find_link("eth0"_ifname)->index;
        inside.add_address(index, {.address = cidr("10.7.0.5/24")});
    });
    auto const before = state();
    CHECK_THROWS_AS(add(eni_lease(1, {{"10.0.2.55"}})), cni::error);
    auto one = pod_one();
    one.addresses = link.inspect(one, keys(), &pod).addresses; // as the engine
    CHECK(one.addresses == std::vector{ip("10.7.0.5")});
    del(one); // as a runtime does after a failed ADD
    CHECK(test::difference(before, state()) == "");
}

TEST_CASE_FIXTURE(node, "GC of leftovers whose interface is gone") {
    add(pod_one("c2", 1), eni_lease(1, {{"10.0.2.56"}}), keys({}, false));
    auto const before = state();
    host.add_rule(eni::to_pod_rule(ip("10.0.2.77")));
    host.add_rule(eni::from_pod_rule(ip("10.0.2.77"), 2));
    host.add_rule(eni::from_pod_rule(ip("fd00::77"), 2));
    host.add_rule(eni::to_pod_rule(ip("fd00::77")));
    host.add_rule(link::branch_rule(net::family::ipv4, "vlan.eth.9", 109));
    auto theirs = eni::to_pod_rule(ip("10.0.2.78"));
    theirs.protocol = 0;
    auto const collect = [&] {
        findings found;
        cni::valid_attachments valid{pod_one().network};
        valid.insert(pod_one("c2").container, pod_one().interface);
        link.gc(valid, keys(), found);
        CHECK(found == findings{});
    };
    collect();
    CHECK(test::difference(before, state()) == "");
    host.add_rule(theirs); // whoever made it
    collect();
    CHECK(ranges::contains(host.rules(net::family::ipv4), theirs));
}

TEST_CASE_FIXTURE(node, "GC takes the rules of what it deletes, even while it leaves orphans alone") {
    add(pod_one("c2", 1), eni_lease(1, {{"10.0.2.56"}}), keys({}, false));
    for (auto const& route : host.routes(net::family::ipv4)) // as of a pod set down and up
        if (route.dst == cidr("10.0.2.56/32")) host.delete_route(route);
    auto const before = state();
    add(eni_lease(1, {{"10.0.2.55", "fd00::55"}}));
    findings found;
    cni::valid_attachments valid{pod_one().network};
    valid.insert(pod_one("c2").container, pod_one().interface);
    link.gc(valid, keys(), found);
    CHECK(found == findings{});
    CHECK(test::difference(before, state()) == "");
}

TEST_CASE_FIXTURE(node, "an address that is another pod's by now keeps its rules") {
    add(pod_one("c2", 1), eni_lease(1, {{"10.0.2.55"}}), keys({}, false));
    auto const before = state();
    del_without_pod(pod_one(), {ip("10.0.2.55")});
    CHECK(test::difference(before, state()) == "");
}

/// In each mode, with a host end that was prepared, and one that was not.
struct branch_modes : branch_node {
    void strict();
    void standard_mode();
};
void branch_modes::strict() {
    auto const before = state();
    auto const made = add(lease);
    CHECK(made.interfaces[0].name == "vlanc440f455693");
    CHECK(made.interfaces[2] == cni::interface{.name = "dummyc440f455693", .mac = "7"});
    CHECK(made.ips ==
          std::vector<cni::ip>{{.address = cidr("10.0.5.55/32"), .gateway = ip("10.0.5.1"), .interface = 1}});
    CHECK(rules() == strings{"10 table 107", "10 table 107"});
    CHECK(branch_rules() == strings{"iif vlan.eth.7 table 107", "iif vlanc440f455693 table 107"});
    CHECK(routes() == strings{"10.0.5.1/32 table 107 dev vlan.eth.7",
                              "0.0.0.0/0 via 10.0.5.1 table 107 dev vlan.eth.7",
                              "10.0.5.55/32 table 107 dev vlanc440f455693"});
    auto const vlan = host.find_link("vlan.eth.7"_ifname);
    REQUIRE(vlan);
    CHECK(vlan->up);
    CHECK(vlan->peer == trunk);
    CHECK(vlan->mac == net::mac::parse("02:00:00:00:00:07").value());
    CHECK(check(made) == findings{});
    SUBCASE("DEL with the pod") { del(pod_one()); }
    SUBCASE("DEL that knows nothing") { del_without_pod(pod_one()); }
    SUBCASE("DEL without the host end") {
        host.delete_link(host.find_link("vlanc440f455693"_ifname)->index);
        del_without_pod(pod_one());
    }
    SUBCASE("DEL by another mode than ADD's") {
        del(pod_one(), keys({.podSGEnforcingMode = config::text{"standard"}}));
    }
    SUBCASE("GC") {
        findings found;
        link.gc(cni::valid_attachments{pod_one().network}, keys(), found);
        CHECK(found.empty());
    }
    host.set_sysctl("net/ipv4/ip_forward", "0");
    CHECK(test::difference(before, state()) == "");
}
TEST_CASE_FIXTURE(branch_modes, "a branch ENI, strict: everything goes by it") { strict(); }
TEST_CASE_FIXTURE(branch_modes, "a branch ENI, strict: everything goes by it; prepared") {
    prepares = true;
    strict();
}

void branch_modes::standard_mode() {
    auto const standard = keys({.podSGEnforcingMode = config::text{"standard"}});
    auto const before = state();
    auto const made = add(pod_one(), lease, standard);
    CHECK(made.interfaces[0].name == "enic440f455693");
    CHECK(rules() == strings{"512 to 10.0.5.55/32 table 254", "1536 from 10.0.5.55/32 table 107"});
    CHECK(branch_rules().empty());
    CHECK(check(made, standard) == findings{});
    SUBCASE("DEL with the pod") { del(pod_one(), standard); }
    SUBCASE("DEL by prevResult, without the host end") {
        host.delete_link(host.find_link("enic440f455693"_ifname)->index);
        del_without_pod(pod_one(), {ip("10.0.5.55")});
    }
    host.set_sysctl("net/ipv4/ip_forward", "0");
    CHECK(test::difference(before, state()) == "");
}
TEST_CASE_FIXTURE(branch_modes, "a branch ENI, standard: the node's own traffic goes directly") {
    standard_mode();
}
TEST_CASE_FIXTURE(branch_modes, "a branch ENI, standard: the node's own traffic goes directly; prepared") {
    prepares = true;
    standard_mode();
}

TEST_CASE_FIXTURE(branch_node, "a branch ENI: a failed ADD leaves nothing, and CHECK finds what is missing") {
    auto const before = state();
    SUBCASE("no trunk, of a prepared interface") {
        prepares = true;
        lease.branch->trunk = 4711;
        CHECK_THROWS_AS(add(lease), cni::error);
        CHECK(test::difference(before, state()) == "");
    }
    SUBCASE("another pod's end has the name that a prepared interface should get") {
        add(pod_one("old", 1), lease);
        prepares = true;
        auto const made = add(pod_one(), lease);
        CHECK(made.interfaces[0].name == "vlanc440f455693");
        CHECK(check(made) == findings{});
        del(pod_one());
        host.set_sysctl("net/ipv4/ip_forward", "0");
        CHECK(test::difference(before, state()) == "");
    }
    SUBCASE("no trunk") {
        lease.branch->trunk = 4711;
        CHECK_THROWS_WITH_AS(add(lease),
                             "the node has no interface of index 4711, on which the branch ENI of VLAN 7 "
                             "should be: is the trunk ENI attached?",
                             cni::error);
        CHECK(test::difference(before, state()) == "");
    }
    SUBCASE("a rule") {
        auto const made = add(lease);
        host.delete_rule(link::branch_rule(net::family::ipv4, "vlan.eth.7", 107));
        CHECK(check(made) == findings{"the policy rule for what comes in by vlan.eth.7 is missing"});
    }
    SUBCASE("the VLAN") {
        auto const made = add(lease);
        host.delete_link(host.find_link("vlan.eth.7"_ifname)->index);
        CHECK(check(made) == findings{"the interface vlan.eth.7 of the pod's branch ENI is missing"});
    }
}

TEST_CASE_FIXTURE(branch_node, "a VLAN that is another pod's by now is left") {
    add(pod_one("c2", 1), lease, keys({}, false));
    auto const before = state();
    host.add_rule(link::branch_rule(net::family::ipv4, "vlanc440f455693", 107)); // of a former pod
    del_without_pod(pod_one());
    CHECK(test::difference(before, state()) == "");
}

TEST_CASE("keys: nonsense is a fault of a file, and upstream's default at work") {
    link::eni_routed_config conf;
    for (char const* bad : {"", "x", "-1", "575", "9002", "1500.0", "99999999999999999999", " 1500"}) {
        conf.mtu = config::text{bad};
        CHECK_MESSAGE(conf.mtu_or_default() == 9001, bad);
        CHECK_FALSE(conf.valid_mtu());
    }
    conf.mtu = config::text{"1500"};
    CHECK(conf.mtu_or_default() == 1500);
    conf.podSGEnforcingMode = config::text{"other"};
    CHECK(conf.strict());
    conf.podSGEnforcingMode = config::text{"standard"};
    CHECK_FALSE(conf.strict());
}

} // namespace
