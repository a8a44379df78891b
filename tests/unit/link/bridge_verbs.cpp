#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/backends/recording/nft_ruleset.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/veth.hpp>

#include <doctest/doctest.h>

#include "recorded.hpp"
#include <functional>
#include <string>
#include <vector>

/// DEL, CHECK, GC and STATUS, where something has changed since ADD.
namespace {

using namespace cnix;
using namespace cnix::net::literals;
using test::bridge_settings;
using test::cidr;
using test::ip;
using test::recorded_bridge;
using node = test::recorded_node;
using strings = std::vector<std::string>;
namespace recording = backends::recording;

constexpr std::string_view host_end = "veth3c9666c274d";

// DEL

TEST_CASE_FIXTURE(node, "DEL of an interface whose host end was renamed") {
    add({}, {});
    recording::kernel::self().current().find(host_end)->link.name = "renamed0";
    SUBCASE("with the pod") { del(pod_one()); }
    SUBCASE("without the pod") { bridge.del(pod_one(), {}, static_cast<recording::ns*>(nullptr)); }
    CHECK_FALSE(host.find_link("renamed0"_ifname));
}

TEST_CASE_FIXTURE(node, "DEL of what a killed ADD left, between its first two messages") {
    add({}, {});
    host.change_link(index_of(host_end), {.alias = "", .group = link::network_group(pod_one().network)});
    bridge.del(pod_one(), {}, static_cast<recording::ns*>(nullptr));
    CHECK_FALSE(host.find_link("veth3c9666c274d"_ifname));
}

TEST_CASE_FIXTURE(node, "DEL of an interface that another plugin made") {
    auto pod = recording::ns::open("/run/netns/pod0");
    netlink::veth_spec const pair{
        .host = {.name = "vethother"_ifname}, .peer = {.name = "eth0"_ifname}, .peer_netns = pod.fd()};
    SUBCASE("as the reference plugin, without an alias") {
        host.add_veth(pair);
        del(pod_one());
        CHECK_FALSE(host.find_link("vethother"_ifname));
    }
    SUBCASE("with an alias that is none of cnix's") {
        host.add_veth(pair);
        host.change_link(index_of("vethother"), {.alias = "uplink of rack 7"});
        del(pod_one());
        CHECK_FALSE(host.find_link("vethother"_ifname));
    }
    SUBCASE("of another kind: it is left") {
        add_interface("/run/netns/pod0", "eth0");
        del(pod_one());
        in_pod([](auto& inside, auto index) { CHECK(inside.find_link(index)->kind == "bridge"); });
    }
}

TEST_CASE_FIXTURE(node, "DEL leaves an interface of the host end's name that is another's") {
    host.add_veth(
        {.host = {.name = *net::interface_name::parse(host_end)}, .peer = {.name = "other"_ifname}});
    host.change_link(index_of(host_end), {.alias = link::host_interface_alias(pod_one("mynet", "c7"))});
    del(pod_one());
    CHECK(host.find_link("other"_ifname));
    host.delete_link(index_of(host_end));
    host.add_bridge({.name = *net::interface_name::parse(host_end)});
    del(pod_one());
    CHECK(index_of(host_end) != 0);
}

TEST_CASE_FIXTURE(node, "DEL removes the spoof check, though `macspoofchk` is off by then") {
    add({.macspoofchk = true}, {});
    CHECK(recording::nft::ruleset().text() != "");
    del(pod_one());
    CHECK(recording::nft::ruleset().text() == "");
}

// CHECK

struct change {
    char const* name;
    std::function<void(node&)> make;
    strings found;
    link::bridge_config config = {.isGateway = true};
};

void in_pod(node& here, std::function<void(recording::netlink&, netlink::index)> const& f) { here.in_pod(f); }
auto set_host_end(netlink::link_change const& change) {
    return [=](node& here) { here.host.change_link(here.index_of(host_end), change); };
}
auto set_bridge(netlink::link_change const& change) {
    return [=](node& here) { here.host.change_link(here.index_of("cni0"), change); };
}
auto set_pod_end(netlink::link_change const& change) {
    return [=](node& here) {
        in_pod(here, [&](auto& inside, auto index) { inside.change_link(index, change); });
    };
}

std::vector<change> changes() {
    std::string const subject = "the host end veth3c9666c274d";
    return {
        {"nothing", [](node&) {}, {}},
        // the bridge
        {"bridge gone",
         [](node& here) { here.host.delete_link(here.index_of("cni0")); },
         {"the bridge cni0 is missing"}},
        {"another kind of bridge",
         [](node& here) {
             here.host.delete_link(here.index_of("cni0"));
             here.host.add_veth({.host = {.name = "cni0"_ifname}, .peer = {.name = "x"_ifname}});
         },
         {"the interface cni0 is not a bridge", subject + " is not a port of the bridge cni0"}},
        {"bridge down", set_bridge({.up = false}), {"the bridge cni0 is down"}},
        {"promiscuous mode off",
         set_bridge({.promiscuous = false}),
         {"promiscuous mode of the bridge cni0 is off, and should be on"},
         {.promiscMode = true}},
        {"promiscuous mode on is no fault", set_bridge({.promiscuous = true}), {}},
        {"VLAN filtering off",
         set_bridge({.vlan_filtering = false}),
         {"VLAN filtering of the bridge cni0 is off, and should be on"},
         {.vlan = 5}},
        {"gateway address gone",
         [](node& here) { here.host.delete_address(here.index_of("cni0"), cidr("10.1.0.1/16")); },
         {"the gateway address 10.1.0.1/16 is missing on cni0"}},
        {"gateway address of another length",
         [](node& here) {
             here.host.delete_address(here.index_of("cni0"), cidr("10.1.0.1/16"));
             here.host.add_address(here.index_of("cni0"), {.address = cidr("10.1.0.1/24")});
         },
         {"the gateway address 10.1.0.1/16 is missing on cni0"}},
        {"no forwarding",
         [](node& here) { here.host.set_sysctl("net/ipv4/ip_forward", "0"); },
         {"the node does not forward: net/ipv4/ip_forward is 0"}},
        {"no forwarding of the bridge",
         [](node& here) { here.host.set_sysctl("net/ipv4/conf/cni0/forwarding", "0"); },
         {"the node does not forward: net/ipv4/conf/cni0/forwarding is 0"}},
        {"no forwarding, and no gateway",
         [](node& here) { here.host.set_sysctl("net/ipv4/ip_forward", "0"); },
         {},
         {}},
        {"VLAN's gateway gone",
         [](node& here) { here.host.delete_link(here.index_of("cni0.5")); },
         {"the VLAN's gateway interface cni0.5 is missing"},
         {.isGateway = true, .vlan = 5}},
        {"VLAN's gateway down",
         [](node& here) { here.host.change_link(here.index_of("cni0.5"), {.up = false}); },
         {"the VLAN's gateway interface cni0.5 is down"},
         {.isGateway = true, .vlan = 5}},
        // the port
        {"host end down", set_host_end({.up = false}), {subject + " is down"}},
        {"host end off the bridge",
         set_host_end({.master = 0}),
         {subject + " is not a port of the bridge cni0"}},
        {"host end's MTU",
         set_host_end({.mtu = 1300}),
         {"the MTU of " + subject + " is 1300, and should be 1400"},
         {.mtu = 1400}},
        {"host end's MTU, of which nobody said anything", set_host_end({.mtu = 1300}), {}},
        {"hairpin mode off, isolation on",
         [](node& here) { here.host.change_port(here.index_of(host_end), {.isolated = true}); },
         {"hairpin mode of " + subject + " is off, and should be on",
          "port isolation of " + subject + " is on, and should be off"},
         {.hairpinMode = true}},
        {"VLAN gone",
         [](node& here) { here.host.delete_port_vlan(here.index_of(host_end), {.vid = 5}); },
         {"VLAN 5 of " + subject + " is missing, or tagged otherwise"},
         {.vlan = 5}},
        {"VLAN tagged",
         [](node& here) { here.host.add_port_vlan(here.index_of(host_end), {.vid = 5}); },
         {"VLAN 5 of " + subject + " is missing, or tagged otherwise"},
         {.vlan = 5}},
        {"one VLAN more",
         [](node& here) { here.host.add_port_vlan(here.index_of(host_end), {.vid = 9}); },
         {subject + " is in VLAN 9, and should not be"},
         {.vlan = 5}},
        {"one VLAN more is no fault beside the default ones",
         [](node& here) { here.host.add_port_vlan(here.index_of(host_end), {.vid = 9}); },
         {},
         {.vlan = 5, .preserveDefaultVlan = true}},
        {"spoof check gone",
         [](node&) { recording::nft::reset(); },
         {"macspoofchk: veth3c9666c274d in map bridge cnix ports is missing: it may send with any MAC "
          "address"},
         {.macspoofchk = true}},
        // the pod's end
        {"interface gone",
         [](node& here) { in_pod(here, [](auto& inside, auto index) { inside.delete_link(index); }); },
         {"the interface eth0 is missing in the pod"}},
        {"pod's end down",
         set_pod_end({.up = false}),
         {"the pod's eth0 is down", subject + " has no link: its operational state is not up"}},
        {"pod's MAC address",
         set_pod_end({.mac = net::mac{{2, 0, 0, 0, 0, 1}}}),
         {"the MAC address of the pod's eth0 is 02:00:00:00:00:01, and was "}},
        {"pod's MTU", set_pod_end({.mtu = 1300}), {"the MTU of the pod's eth0 is 1300, and should be 1500"}},
        {"pod's address",
         [](node& here) {
             in_pod(here,
                    [](auto& inside, auto index) { inside.delete_address(index, cidr("10.1.0.2/16")); });
         },
         {"the address 10.1.0.2/16 is missing on eth0"}},
        {"an address more is no fault",
         [](node& here) {
             in_pod(here, [](auto& inside, auto index) {
                 inside.add_address(index, {.address = cidr("10.7.0.2/16")});
             });
         },
         {}},
        {"default route",
         [](node& here) {
             in_pod(here, [](auto& inside, auto index) {
                 inside.delete_route({.dst = cidr("0.0.0.0/0"), .device = index});
             });
         },
         {"the route 0.0.0.0/0 via 10.1.0.1 is missing on eth0"},
         {.isDefaultGateway = true}},
        {"another interface of the name",
         [](node& here) {
             here.del(node::pod_one());
             here.add_interface("/run/netns/pod0", "eth0");
         },
         {"the pod's eth0 is not a veth", "the MAC address of the pod's eth0 is ",
          "the address 10.1.0.2/16 is missing on eth0", "the host end of eth0 is missing on the node"}},
    };
}

TEST_CASE("CHECK finds each change, and nothing else") {
    for (auto const& [name, make, expected, config] : changes()) {
        INFO(name);
        node here;
        auto const made = here.add(config, laws::lease({"10.1.0.2/16"}));
        REQUIRE(here.findings_of(config, made) == strings{});
        make(here);
        auto const found = here.findings_of(config, made);
        if (!config.macspoofchk) CHECK(found.size() == expected.size()); // which has tests of its own
        REQUIRE(found.size() >= expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            INFO(found[i]); // may end in a MAC address
            CHECK(found[i].starts_with(expected[i]));
        }
    }
}

TEST_CASE_FIXTURE(node, "CHECK of an interface that is to stay down") {
    link::bridge_config const config{.disableContainerInterface = true};
    auto const made = add(config, {});
    CHECK(findings_of(config, made) == strings{});
    in_pod([](auto& inside, auto index) { inside.change_link(index, {.up = true}); });
    CHECK(findings_of(config, made) == strings{"the pod's eth0 is up, and should be down"});
}

TEST_CASE_FIXTURE(node, "CHECK with a result that does not tell of the interface") {
    auto made = add({}, {});
    made.interfaces.at(2).sandbox = "/somewhere/else";
    CHECK(findings_of({}, made) == strings{"prevResult has no interface eth0 in /run/netns/pod0"});
    made.interfaces.clear();
    CHECK(findings_of({}, made) == strings{"prevResult has no interface eth0 in /run/netns/pod0"});
}

// GC

TEST_CASE_FIXTURE(node, "GC: also what a killed ADD left, but nothing of others") {
    add({}, {});
    auto const group = link::network_group(pod_one().network);
    auto const pair = [&](net::interface_name const& name, net::interface_name const& peer,
                          netlink::link_change const& change) {
        host.add_veth({.host = {.name = name}, .peer = {.name = peer}});
        host.change_link(index_of(name), change);
    };
    pair("killed"_ifname, "p1"_ifname, {.group = group});
    pair("grouped"_ifname, "p2"_ifname,
         {.alias = "uplink of rack 7", .group = group}); // not ours: it has an alias
    pair("another"_ifname, "p3"_ifname, {.group = link::network_group(pod_one("other").network)});
    pair("plain"_ifname, "p4"_ifname, {});
    host.add_bridge({.name = "kind"_ifname});
    host.change_link(index_of("kind"),
                     {.alias = link::host_interface_alias(pod_one("mynet", "c9")), .group = group});
    auto const kept = [&] {
        std::string names;
        for (auto const& link : host.links()) names += link.name + ' ';
        return names;
    };
    findings found;
    cni::valid_attachments valid{pod_one().network};
    valid.insert(pod_one().container, pod_one().interface);
    bridge.gc(valid, {}, found);
    CHECK(kept() == "lo cni0 veth3c9666c274d p2 grouped p3 another p4 plain kind ");
    bridge.gc(cni::valid_attachments{pod_one().network}, {}, found);
    CHECK(kept() == "lo cni0 p2 grouped p3 another p4 plain kind ");
    CHECK(found == findings{});
}

TEST_CASE_FIXTURE(node, "GC goes on after what it could not remove") {
    add({}, {});
    add(pod_one("mynet", "c2", 1), {}, {});
    recording::faults::clear();
    recording::faults::fail_call(2, EBUSY); // the first deletion
    findings found;
    bridge.gc(cni::valid_attachments{pod_one().network}, {}, found);
    CHECK(found == findings{"delete the interface \"veth3c9666c274d\": Device or resource busy"});
    CHECK(host.find_link("veth3c9666c274d"_ifname));
    CHECK_FALSE(host.find_link(link::host_interface_name(pod_one("mynet", "c2"))));
}

// STATUS

TEST_CASE_FIXTURE(node, "STATUS: the bridge's name is taken by something else") {
    findings found;
    bridge.status({}, found);
    CHECK(found == findings{});
    host.add_veth({.host = {.name = "cni0"_ifname}, .peer = {.name = "x"_ifname}});
    bridge.status({}, found);
    CHECK(found ==
          findings{"\"cni0\" already exists but is not a bridge; remove it, or set another `bridge`"});
}

TEST_CASE_FIXTURE(node, "STATUS: the spoof check") {
    findings found;
    auto const settings = bridge_settings({.macspoofchk = true});
    bridge.status(settings, found);
    CHECK(found == findings{});
    recording::faults::clear();
    recording::faults::fail_call(2, ENOENT); // after looking for the bridge
    bridge.status(settings, found);
    REQUIRE(found.size() == 1);
    CHECK(found.front().starts_with("the spoof check (`macspoofchk`) would fail: "));
}

// What one struct cannot know

template <class Bridge> std::string faults_of(link::bridge_config const& config, bool has_ipam) {
    std::vector<config::fault> faults;
    config::checker found{"{}", "$", faults};
    Bridge::check(config, {.version = "1.1.0", .has_ipam = has_ipam}, found);
    return std::string{to_string(faults)};
}

TEST_CASE("what a composition cannot do is a fault of the configuration") {
    using without = link::bridge<recording::netlink>;
    CHECK(faults_of<recorded_bridge>({.macspoofchk = true, .disableContainerInterface = true}, false) == "");
    CHECK(faults_of<recorded_bridge>({.disableContainerInterface = true}, true) ==
          "1:1: $.disableContainerInterface: cannot use IPAM when DisableContainerInterface flag is set: the "
          "pod's end stays "
          "down, so it can have no address; leave out one of them");
    CHECK(faults_of<without>({.macspoofchk = true}, true) ==
          "1:1: $.macspoofchk: this composition has no spoof check; compose link::bridge with "
          "link::spoof_check, or leave the "
          "key out");
    CHECK(faults_of<without>({}, true) == "");
}

} // namespace
