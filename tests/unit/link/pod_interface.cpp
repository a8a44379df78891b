#include <cnix/backends/recording.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/link/pod_interface.hpp>
#include <cnix/link/veth_pair.hpp>

#include <doctest/doctest.h>

#include "laws/netlink_laws.hpp"
#include <cerrno>
#include <string>
#include <vector>

namespace {

using namespace cnix;
using namespace cnix::net::literals;
using test::cidr;
using test::ip;
namespace recording = backends::recording;

std::vector<cni::ip> const dual{{.address = cidr("10.1.0.5/16"), .gateway = ip("10.1.0.1")},
                                {.address = cidr("fd00::5/64"), .gateway = ip("fd00::1")},
                                {.address = cidr("10.2.0.5/16"), .gateway = ip("10.2.0.1")}};

TEST_CASE("the first gateway of a family") {
    CHECK(link::first_gateway(dual, net::family::ipv4) == ip("10.1.0.1"));
    CHECK(link::first_gateway(dual, net::family::ipv6) == ip("fd00::1"));
    CHECK_FALSE(link::first_gateway({}, net::family::ipv4));
    CHECK_FALSE(link::first_gateway({{.address = cidr("10.1.0.5/16")}}, net::family::ipv4));
    CHECK(link::first_gateway({{.address = cidr("10.1.0.5/16")}, dual[2]}, net::family::ipv4) ==
          ip("10.2.0.1"));
    CHECK(link::has_family(dual, net::family::ipv6));
    CHECK_FALSE(link::has_family({dual[0]}, net::family::ipv6));
}

TEST_CASE("a route without a gateway takes the first of its family, unless its scope needs none") {
    auto const gateway = [](cni::route const& route) { return link::kernel_route(route, dual, 7).gateway; };
    CHECK(gateway({.dst = cidr("0.0.0.0/0")}) == ip("10.1.0.1"));
    CHECK(gateway({.dst = cidr("::/0")}) == ip("fd00::1"));
    CHECK(gateway({.dst = cidr("0.0.0.0/0"), .gw = ip("10.1.0.9")}) == ip("10.1.0.9"));
    CHECK(gateway({.dst = cidr("0.0.0.0/0"), .scope = 0}) == ip("10.1.0.1"));
    CHECK(gateway({.dst = cidr("0.0.0.0/0"), .scope = 252}) == ip("10.1.0.1"));
    CHECK_FALSE(gateway({.dst = cidr("172.16.0.0/12"), .scope = 253}));
    CHECK_FALSE(gateway({.dst = cidr("172.16.0.0/12"), .scope = 254}));
    CHECK(gateway({.dst = cidr("172.16.0.0/12"), .gw = ip("10.1.0.9"), .scope = 253}) == ip("10.1.0.9"));
    CHECK_FALSE(link::kernel_route({.dst = cidr("::/0")}, {dual[0]}, 7).gateway);
}

TEST_CASE("a route keeps the rest of what it was given") {
    auto const spec = link::kernel_route(
        {.dst = cidr("10.9.8.7/8"), .mtu = 1300, .advmss = 1200, .priority = 50, .table = 100, .scope = 0},
        dual, 7);
    CHECK(spec.dst == cidr("10.0.0.0/8")); // the kernel refuses host bits
    CHECK(spec.device == 7);
    CHECK(spec.mtu == 1300);
    CHECK(spec.advmss == 1200);
    CHECK(spec.priority == 50);
    CHECK(spec.table == 100);
    CHECK(spec.scope == 0U);
    auto const plain = link::kernel_route({.dst = cidr("10.0.0.0/8")}, dual, 7);
    CHECK(plain.table == 254);
    CHECK_FALSE(plain.scope);
}

TEST_CASE("whether the kernel's route is the wanted one") {
    netlink::route_spec const wanted{.dst = cidr("10.0.0.0/8"), .gateway = ip("10.1.0.1"), .device = 7};
    netlink::route_spec const actual{.dst = cidr("10.0.0.0/8"),
                                     .gateway = ip("10.1.0.1"),
                                     .device = 7,
                                     .priority = 10,
                                     .scope = 0,
                                     .mtu = 1400,
                                     .advmss = 1300};
    auto const with = [](netlink::route_spec route, auto change) {
        change(route);
        return route;
    };
    using route = netlink::route_spec;
    CHECK(link::fulfils(actual, wanted)); // what is left open may be anything
    CHECK(link::fulfils(actual, actual));
    for (auto const& other :
         {with(actual, [](route& r) { r.dst = cidr("10.0.0.0/9"); }),
          with(actual, [](route& r) { r.gateway = ip("10.1.0.2"); }),
          with(actual, [](route& r) { r.gateway.reset(); }), with(actual, [](route& r) { r.device = 8; }),
          with(actual, [](route& r) { r.table = 100; })})
        CHECK_FALSE(link::fulfils(other, wanted));
    for (auto const& stricter :
         {with(actual, [](route& r) { r.priority = 11; }), with(actual, [](route& r) { r.mtu = 1500; }),
          with(actual, [](route& r) { r.advmss = 1; }), with(actual, [](route& r) { r.scope = 253; })})
        CHECK_FALSE(link::fulfils(actual, stricter));
    CHECK(link::fulfils(actual, with(wanted, [](route& r) { r.gateway.reset(); })));
    // IPv6 routes have no scope.
    CHECK(link::fulfils({.dst = cidr("fd01::/64"), .device = 7, .scope = 0},
                        {.dst = cidr("fd01::/64"), .device = 7, .scope = 253}));
}

TEST_CASE("a route for people") {
    CHECK(link::describe({.dst = cidr("0.0.0.0/0")}) == "0.0.0.0/0");
    CHECK(link::describe({.dst = cidr("10.1.0.0/16"),
                          .gateway = ip("10.2.0.1"),
                          .priority = 5,
                          .table = 100,
                          .mtu = 1400,
                          .advmss = 1300}) ==
          "10.1.0.0/16 via 10.2.0.1 metric 5 table 100 mtu 1400 advmss 1300");
}

/// A pod with eth0, and the namespace entered.
struct in_a_pod {
    in_a_pod() {
        recording::reset();
        recording::kernel::self().enter(*recording::kernel::self().pod("/run/netns/pod"));
        kernel = recording::netlink{};
        kernel.add_veth({.host = {.name = "eth0"_ifname}, .peer = {.name = "peer"_ifname}});
        recording::journal::clear();
    }
    netlink::link eth0() { return *kernel.find_link("eth0"_ifname); }
    /// The commands, all of which are the pod's.
    std::string text() const {
        constexpr std::string_view there = "nsenter --net=/run/netns/pod ";
        std::string all;
        for (std::string const& line : recording::journal::lines()) {
            CHECK_MESSAGE(line.starts_with(there), line);
            all += line.substr(there.size()) + '\n';
        }
        return all;
    }
    std::vector<std::string> missing(cni::result const& previous, unsigned interface = 0) {
        std::vector<std::string> found;
        link::check_pod_interface(kernel, eth0(), previous, interface, found);
        return found;
    }

    recording::netlink kernel;
};
using strings = std::vector<std::string>;

TEST_CASE_FIXTURE(in_a_pod, "an IPv4 lease") {
    link::configure_pod_interface(kernel, eth0(), {.ips = {dual[0]}, .routes = {{.dst = cidr("0.0.0.0/0")}}},
                                  false);
    CHECK(text() == R"(sysctl -qw net/ipv4/conf/eth0/arp_notify=1
sysctl -qw net/ipv6/conf/eth0/accept_dad=0
ip addr add 10.1.0.5/16 brd + dev eth0
ip link set dev eth0 up
ip route add default via 10.1.0.1 dev eth0
)");
}

TEST_CASE_FIXTURE(in_a_pod, "an IPv6 lease in a pod where IPv6 is off") {
    kernel.set_sysctl("net/ipv6/conf/lo/disable_ipv6", "1");
    kernel.set_sysctl("net/ipv6/conf/eth0/disable_ipv6", "1");
    recording::journal::clear();
    link::configure_pod_interface(kernel, eth0(), {.ips = {dual[1]}, .routes = {}}, false);
    CHECK(text() == R"(sysctl -qw net/ipv4/conf/eth0/arp_notify=1
sysctl -qw net/ipv6/conf/eth0/accept_dad=0
sysctl -qw net/ipv6/conf/lo/disable_ipv6=0
sysctl -qw net/ipv6/conf/eth0/disable_ipv6=0
sysctl -qw net/ipv6/conf/eth0/keep_addr_on_down=1
sysctl -qw net/ipv6/conf/eth0/ndisc_notify=1
ip addr add fd00::5/64 dev eth0 nodad
ip link set dev eth0 up
)");
}

TEST_CASE_FIXTURE(in_a_pod, "duplicate address detection") {
    link::configure_pod_interface(kernel, eth0(), {.ips = {dual[1]}, .routes = {}}, true);
    CHECK(text() == R"(sysctl -qw net/ipv4/conf/eth0/arp_notify=1
sysctl -qw net/ipv6/conf/eth0/enhanced_dad=1
sysctl -qw net/ipv6/conf/eth0/accept_dad=1
sysctl -qw net/ipv6/conf/eth0/keep_addr_on_down=1
sysctl -qw net/ipv6/conf/eth0/ndisc_notify=1
ip addr add fd00::5/64 dev eth0
ip link set dev eth0 up
)");
    auto& address = recording::kernel::self().current().find("eth0")->addresses.front();
    address.dad_failed = true;
    CHECK_THROWS_WITH_AS(
        link::settle_addresses(kernel, eth0()),
        "the address fd00::5/64 of eth0 is in use by somebody else (duplicate address detection failed)",
        cni::error);
}

TEST_CASE_FIXTURE(in_a_pod, "sysctls that a kernel lacks") {
    CHECK_NOTHROW(link::try_sysctl(kernel, "net/ipv4/conf/none/arp_notify", "1"));
    CHECK_THROWS_AS(link::ensure_sysctl(kernel, "net/ipv4/conf/none/arp_notify", "1"), std::system_error);
    link::ensure_sysctl(kernel, "net/ipv6/conf/eth0/accept_dad", "1"); // as it is
    CHECK(text() == "");
    link::ensure_sysctl(kernel, "net/ipv6/conf/eth0/accept_dad", "0");
    CHECK(text() == "sysctl -qw net/ipv6/conf/eth0/accept_dad=0\n");
}

TEST_CASE_FIXTURE(in_a_pod, "what of a result is missing") {
    cni::result result;
    result.interfaces = {{.name = "eth0"}};
    result.ips = {dual[0], dual[1]};
    for (auto& one : result.ips) one.interface = 0;
    result.routes = {{.dst = cidr("0.0.0.0/0")}, {.dst = cidr("fd09::/64"), .gw = ip("fd00::9")}};
    CHECK(missing(result) == strings{"the address 10.1.0.5/16 is missing on eth0",
                                     "the address fd00::5/64 is missing on eth0",
                                     "the route 0.0.0.0/0 via 10.1.0.1 is missing on eth0",
                                     "the route fd09::/64 via fd00::9 is missing on eth0"});
    link::configure_pod_interface(kernel, eth0(), result, false);
    CHECK(missing(result) == strings{});
    kernel.add_address(eth0().index, {.address = cidr("10.7.0.1/16")});
    kernel.add_route({.dst = cidr("10.99.0.0/16"), .device = eth0().index});
    CHECK(missing(result) == strings{}); // what others added is no fault
    kernel.delete_route({.dst = cidr("0.0.0.0/0"), .device = eth0().index});
    CHECK(missing(result) == strings{"the route 0.0.0.0/0 via 10.1.0.1 is missing on eth0"});
}

TEST_CASE_FIXTURE(in_a_pod, "a chained result has addresses and routes of other interfaces, too") {
    kernel.add_veth({.host = {.name = "net1"_ifname}, .peer = {.name = "peer1"_ifname}});
    auto const net1 = kernel.find_link("net1"_ifname)->index;
    kernel.add_address(net1, {.address = cidr("10.8.0.5/16")});
    kernel.change_link(net1, {.up = true});
    kernel.add_route({.dst = cidr("172.16.0.0/12"), .gateway = ip("10.8.0.1"), .device = net1});
    cni::result result;
    result.interfaces = {{.name = "net1"}, {.name = "eth0"}};
    result.ips = {{.address = cidr("10.8.0.5/16"), .gateway = ip("10.8.0.1"), .interface = 0}, dual[0]};
    result.ips[1].interface = 1;
    link::configure_pod_interface(kernel, eth0(), {.ips = {dual[0]}, .routes = {{.dst = cidr("0.0.0.0/0")}}},
                                  false);
    result.routes = {{.dst = cidr("172.16.0.0/12")}, {.dst = cidr("0.0.0.0/0")}};
    CHECK(missing(result, 1) == strings{});
    result.routes.push_back({.dst = cidr("192.168.0.0/16")}); // on neither
    CHECK(missing(result, 1) == strings{"the route 192.168.0.0/16 via 10.1.0.1 is missing on eth0"});
}

} // namespace
