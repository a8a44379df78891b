#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/link/bridge.hpp>

#include <doctest/doctest.h>

#include "recorded.hpp"
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace cnix;
using namespace cnix::net::literals;
using test::bridge_settings;
using test::cidr;
using test::ip;
using test::recorded_bridge;
using test::recorded_world;
using node = test::recorded_node;
namespace recording = backends::recording;

std::vector<std::pair<char const*, link::bridge_config>> configurations() {
    return {{"plain", {}},
            {"gateway", {.isGateway = true}},
            {"default gateway", {.isDefaultGateway = true}},
            {"forced", {.isDefaultGateway = true, .forceAddress = true}},
            {"hairpin", {.hairpinMode = true, .portIsolation = true}},
            {"promiscuous", {.mtu = 1400, .promiscMode = true}},
            {"VLAN", {.vlan = 100}},
            {"VLAN with a gateway", {.isGateway = true, .vlan = 100}},
            {"trunk", {.vlanTrunk = {{{.minID = 10, .maxID = 12}, {.id = 20}}}, .preserveDefaultVlan = true}},
            {"spoof check", {.isGateway = true, .macspoofchk = true}},
            {"duplicate address detection", {.enabledad = true}}};
}

TEST_CASE("laws") {
    for (auto const& [name, config] : configurations()) {
        INFO(name);
        laws::link_laws<recorded_bridge, recording::ns, recorded_world> laws{bridge_settings(config)};
        laws.all(laws::lease({"10.1.0.2/16"}), laws::lease({"10.1.0.3/16"}));
        laws.all(laws::lease({"fd00::2/64"}), laws::lease({"fd00::3/64"}));
        laws.all(laws::lease({"10.1.0.2/16", "fd00::2/64"}), laws::lease({"10.1.0.3/16", "fd00::3/64"}));
    }
}

/// What each ADD asks for: the bridge, if it is missing; the pair of interfaces; the pod's end; the gateway.
TEST_CASE_FIXTURE(node, "the first pod of a default gateway, the next one, and DEL") {
    add({.isDefaultGateway = true}, laws::lease({"10.1.0.2/16", "fd00::2/64"}));
    CHECK(script() ==
          R"(ip link add name cni0 address <MAC> group 1668180344 up type bridge
sysctl -qw net/ipv6/conf/cni0/accept_ra=0
ip link add name veth3c9666c274d address <port MAC> group 1657830625 master cni0 type veth peer name eth0 address <MAC> netns /run/netns/pod0
sysctl -qw net/ipv6/conf/veth3c9666c274d/disable_ipv6=1
ip link set dev veth3c9666c274d up alias 'cnix:62d07ce19f2b5045b722308036c7a237:3c9666c274de5202a6fbe508e242cd15 mynet/c1/eth0' group 0
nsenter --net=/run/netns/pod0 sysctl -qw net/ipv4/conf/eth0/arp_notify=1
nsenter --net=/run/netns/pod0 sysctl -qw net/ipv6/conf/eth0/accept_dad=0
nsenter --net=/run/netns/pod0 sysctl -qw net/ipv6/conf/eth0/keep_addr_on_down=1
nsenter --net=/run/netns/pod0 sysctl -qw net/ipv6/conf/eth0/ndisc_notify=1
nsenter --net=/run/netns/pod0 ip addr add 10.1.0.2/16 brd + dev eth0
nsenter --net=/run/netns/pod0 ip addr add fd00::2/64 dev eth0 nodad
nsenter --net=/run/netns/pod0 ip link set dev eth0 up
nsenter --net=/run/netns/pod0 ip route add default via 10.1.0.1 dev eth0
nsenter --net=/run/netns/pod0 ip -6 route add default via fd00::1 dev eth0
ip addr add 10.1.0.1/16 brd + dev cni0
sysctl -qw net/ipv6/conf/cni0/keep_addr_on_down=1
ip addr add fd00::1/64 dev cni0 nodad
nsenter --net=/run/netns/pod0 ip link set dev eth0 address <MAC>
sysctl -qw net/ipv4/ip_forward=1
sysctl -qw net/ipv6/conf/all/forwarding=1
ip link set dev cni0 group 0
)");
    recording::journal::clear();
    add(pod_one("mynet", "c2", 1), bridge_settings({.isDefaultGateway = true}), laws::lease({"10.1.0.3/16"}));
    CHECK(
        script() ==
        R"(ip link add name vetha6bd0bbdc4d address <port MAC> group 1657830625 master cni0 type veth peer name eth0 address <MAC> netns /run/netns/pod1
sysctl -qw net/ipv6/conf/vetha6bd0bbdc4d/disable_ipv6=1
ip link set dev vetha6bd0bbdc4d up alias 'cnix:62d07ce19f2b5045b722308036c7a237:a6bd0bbdc4da52dcada5924cd2167d6a mynet/c2/eth0' group 0
nsenter --net=/run/netns/pod1 sysctl -qw net/ipv4/conf/eth0/arp_notify=1
nsenter --net=/run/netns/pod1 sysctl -qw net/ipv6/conf/eth0/accept_dad=0
nsenter --net=/run/netns/pod1 ip addr add 10.1.0.3/16 brd + dev eth0
nsenter --net=/run/netns/pod1 ip link set dev eth0 up
nsenter --net=/run/netns/pod1 ip route add default via 10.1.0.1 dev eth0
nsenter --net=/run/netns/pod1 ip link set dev eth0 address <MAC>
)");
    recording::journal::clear();
    del(pod_one());
    CHECK(script() == "ip link delete dev veth3c9666c274d\n");
}

TEST_CASE_FIXTURE(node, "a VLAN with a gateway, a trunk, the spoof check, hairpin mode and isolation") {
    add({.isGateway = true,
         .mtu = 1400,
         .hairpinMode = true,
         .vlan = 100,
         .vlanTrunk = {{{.minID = 10, .maxID = 11}}},
         .macspoofchk = true,
         .portIsolation = true},
        laws::lease({"10.1.0.2/16"}));
    CHECK(script() ==
          R"(ip link add name cni0 address <MAC> mtu 1400 group 1668180344 up type bridge vlan_filtering 1
sysctl -qw net/ipv6/conf/cni0/accept_ra=0
ip link add name veth3c9666c274d address <port MAC> mtu 1400 group 1657830625 master cni0 type veth peer name eth0 address <MAC> mtu 1400 netns /run/netns/pod0
sysctl -qw net/ipv6/conf/veth3c9666c274d/disable_ipv6=1
ip link set dev veth3c9666c274d up alias 'cnix:62d07ce19f2b5045b722308036c7a237:3c9666c274de5202a6fbe508e242cd15 mynet/c1/eth0' group 0
bridge link set dev veth3c9666c274d hairpin on isolated on
bridge vlan del dev veth3c9666c274d vid 1
bridge vlan add dev veth3c9666c274d vid 10
bridge vlan add dev veth3c9666c274d vid 11
bridge vlan add dev veth3c9666c274d vid 100 pvid untagged
nsenter --net=/run/netns/pod0 sysctl -qw net/ipv4/conf/eth0/arp_notify=1
nsenter --net=/run/netns/pod0 sysctl -qw net/ipv6/conf/eth0/accept_dad=0
nsenter --net=/run/netns/pod0 ip addr add 10.1.0.2/16 brd + dev eth0
nsenter --net=/run/netns/pod0 ip link set dev eth0 up
nft -f - <<'END'
add table bridge cnix
add map bridge cnix ports { type ifname : verdict; }
add set bridge cnix macs { type ifname . ether_addr; }
add chain bridge cnix guarded
flush chain bridge cnix guarded
add rule bridge cnix guarded iifname . ether saddr @macs return
add rule bridge cnix guarded drop
add chain bridge cnix prerouting { type filter hook prerouting priority -300; }
flush chain bridge cnix prerouting
add rule bridge cnix prerouting iifname vmap @ports
create element bridge cnix macs { "veth3c9666c274d" . <MAC> comment "3c9666c274de5202a6fbe508e242cd15 mynet/c1/eth0" }
create element bridge cnix ports { "veth3c9666c274d" comment "3c9666c274de5202a6fbe508e242cd15 mynet/c1/eth0" : goto guarded }
END
ip link add name veth2b5c95663ad address <port MAC> mtu 1400 master cni0 type veth peer name cni0.100 address <MAC> mtu 1400
sysctl -qw net/ipv6/conf/veth2b5c95663ad/disable_ipv6=1
bridge vlan del dev veth2b5c95663ad vid 1
bridge vlan add dev veth2b5c95663ad vid 100 pvid untagged
ip link set dev veth2b5c95663ad up
ip link set dev cni0.100 up
ip addr add 10.1.0.1/16 brd + dev cni0.100
nsenter --net=/run/netns/pod0 ip link set dev eth0 address <MAC>
sysctl -qw net/ipv4/ip_forward=1
ip link set dev cni0 group 0
)");
}

TEST_CASE_FIXTURE(node, "a bridge by others, with another address; routes with a table, a scope, an MTU") {
    host.add_bridge({.name = "cni0"_ifname, .up = false});
    host.add_address(index_of("cni0"), {.address = cidr("10.9.0.1/24")});
    recording::journal::clear();
    add({.isGateway = true, .forceAddress = true, .promiscMode = true},
        laws::lease({"10.1.0.2/16"}, {{.dst = cidr("192.168.0.0/16"), .table = 100, .scope = 253},
                                      {.dst = cidr("172.16.0.0/12"), .gw = ip("10.1.0.9"), .mtu = 1300}}));
    CHECK(script() ==
          R"(ip link set dev cni0 up promisc on
ip link add name veth3c9666c274d address <port MAC> group 1657830625 master cni0 type veth peer name eth0 address <MAC> netns /run/netns/pod0
sysctl -qw net/ipv6/conf/veth3c9666c274d/disable_ipv6=1
ip link set dev veth3c9666c274d up alias 'cnix:62d07ce19f2b5045b722308036c7a237:3c9666c274de5202a6fbe508e242cd15 mynet/c1/eth0' group 0
nsenter --net=/run/netns/pod0 sysctl -qw net/ipv4/conf/eth0/arp_notify=1
nsenter --net=/run/netns/pod0 sysctl -qw net/ipv6/conf/eth0/accept_dad=0
nsenter --net=/run/netns/pod0 ip addr add 10.1.0.2/16 brd + dev eth0
nsenter --net=/run/netns/pod0 ip link set dev eth0 up
nsenter --net=/run/netns/pod0 ip route add 192.168.0.0/16 dev eth0 table 100 scope 253
nsenter --net=/run/netns/pod0 ip route add 172.16.0.0/12 via 10.1.0.9 dev eth0 mtu 1300
ip addr del 10.9.0.1/24 dev cni0
ip addr add 10.1.0.1/16 brd + dev cni0
ip link set dev cni0 address <MAC>
nsenter --net=/run/netns/pod0 ip link set dev eth0 address <MAC>
sysctl -qw net/ipv4/ip_forward=1
)");
}

TEST_CASE_FIXTURE(node, "layer 2, with an interface that stays down") {
    add({.disableContainerInterface = true}, {});
    CHECK(script() ==
          R"(ip link add name cni0 address <MAC> group 1668180344 up type bridge
sysctl -qw net/ipv6/conf/cni0/accept_ra=0
ip link add name veth3c9666c274d address <port MAC> group 1657830625 master cni0 type veth peer name eth0 address <MAC> netns /run/netns/pod0
sysctl -qw net/ipv6/conf/veth3c9666c274d/disable_ipv6=1
ip link set dev veth3c9666c274d up alias 'cnix:62d07ce19f2b5045b722308036c7a237:3c9666c274de5202a6fbe508e242cd15 mynet/c1/eth0' group 0
ip link set dev cni0 group 0
)");
}

TEST_CASE_FIXTURE(node, "the result tells the bridge, both ends, and a VLAN's gateway") {
    auto result = add({.isGateway = true}, laws::lease({"10.1.0.2/16"}));
    REQUIRE(result.interfaces.size() == 3);
    CHECK(result.interfaces[0].name == "cni0");
    CHECK(result.interfaces[0].sandbox == "");
    CHECK(result.interfaces[0].mac == host.find_link("cni0"_ifname)->mac.str());
    CHECK(result.interfaces[1].name == "veth3c9666c274d");
    CHECK(result.interfaces[1].mtu == 1500);
    CHECK(result.interfaces[2].name == "eth0");
    CHECK(result.interfaces[2].sandbox == "/run/netns/pod0");
    CHECK(result.ips.at(0).interface == 2U);
    CHECK(result.ips.at(0).gateway == ip("10.1.0.1"));
    del(pod_one());
    result = add({.isGateway = true, .vlan = 5}, laws::lease({"10.2.0.2/16"}));
    REQUIRE(result.interfaces.size() == 4);
    CHECK(result.interfaces[3].name == "cni0.5");
    CHECK(result.ips.at(0).interface == 2U);
}

TEST_CASE_FIXTURE(node, "gateways and default routes: the IPAM's come first") {
    using routes = std::vector<cni::route>;
    auto const any = cidr("0.0.0.0/0");
    cni::lease lease = laws::lease({"10.1.0.2/16"});
    auto const added = [&](link::bridge_config const& config) {
        auto const result = add(config, lease);
        del(pod_one());
        return result;
    };
    CHECK_FALSE(added({}).ips.at(0).gateway); // the bridge is none
    CHECK(added({}).routes == routes{});
    CHECK(added({.isGateway = true}).routes == routes{});
    CHECK(added({.isDefaultGateway = true}).routes == routes{{.dst = any, .gw = ip("10.1.0.1")}});
    lease.routes = {{.dst = any}};
    CHECK(added({.isDefaultGateway = true}).routes == routes{{.dst = any}});
    lease.routes = {{.dst = any, .gw = ip("10.1.0.9")}};
    CHECK(added({.isDefaultGateway = true}).routes == lease.routes);
    lease.routes = {{.dst = any, .table = 100}}; // no default route of the main table
    CHECK(added({.isDefaultGateway = true}).routes.size() == 2);
    lease.routes.clear();
    lease.ips.at(0).gateway = ip("10.1.0.254");
    CHECK(added({.isDefaultGateway = true, .forceAddress = true}).routes ==
          routes{{.dst = any, .gw = ip("10.1.0.254")}});
    CHECK(host.addresses(index_of("cni0")).at(0).address == cidr("10.1.0.254/16"));
}

TEST_CASE_FIXTURE(node, "the MAC address: runtimeConfig before args before CNI_ARGS") {
    auto const mac = [](std::string_view text) { return net::mac::parse(text).value(); };
    auto settings = bridge_settings({});
    auto const pods_mac = [&] {
        auto const text = add(pod_one(), settings, {}).interfaces.at(2).mac;
        del(pod_one());
        return text;
    };
    settings.cni_args.MAC = mac("02:00:00:00:00:03");
    CHECK(pods_mac() == "02:00:00:00:00:03");
    settings.args.mac = mac("02:00:00:00:00:02");
    CHECK(pods_mac() == "02:00:00:00:00:02");
    settings.runtime.mac = mac("02:00:00:00:00:01");
    CHECK(pods_mac() == "02:00:00:00:00:01");
    auto const fresh = state();
    settings.runtime.mac = mac("01:00:5e:00:00:01");
    CHECK(error_of_add(settings, {}) ==
          "the MAC address 01:00:5e:00:00:01 cannot be an interface's: it is a multicast address");
    settings.runtime.mac = net::mac{};
    CHECK(error_of_add(settings, {}) ==
          "the MAC address 00:00:00:00:00:00 cannot be an interface's: it is all zeros");
    CHECK(test::difference(fresh, state()) == "");
}

TEST_CASE_FIXTURE(node, "errors say what is in the way") {
    link::bridge_config const plain;
    add(plain, {});
    CHECK(error_of_add(plain, {}) ==
          "the container c1 is attached to the network mynet as eth0 already (its interface on the "
          "node is veth3c9666c274d); DEL it first");
    del(pod_one());
    add_interface("/run/netns/pod0", "eth0");
    CHECK(error_of_add(plain, {}) ==
          "the interface eth0 exists already in /run/netns/pod0; choose another CNI_IFNAME");
    in_pod([](auto& inside, auto index) { inside.delete_link(index); });
    host.add_address(index_of("cni0"), {.address = cidr("10.9.0.1/24")});
    CHECK(error_of_add({.isGateway = true}) == "failed to set bridge addr: \"cni0\" already has an IP "
                                               "address different from 10.1.0.1/16: 10.9.0.1/24; remove it, "
                                               "or set `forceAddress` to replace it");
    host.delete_link(index_of("cni0"));
    host.add_veth({.host = {.name = "cni0"_ifname}, .peer = {.name = "other"_ifname}});
    CHECK(error_of_add(plain) ==
          "failed to create bridge \"cni0\": \"cni0\" already exists but is not a bridge; remove it, or "
          "set another `bridge`");
    host.delete_link(index_of("cni0"));
    recording::faults::fail_call(2, EOPNOTSUPP); // after looking it up
    CHECK(error_of_add({.vlan = 5}) ==
          "this kernel has no bridge VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING), which `vlan` "
          "and `vlanTrunk` need; leave them out, or use another kernel");
    recording::faults::fail_call(2, EOPNOTSUPP);
    CHECK(error_of_add(plain) == "add the bridge \"cni0\": Operation not supported");
    host.add_veth({.host = {.name = "veth2b5c95663ad"_ifname}, .peer = {.name = "other"_ifname}});
    CHECK(error_of_add({.isGateway = true, .vlan = 100}) ==
          "could not make the VLAN's gateway interface cni0.100: an "
          "interface veth2b5c95663ad is in the way");
    CHECK(host.find_link("veth2b5c95663ad"_ifname)); // which is not ours to remove
}

TEST_CASE_FIXTURE(node, "what a failed ADD did to a bridge stays if a pod has joined it meanwhile") {
    cni::rollback undo;
    {
        auto pod = recording::ns::open("/run/netns/pod0");
        cni::result result;
        bridge.add(pod_one(), bridge_settings({.isGateway = true}), pod, laws::lease({"10.1.0.2/16"}), result,
                   undo);
    }
    auto const other =
        add(pod_one("mynet", "c2", 1), bridge_settings({.isGateway = true}), laws::lease({"10.1.0.3/16"}));
    CHECK(undo.undo().empty());
    auto pod = recording::ns::open("/run/netns/pod1");
    findings found;
    bridge.check(pod_one("mynet", "c2", 1), bridge_settings({.isGateway = true}), pod, other, found);
    CHECK(found == findings{});
    CHECK_FALSE(host.find_link("veth3c9666c274d"_ifname));
}

} // namespace
