#include <cnix/backends/recording/faults.hpp>
#include <cnix/link/bridge.hpp>

#include <doctest/doctest.h>

#include "faults.hpp"
#include <functional>
#include <regex>
#include <string>
#include <vector>

/// An ADD in which one call to the kernel fails, for every call that it makes.
namespace {

using namespace cnix;
using namespace cnix::net::literals;
using test::bridge_settings;
using test::cidr;
using test::ip;
using test::recorded_bridge;
using test::recorded_world;
namespace recording = backends::recording;

cni::attachment pod_one() {
    auto one = laws::attachment("mynet", "c1");
    one.netns = "/run/netns/pod0";
    return one;
}

void add(cni::attachment const& one, link::bridge_config const& config, cni::lease const& lease,
         cni::rollback& undo) {
    auto pod = recording::ns::open(one.netns);
    cni::result result;
    recorded_bridge{}.add(one, bridge_settings(config), pod, lease, result, undo);
}

/// An attachment that is there before.
void attach(std::string_view container, std::string const& netns, link::bridge_config const& config,
            cni::lease const& lease) {
    auto one = laws::attachment("mynet", container);
    one.netns = netns;
    cni::rollback undo;
    add(one, config, lease, undo);
    undo.commit();
}

struct scenario {
    char const* name;
    link::bridge_config config;
    cni::lease lease;
    std::function<void()> before = [] {};
};

/// Makes a bridge as an administrator would, with these addresses.
auto existing(netlink::bridge_spec const& spec, std::vector<std::string> const& addresses = {}) {
    return [=] {
        recording::netlink host;
        host.add_bridge(spec);
        for (std::string const& address : addresses)
            host.add_address(host.find_link(spec.name)->index, {.address = cidr(address), .no_dad = true});
    };
}

std::vector<scenario> scenarios() {
    auto const v4 = laws::lease({"10.1.0.2/16"});
    auto const dual = laws::lease({"10.1.0.2/16", "fd00::2/64"});
    auto const routes = laws::lease({"10.1.0.2/16", "fd00::2/64"},
                                    {{.dst = cidr("0.0.0.0/0")},
                                     {.dst = cidr("172.16.0.0/12"), .gw = ip("10.1.0.9"), .mtu = 1300},
                                     {.dst = cidr("192.168.0.0/16"), .table = 100, .scope = 253},
                                     {.dst = cidr("2001:db8::/32"), .gw = ip("fd00::9"), .priority = 7}});
    netlink::bridge_spec const plain{.name = "cni0"_ifname};
    netlink::bridge_spec const down{.name = "cni0"_ifname, .up = false};
    return {
        {"plain", {}, v4},
        {"layer 2", {}, {}},
        {"layer 2, interface stays down", {.disableContainerInterface = true}, {}},
        {"gateway", {.isGateway = true}, v4},
        {"default gateway, dual stack", {.isDefaultGateway = true}, dual},
        {"two subnets of a family", {.isGateway = true}, laws::lease({"10.1.0.2/16", "10.2.0.2/16"})},
        {"hairpin and isolation", {.hairpinMode = true, .portIsolation = true}, v4},
        {"promiscuous, MTU", {.isGateway = true, .mtu = 1000, .promiscMode = true}, v4},
        {"VLAN", {.vlan = 100}, v4},
        {"VLAN with a gateway", {.isDefaultGateway = true, .vlan = 100}, dual},
        {"VLAN and trunk",
         {.isGateway = true, .vlan = 100, .vlanTrunk = {{{.minID = 10, .maxID = 12}, {.id = 20}}}},
         v4},
        {"trunk beside the default VLAN", {.vlanTrunk = {{{.id = 20}}}, .preserveDefaultVlan = true}, v4},
        {"spoof check", {.isGateway = true, .macspoofchk = true}, dual},
        {"duplicate address detection", {.isGateway = true, .enabledad = true}, dual},
        {"routes", {.isGateway = true}, routes},
        {"everything",
         {.isDefaultGateway = true,
          .mtu = 1400,
          .hairpinMode = true,
          .vlan = 7,
          .macspoofchk = true,
          .portIsolation = true},
         routes},
        {"a bridge by others", {.isDefaultGateway = true}, dual, existing(plain)},
        {"a bridge by others that is down", {.isGateway = true, .promiscMode = true}, dual, existing(down)},
        {"a bridge by others with the address", {.isGateway = true}, v4, existing(down, {"10.1.0.1/16"})},
        {"a bridge by others with another MAC address policy",
         {.isGateway = true},
         v4,
         existing({.name = "cni0"_ifname, .mac = net::mac::parse("02:00:00:00:00:01").value()})},
        {"a bridge by others without VLANs", {.isGateway = true, .vlan = 100}, dual, existing(down)},
        {"forced address", {.isGateway = true, .forceAddress = true}, v4, existing(plain, {"10.9.0.1/24"})},
        {"forced addresses of one subnet",
         {.isGateway = true, .forceAddress = true},
         v4,
         existing(plain, {"10.9.0.1/24", "10.9.0.2/24", "10.9.0.3/24"})},
        {"forced addresses of both families",
         {.isGateway = true, .forceAddress = true},
         dual,
         existing(plain, {"10.9.0.1/24", "fd00::9/64", "fd09::1/64"})},
        {"a bridge by others with a port",
         {.hairpinMode = true},
         v4,
         [] {
             recording::netlink host;
             host.add_bridge({.name = "cni0"_ifname});
             host.add_veth({.host = {.name = "uplink"_ifname},
                            .peer = {.name = "other"_ifname},
                            .master = host.find_link("cni0"_ifname)->index});
         }},
        {"beside another pod",
         {.isDefaultGateway = true, .macspoofchk = true},
         dual,
         [] {
             attach("c2", "/run/netns/pod1", {.isDefaultGateway = true, .macspoofchk = true},
                    laws::lease({"10.1.0.3/16", "fd00::3/64"}));
         }},
        {"beside another pod of the VLAN",
         {.isGateway = true, .vlan = 100},
         v4,
         [] {
             attach("c2", "/run/netns/pod1", {.isGateway = true, .vlan = 100}, laws::lease({"10.1.0.3/16"}));
         }},
        {"where pods have been",
         {.isGateway = true, .vlan = 100},
         v4,
         [] {
             attach("c2", "/run/netns/pod1", {.isGateway = true, .vlan = 100}, laws::lease({"10.1.0.3/16"}));
             recorded_bridge{}.del(laws::attachment("mynet", "c2"), {}, static_cast<recording::ns*>(nullptr));
             recording::netlink host;
             host.change_link(host.find_link("cni0"_ifname)->index, {.up = false});
         }},
    };
}

/// Sysctls that a kernel may lack, without which the pod works all the same.
std::regex const dispensable{
    ".*sysctl -qw "
    "net/(ipv4/conf/[^/]+/arp_notify|ipv6/conf/[^/]+/(accept_ra|enhanced_dad|accept_dad|disable_ipv6|"
    "keep_addr_on_down|ndisc_notify))=[01]"};

TEST_CASE("whatever call fails, a failed ADD leaves the node as it was") {
    for (auto const& [name, config, lease, prepare] : scenarios()) {
        INFO(name);
        test::whatever_call_fails(
            prepare, [&](cni::rollback& undo) { add(pod_one(), config, lease, undo); }, dispensable);
    }
}

TEST_CASE("whatever call of an undo fails once, the node is as it was") {
    recorded_world here;
    auto const config =
        link::bridge_config{.isDefaultGateway = true, .forceAddress = true, .macspoofchk = true};
    auto const prepare = existing({.name = "cni0"_ifname, .up = false}, {"10.9.0.1/24"});
    auto const lease = laws::lease({"10.1.0.2/16", "fd00::2/64"});
    prepare();
    cni::rollback whole;
    add(pod_one(), config, lease, whole);
    recording::faults::clear();
    CHECK(whole.undo() == std::vector<std::string>{});
    unsigned const calls = recording::faults::calls();
    for (unsigned n = 1; n <= calls; ++n) {
        INFO("call ", n, " of ", calls, " of the undo fails");
        recorded_world again;
        prepare();
        auto const before = again.state();
        cni::rollback undo;
        add(pod_one(), config, lease, undo);
        recording::faults::clear();
        recording::faults::fail_call(n, ENOBUFS);
        CHECK(undo.undo() == std::vector<std::string>{});
        CHECK_FALSE(recording::faults::pending());
        recording::faults::clear();
        CHECK(test::difference(before, again.state()) == "");
    }
}

} // namespace
