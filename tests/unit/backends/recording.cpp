#include <cnix/backends/recording.hpp>
#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/cni/error.hpp>

#include <doctest/doctest.h>

#include "laws/netlink_ip_laws.hpp"
#include "laws/netlink_laws.hpp"
#include "laws/ns_laws.hpp"

using namespace cnix;
using namespace cnix::net::literals;
namespace recording = cnix::backends::recording;

namespace {
struct fresh {
    fresh() { recording::reset(); }
};

struct fake : fresh {
    recording::netlink host;
    recording::ns pod = recording::ns::open("/run/netns/pod");
    recording::netlink inside = pod.run([] { return recording::netlink{}; });

    static bool can_filter_vlans() { return true; }
    template <class Condition> static bool becomes(Condition condition) { return condition(); }
};

std::vector<std::string> lines() { return recording::journal::lines(); }
std::string last() { return lines().empty() ? "" : lines().back(); }
} // namespace

TEST_CASE("links") { test::link_laws<fake>(); }
TEST_CASE("VLANs") { test::vlan_laws<fake>(); }
TEST_CASE("bridge ports") { test::port_laws<fake>(); }
TEST_CASE("addresses") { test::address_laws<fake>(); }
TEST_CASE("IPv4 routes") { test::route_laws<fake>(test::ipv4_routes); }
TEST_CASE("IPv6 routes") { test::route_laws<fake>(test::ipv6_routes); }
TEST_CASE("IPv4 rules") { test::rule_laws<fake>(net::family::ipv4, "10.1.0.5/32", "10.2.0.0/16"); }
TEST_CASE("IPv6 rules") { test::rule_laws<fake>(net::family::ipv6, "fd00::5/128", "fd02::/48"); }
TEST_CASE("lookups") {
    test::reach_laws<fake>("10.7.0.1", "10.7.0.5");
    test::reach_laws<fake>("fd07::1", "fd07::5");
}
TEST_CASE("neighbours") { test::neighbour_laws<fake>(); }
TEST_CASE("sysctls") { test::sysctl_laws<fake>(); }

TEST_CASE("recording::ns follows the laws of ns_policy") {
    recording::reset();
    laws::ns_laws<recording::ns>{{"/run/netns/pod", "/run/netns/other",
                                  [] { recording::kernel::self().remove_pod("/run/netns/pod"); }}}
        .all();
}

TEST_CASE("the journal is a script") {
    fake here;
    here.host.add_bridge({.name = "cni0"_ifname, .mtu = 1400, .mac = test::mac("02:00:00:00:00:01")});
    auto const bridge = here.host.find_link("cni0"_ifname)->index;
    here.host.add_veth({.host = {.name = "veth1"_ifname},
                        .peer = {.name = "eth0"_ifname, .mac = test::mac("02:00:00:00:00:02")},
                        .peer_netns = here.pod.fd(),
                        .mtu = 1400,
                        .master = bridge});
    here.host.change_link(here.host.find_link("veth1"_ifname)->index, {.alias = "cnix:it's a pod"});
    here.pod.run([&] {
        recording::netlink inside;
        auto const eth0 = inside.find_link("eth0"_ifname)->index;
        inside.set_sysctl("net/ipv4/conf/eth0/arp_notify", "1");
        inside.add_address(eth0, {.address = test::cidr("10.1.0.2/16")});
        inside.change_link(eth0, {.up = true});
        inside.add_route({.dst = test::cidr("0.0.0.0/0"), .gateway = test::ip("10.1.0.1"), .device = eth0});
    });
    here.host.change_port(here.host.find_link("veth1"_ifname)->index, {.hairpin = true});
    CHECK(recording::journal::text() ==
          R"(ip link add name cni0 address 02:00:00:00:00:01 mtu 1400 up type bridge
ip link add name veth1 mtu 1400 master cni0 up type veth peer name eth0 address 02:00:00:00:00:02 mtu 1400 netns /run/netns/pod
ip link set dev veth1 alias 'cnix:it'\''s a pod'
nsenter --net=/run/netns/pod sysctl -qw net/ipv4/conf/eth0/arp_notify=1
nsenter --net=/run/netns/pod ip addr add 10.1.0.2/16 brd + dev eth0
nsenter --net=/run/netns/pod ip link set dev eth0 up
nsenter --net=/run/netns/pod ip route add default via 10.1.0.1 dev eth0
bridge link set dev veth1 hairpin on isolated off
)");
}

TEST_CASE("what fails or finds nothing to remove is not journalled") {
    fake here;
    here.host.add_bridge({.name = "cni0"_ifname});
    REQUIRE(lines().size() == 1);
    CHECK(test::error_of([&] { here.host.add_bridge({.name = "cni0"_ifname}); }) == EEXIST);
    CHECK_FALSE(here.host.delete_link(4711));
    CHECK_FALSE(
        here.host.delete_address(here.host.find_link("cni0"_ifname)->index, test::cidr("10.1.0.1/16")));
    CHECK(lines().size() == 1);
}

TEST_CASE("commands of an IPv6 route, a rule, a neighbour, VLANs and deletions") {
    test::with_veth<fake> here;
    here.host.add_bridge({.name = "cni0"_ifname, .vlan_filtering = true, .up = false});
    CHECK(last() == "ip link add name cni0 type bridge vlan_filtering 1");
    here.host.change_link(here.v, {.master = here.host.find_link("cni0"_ifname)->index, .mtu = 1300});
    CHECK(last() == "ip link set dev v mtu 1300 master cni0");
    here.host.change_link(here.v, {.up = false});
    here.host.change_link(here.v, {.up = true, .name = "w"_ifname});
    CHECK(*(lines().end() - 2) == "ip link set dev v name w");
    CHECK(last() == "ip link set dev w up");
    here.host.change_link(here.v, {.up = false});
    here.host.change_link(here.v, {.up = true, .name = "v"_ifname});
    here.host.change_link(here.e, {.up = true, .addr_gen_mode = 1});
    CHECK(*(lines().end() - 2) == "ip link set dev e addrgenmode none");
    CHECK(last() == "ip link set dev e up");
    here.host.add_port_vlan(here.v, {100, true, true});
    CHECK(last() == "bridge vlan add dev v vid 100 pvid untagged");
    CHECK(here.host.delete_port_vlan(here.v, {.vid = 1}));
    CHECK(last() == "bridge vlan del dev v vid 1");
    here.host.change_link(here.v, {.master = 0});
    CHECK(last() == "ip link set dev v nomaster");
    here.host.add_address(here.v, {.address = test::cidr("fd00::2/64"), .no_dad = true});
    CHECK(last() == "ip addr add fd00::2/64 dev v nodad");
    here.host.add_route({.dst = test::cidr("::/0"),
                         .gateway = test::ip("fd00::1"),
                         .device = here.v,
                         .priority = 9,
                         .table = 1000,
                         .mtu = 1300,
                         .advmss = 1200,
                         .protocol = 77});
    CHECK(last() ==
          "ip -6 route add default via fd00::1 dev v metric 9 table 1000 proto 77 mtu 1300 advmss 1200");
    here.host.add_rule({.family = net::family::ipv4,
                        .priority = 512,
                        .table = 1000,
                        .source = test::cidr("10.1.0.2/32"),
                        .mark = 0x80,
                        .mask = 0xff,
                        .protocol = 77});
    CHECK(last() == "ip rule add priority 512 from 10.1.0.2/32 fwmark 0x80/0xff table 1000 protocol 77");
    netlink::neighbour_spec const gateway{test::ip("169.254.1.1"), test::mac("02:00:00:00:00:09"), here.v};
    here.host.replace_neighbour(gateway);
    CHECK(last() == "ip neigh replace 169.254.1.1 lladdr 02:00:00:00:00:09 dev v nud permanent");
    CHECK(here.host.delete_neighbour(gateway));
    CHECK(last() == "ip neigh del 169.254.1.1 dev v");
    CHECK(here.host.delete_link(here.v));
    CHECK(last() == "ip link delete dev v");
}

TEST_CASE("a second gateway is no `ip route add`") {
    test::with_veth<fake> here;
    here.host.add_address(here.v, {.address = test::cidr("10.1.0.2/16")});
    netlink::route_spec route{
        .dst = test::cidr("0.0.0.0/0"), .gateway = test::ip("10.1.0.1"), .device = here.v};
    here.host.add_route(route);
    CHECK(last() == "ip route add default via 10.1.0.1 dev v");
    route.gateway = test::ip("10.1.0.3");
    here.host.add_route(route);
    CHECK(last() == "ip route prepend default via 10.1.0.3 dev v");
    route.gateway = test::ip("10.1.0.4");
    here.host.replace_route(route);
    CHECK(last() == "ip route replace default via 10.1.0.4 dev v");
}

TEST_CASE("the n-th call fails once, as asked") {
    fake here;
    recording::faults::fail_call(2, ENOMEM);
    CHECK(here.host.links().size() == 1);
    CHECK(recording::faults::pending());
    CHECK(test::text_of([&] { here.host.add_bridge({.name = "cni0"_ifname}); }) ==
          "add the bridge \"cni0\": Cannot allocate memory");
    CHECK_FALSE(recording::faults::pending());
    CHECK(lines().empty());
    CHECK_FALSE(here.host.find_link("cni0"_ifname));
    here.host.add_bridge({.name = "cni0"_ifname});
    CHECK(lines().size() == 1);
    CHECK(recording::faults::calls() == 4);
}

TEST_CASE("a pod that ends takes its veths along") {
    fake here;
    here.host.add_veth(
        {.host = {.name = "veth1"_ifname}, .peer = {.name = "eth0"_ifname}, .peer_netns = here.pod.fd()});
    recording::kernel::self().remove_pod("/run/netns/pod");
    CHECK_FALSE(here.host.find_link("veth1"_ifname));
    CHECK_FALSE(recording::ns::find("/run/netns/pod"));
    try {
        static_cast<void>(recording::ns::open("/run/netns/pod"));
        FAIL("it was opened");
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::invalid_netns);
    }
}

TEST_CASE("a word that a shell would change is quoted") {
    CHECK(recording::quoted("plain-1.2/3:4@5") == "plain-1.2/3:4@5");
    CHECK(recording::quoted("") == "''");
    CHECK(recording::quoted("a b") == "'a b'");
    CHECK(recording::quoted("$(x)") == "'$(x)'");
    CHECK(recording::quoted("it's") == "'it'\\''s'");
    CHECK(recording::quoted("~root") == "'~root'");
    CHECK(recording::quoted("#x") == "'#x'");
}

TEST_CASE("a prefix nests") {
    recording::reset();
    {
        recording::journal::prefix const outer{"a "};
        {
            recording::journal::prefix const inner{"b "};
            recording::journal::append("x", {"not x", "nor x"});
        }
        recording::journal::append("y", {});
    }
    recording::journal::append("z", {"not z"});
    CHECK(recording::journal::text() == "b x\na y\nz\n");
    auto const& steps = recording::journal::steps();
    CHECK(steps[0].undo == std::vector<std::string>{"b not x", "b nor x"});
    CHECK(steps[1].undo.empty());
    CHECK(steps[2].undo == std::vector<std::string>{"not z"});
}
