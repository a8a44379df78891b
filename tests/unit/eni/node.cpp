#include <cnix/backends/recording.hpp>
#include <cnix/backends/recording/commands.hpp>
#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/backends/recording/nft_ruleset.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/eni/node.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/nat/none.hpp>

#include <boost/algorithm/string/join.hpp>
#include <doctest/doctest.h>

#include <set>

namespace {

using namespace cnix;
namespace recording = backends::recording;
using tested = eni::node<recording::netlink, nat::nftables<recording::nft>>;

net::address ip(std::string_view text) { return net::address::parse(text).value(); }
net::prefix cidr(std::string_view text) { return net::prefix::parse(text).value(); }

struct fresh {
    fresh() { recording::reset(); }
};

/// A node as it boots: eth0 has its addresses, eth1 is there and down.
struct world : fresh {
    world() {
        for (int i = 0; i < 2; ++i) {
            auto const n = std::to_string(i);
            auto const mac = net::mac::parse("02:00:00:00:01:0" + n).value();
            host.add_veth({.host = {.name = *net::interface_name::parse("eth" + n), .mac = mac},
                           .peer = {.name = *net::interface_name::parse("wire" + n)},
                           .host_up = i == 0});
            auto const subnet = cidr("10.0." + std::to_string(i + 1) + ".0/24");
            enis.push_back({.id = "eni-" + n,
                            .mac = mac,
                            .device_number = i,
                            .primary = subnet.first() + 10,
                            .subnets = {{subnet, subnet.first() + 1},
                                        {cidr("fd00:0:0:" + n + "::/64"), ip("fe80:ec2::1")}}});
        }
        host.add_address(index(0), {.address = cidr("10.0.1.10/24")});
        host.add_route({.dst = cidr("0.0.0.0/0"), .gateway = ip("10.0.1.1"), .device = index(0)});
        host.add_rule({.priority = 1024, .table = 99, .mark = 0x4000, .mask = 0x4000});
        host.add_route({.dst = cidr("fe80::/64"), .device = index(0)});
        recording::journal::clear();
    }
    netlink::index index(int eni) {
        return host.find_link(*net::interface_name::parse("eth" + std::to_string(eni)))->index;
    }
    /// What is kept but for what remove() leaves.
    std::string state() {
        std::string text = recording::nft::ruleset().text();
        for (auto const family : {net::family::ipv4, net::family::ipv6}) {
            for (auto const& rule : host.rules(family)) text += recording::commands::rule("add", rule) + '\n';
            for (auto const& route : host.routes(family))
                text += recording::commands::route(recording::kernel::self().current(), "add", route) + '\n';
        }
        for (auto const& link : host.links())
            for (auto const& one : host.addresses(link.index))
                text += link.name + ' ' + one.address.str() + '\n';
        return text;
    }
    std::vector<eni::node_config> configs() const {
        eni::node_config const usual{.vpcCIDRs = {cidr("10.0.0.0/16")}};
        std::vector<eni::node_config> all(7, usual);
        all[1].ipv6 = true;
        all[2].externalServiceCIDRs = {cidr("192.0.2.0/24"), cidr("192.0.2.1/24"), cidr("2001:db8::/32")};
        all[3].enablePodENI = all[3].ipv6 = true;
        all[4].connmark = "0x100";
        all[5].externalSNAT = true;
        all[5].nodePortSupport = false;
        all[6].ipv4 = false;
        all[6].ipv6 = all[6].ipv4Egress = true;
        return all;
    }
    recording::netlink host;
    std::vector<eni::network_interface> enis;
};

TEST_CASE_FIXTURE(
    world, "set up, a second time nothing is changed, check finds nothing, and remove leaves nothing") {
    auto const before = state();
    for (auto const& config : configs()) {
        CHECK(tested{}.check(config, enis) != findings{});
        CHECK(state() == before);
        tested{}.set_up(config, enis);
        CHECK(boost::algorithm::join(tested{}.check(config, enis), "\n") == "");
        recording::journal::clear();
        tested{}.set_up(config, enis);
        CHECK(recording::journal::text() == "");
        tested{}.remove(enis);
        CHECK(state() == before);
        tested{}.remove(enis);
        host.change_link(index(1), {.up = false});
    }
}

TEST_CASE_FIXTURE(world,
                  "without an inventory, what has the protocol number is removed, and addresses stay") {
    static_assert(eni::is_eni_table(2) && eni::is_eni_table(100) && eni::is_eni_table(10100));
    static_assert(!eni::is_eni_table(101) && !eni::is_eni_table(4194) && !eni::is_eni_table(254) &&
                  !eni::is_eni_table(0));
    host.change_link(index(1), {.up = true});
    host.add_route({.dst = cidr("198.51.100.0/24"), .device = index(1), .table = 2});
    host.add_route(
        {.dst = cidr("10.0.5.5/32"), .device = index(0), .table = 142, .protocol = eni::protocol}); // a pod's
    host.add_rule({.priority = 32765, .table = 77, .source = cidr("192.0.2.77/32")});
    auto const before = state();
    for (auto const& config : configs()) {
        tested{}.set_up(config, enis);
        tested{}.remove();
        if (config.ipv4) {
            CHECK(host.addresses(index(1)).size() == 1);
            host.delete_address(index(1), cidr("10.0.2.10/24"));
        }
        CHECK(state() == before);
    }
}

TEST_CASE_FIXTURE(world, "another configuration leaves no trace of the one before") {
    std::vector<std::string> states;
    for (auto const& config : configs()) {
        tested{}.set_up(config, enis);
        states.push_back(state());
        tested{}.remove(enis);
    }
    auto const sorted = [](std::string const& text) {
        return std::multiset<char>{text.begin(), text.end()}; // routes stand in the order they were made in
    };
    for (std::size_t from = 0; from < states.size(); ++from)
        for (std::size_t to = 0; to < states.size(); ++to) {
            CAPTURE(from);
            CAPTURE(to);
            tested{}.set_up(configs()[from], enis);
            tested{}.set_up(configs()[to], enis);
            CHECK(tested{}.check(configs()[to], enis) == findings{});
            // Of a family that is given up, addresses are left alone.
            if (to != 6) CHECK(sorted(state()) == sorted(states[to]));
        }
}

TEST_CASE_FIXTURE(world, "the commands of an ENI") {
    eni::set_up_eni(host, enis[1], 9001, {net::family::ipv4});
    CHECK(recording::journal::text() == R"(ip link set dev eth1 mtu 9001
ip link set dev eth1 up
ip addr add 10.0.2.10/24 brd + dev eth1
ip route replace 10.0.2.1/32 dev eth1 table 2 proto 201
ip route replace default via 10.0.2.1 dev eth1 table 2 proto 201
ip route del 10.0.2.0/24 dev eth1 scope 253 proto 2
ip rule add priority 32765 from 10.0.2.10/32 table 2 protocol 201
)");
    recording::journal::clear();
    eni::set_up_eni(host, enis[1], 9001, {net::family::ipv4});
    CHECK(recording::journal::text() == "");
    enis[1].primary = ip("10.0.2.11");
    eni::set_up_eni(host, enis[1], 9001, {net::family::ipv4});
    CHECK(host.addresses(index(1)).size() == 1);
    auto const rules = host.rules(net::family::ipv4);
    CHECK(std::ranges::count(rules, 32765u, &netlink::rule_spec::priority) == 2);
    eni::tear_down_eni(host, enis[1]);
    CHECK(host.addresses(index(1)).empty());
    CHECK(host.routes(net::family::ipv4, index(1)).empty());
    CHECK(std::ranges::count(host.rules(net::family::ipv4), 32765u, &netlink::rule_spec::priority) == 0);
}

TEST_CASE_FIXTURE(world, "the main table is refused, and an ENI that is not there is named") {
    CHECK_THROWS_WITH_AS(
        eni::set_up_eni(host, enis[0], 9001, {net::family::ipv4}),
        "the ENI eni-0 is the primary one, or has its table 254: its routes are the node's own", cni::error);
    auto absent = enis[1];
    absent.mac = net::mac::parse("02:00:00:00:01:99").value();
    try {
        eni::set_up_eni(host, absent, 9001, {net::family::ipv4});
        FAIL_CHECK("it was found");
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::try_again_later);
        CHECK(e.message() ==
              "no interface of the node has the MAC address 02:00:00:00:01:99 of the ENI eni-1: it is "
              "not attached yet, or not any more; try again");
    }
    eni::tear_down_eni(host, absent);
    CHECK(recording::journal::text() == "");
}

/// What is said of an inventory that is not the node's, and what has been changed.
void refused(world& node, std::vector<eni::network_interface> const& enis, findings told,
             eni::node_config const& config) {
    for (auto& one : told)
        one = "the inventory of ENIs eni.json is not this node's: " + one +
              "; correct `mac`, `deviceNumber` and `primaryAddress` in it: nothing is changed until then";
    auto const found = boost::algorithm::join(tested{"eni.json"}.check(config, enis), "\n");
    CHECK(found.starts_with(boost::algorithm::join(told, "\n")));
    CHECK(found.find("is missing") == std::string::npos);
    auto const before = node.state();
    recording::journal::clear();
    CHECK_THROWS_WITH_AS(tested{"eni.json"}.set_up(config, enis), boost::algorithm::join(told, "\n").c_str(),
                         cni::error);
    CHECK(recording::journal::text() == "");
    CHECK(node.state() == before);
}

TEST_CASE_FIXTURE(world, "an inventory that the node contradicts is refused, before a set-up and after") {
    std::string const lacks_first = "the interface eth0 of the primary ENI eni-0 (MAC address "
                                    "02:00:00:00:01:00) does not have its primary address 10.0.1.11";
    std::string const carries = "the interface eth0 of the ENI eni-1 carries the node's IPv4 default route, "
                                "which is the primary ENI's";
    for (bool const set_up : {false, true}) {
        auto const config = configs()[set_up ? 1 : 0];
        if (set_up) tested{}.set_up(config, enis);
        auto wrong = enis;
        wrong[0].primary = ip("10.0.1.11");
        refused(*this, wrong, {lacks_first}, config);
        wrong = enis;
        std::swap(wrong[0].mac, wrong[1].mac);
        refused(*this, wrong,
                {"the interface eth1 of the primary ENI eni-0 (MAC address 02:00:00:00:01:01) does not have "
                 "its primary address 10.0.1.10",
                 carries, "the interface eth0 of the ENI eni-1 has the primary ENI's address 10.0.1.10"},
                config);
        wrong = enis;
        std::swap(wrong[0].device_number, wrong[1].device_number);
        findings swapped{
            "the interface eth1 of the primary ENI eni-1 (MAC address 02:00:00:00:01:01) does not "
            "have its primary address 10.0.2.10",
            "the interface eth0 of the ENI eni-0 carries the node's IPv4 default route, which is "
            "the primary ENI's"};
        if (set_up) swapped.erase(swapped.begin()); // eth1 has it by now
        refused(*this, wrong, swapped, config);
    }
    CHECK(tested{}.check(configs()[1], enis) == findings{});
}

TEST_CASE_FIXTURE(world, "two ENIs after the primary one whose MAC addresses are swapped") {
    auto const mac = net::mac::parse("02:00:00:00:01:02").value();
    host.add_veth({.host = {.name = *net::interface_name::parse("eth2"), .mac = mac},
                   .peer = {.name = *net::interface_name::parse("wire2")}});
    enis.push_back({.id = "eni-2",
                    .mac = mac,
                    .device_number = 2,
                    .primary = ip("10.0.3.10"),
                    .subnets = {{cidr("10.0.3.0/24"), ip("10.0.3.1")}}});
    auto wrong = enis;
    std::swap(wrong[1].mac, wrong[2].mac);
    std::string const right = " (if the inventory is right, take it from the interface)";
    findings const told{
        "the interface eth2 of the ENI eni-1 has the address 10.0.3.10 of the ENI eni-2" + right,
        "the interface eth1 of the ENI eni-2 has the address 10.0.2.10 of the ENI eni-1" + right};
    SUBCASE("of a node whose addresses DHCP gave") {
        host.add_address(index(1), {.address = cidr("10.0.2.10/24")});
        host.add_address(index(2), {.address = cidr("10.0.3.10/24")});
        refused(*this, wrong, told, configs()[0]);
        tested{}.set_up(configs()[0], enis);
    }
    SUBCASE("of one that was set up") {
        tested{}.set_up(configs()[0], enis);
        refused(*this, wrong, told, configs()[0]);
    }
    SUBCASE("of one that was set up wrongly: the inventory is right by now, and so the user says") {
        tested{}.set_up(configs()[0], wrong); // nothing spoke against it
        CHECK_THROWS_WITH_AS(tested{}.set_up(configs()[0], enis),
                             doctest::Contains("take it from the interface"), cni::error);
        host.delete_address(index(1), cidr("10.0.3.10/24"));
        host.delete_address(index(2), cidr("10.0.2.10/24"));
        tested{}.set_up(configs()[0], enis);
    }
    CHECK(tested{}.check(configs()[0], enis) == findings{});
}

TEST_CASE_FIXTURE(world, "an interface with the node's default route alone is not stripped") {
    std::vector const families{net::family::ipv4};
    netlink::route_spec const second{.dst = cidr("0.0.0.0/0"), .gateway = ip("10.0.2.1"), .device = index(1)};
    host.change_link(index(1), {.up = true});
    host.add_address(index(1), {.address = cidr("10.0.2.10/24")});
    auto lesser = second;
    lesser.priority = 200; // as DHCP makes it
    host.add_route(lesser);
    CHECK(eni::faults_of_stripping(host, *eni::link_of(host, enis[1].mac), enis[1], families) == findings{});
    host.delete_route({.dst = cidr("0.0.0.0/0"), .gateway = ip("10.0.1.1"), .device = index(0)});
    recording::journal::clear();
    CHECK_THROWS_WITH_AS(
        eni::set_up_eni(host, enis[1], 9001, families),
        "the interface eth1 of the ENI eni-1 carries the node's IPv4 default route, which is "
        "the primary ENI's",
        cni::error);
    CHECK(recording::journal::text() == "");
    CHECK(eni::faults_of_stripping(host, *eni::link_of(host, enis[1].mac), enis[1], {net::family::ipv6}) ==
          findings{});
}

TEST_CASE_FIXTURE(world, "the primary address may be a bridge's that the interface is a port of") {
    host.delete_address(index(0), cidr("10.0.1.10/24"));
    CHECK(eni::inventory_faults(host, enis, {net::family::ipv4}).size() == 1);
    host.add_bridge({.name = *net::interface_name::parse("br"), .mac = enis[0].mac});
    host.add_address(host.find_link(*net::interface_name::parse("br"))->index,
                     {.address = cidr("10.0.1.10/24")});
    CHECK(eni::inventory_faults(host, enis, {net::family::ipv4}) == findings{});
}

TEST_CASE_FIXTURE(world, "check tells of ENIs' addresses where they must not be") {
    enis[0].cidrs = {cidr("10.0.1.77/32")};
    enis[1].cidrs = {cidr("10.0.2.64/28")};
    auto const config = configs()[0];
    tested{}.set_up(config, enis);
    host.add_address(index(0), {.address = cidr("10.0.1.77/24")});
    host.add_bridge({.name = *net::interface_name::parse("site")});
    auto const site = host.find_link(*net::interface_name::parse("site"))->index;
    host.add_address(site, {.address = cidr("10.0.2.10/32")});
    host.add_address(site, {.address = cidr("10.0.2.70/32")});
    host.add_address(site, {.address = cidr("10.0.2.80/32")});
    CHECK(tested{}.check(config, enis) ==
          findings{"eth0 has the address 10.0.1.77, which the ENI eni-0 has for pods: take it from the "
                   "interface, or out of the inventory",
                   "site has the address 10.0.2.10 of the ENI eni-1: take it from the interface, or correct "
                   "the inventory",
                   "site has the address 10.0.2.70, which the ENI eni-1 has for pods: take it from the "
                   "interface, or out of the inventory"});
    host.add_address(index(1), {.address = cidr("10.0.2.71/32")});
    CHECK(tested{}.check(config, enis).front() ==
          "eth1 has the address 10.0.2.71/32, which is not the ENI's own");
    CHECK(tested{}.check(config, enis).size() == 4);
}

TEST_CASE_FIXTURE(world, "an ENI whose device number changed leaves no route in its former table") {
    auto const config = configs()[0];
    tested{}.set_up(config, enis);
    enis[1].device_number = 4;
    tested{}.set_up(config, enis);
    for (auto const& route : host.routes(net::family::ipv4, index(1))) CHECK(route.table == 5);
    for (auto const& rule : host.rules(net::family::ipv4))
        if (rule.priority == 32765) CHECK(rule.table == 5);
    CHECK(tested{}.check(config, enis) == findings{});
}

TEST_CASE_FIXTURE(world, "of several interfaces with the MAC address, the hardware is the ENI's") {
    auto made = recording::kernel::self().current().find("eth1");
    host.add_bridge({.name = *net::interface_name::parse("a-bridge"), .mac = enis[1].mac});
    CHECK(eni::link_of(host, enis[1].mac)->name == "eth1");
    host.delete_link(index(1));
    host.add_bridge({.name = *net::interface_name::parse("nic"), .mac = enis[1].mac});
    made = recording::kernel::self().current().find("nic");
    made->link.kind = "";
    CHECK(eni::link_of(host, enis[1].mac)->name == "nic");
}

TEST_CASE_FIXTURE(world, "without a Nat there are no marks to look at") {
    using external = eni::node<recording::netlink, nat::none>;
    external{}.set_up(configs()[0], enis);
    for (auto const& rule : host.rules(net::family::ipv4)) CHECK(rule.mask != 0x80);
    CHECK(recording::nft::ruleset().text() == "");
    CHECK(external{}.check(configs()[0], enis) == findings{});
    CHECK(tested{}.check(configs()[0], enis) != findings{});
}

TEST_CASE_FIXTURE(world,
                  "upstream's rules are taken over, in whatever order they stand, and others' are not") {
    auto const config = configs()[2];
    tested{}.set_up(config, enis);
    auto const wanted = state();
    tested{}.remove(enis);
    auto const before = state();
    netlink::rule_spec const marked{.priority = 1024, .table = 254, .mark = 0x80, .mask = 0x80};
    std::vector<netlink::rule_spec> const upstream{
        marked,
        {.priority = 1024, .table = 254, .mark = 0x100, .mask = 0x100},
        {.priority = 1535, .table = 254, .destination = cidr("192.0.2.0/24")},
        {.priority = 1535, .table = 254, .destination = cidr("198.51.100.0/24")},
        {.priority = 32765, .table = 2, .source = cidr("10.0.2.10/32")},
        {.priority = 32765, .table = 2, .source = cidr("10.0.2.99/32")},
        {.priority = 32765, .table = 7, .source = cidr("10.0.2.10/32")}};
    for (bool const first : {true, false}) {
        if (first)
            for (auto const& rule : upstream) host.add_rule(rule);
        tested{}.set_up(config, enis);
        if (!first)
            for (auto const& rule : upstream) host.add_rule(rule);
        if (!first)
            CHECK(tested{}.check(config, enis).front() == "the IPv4 policy rule of priority 1024 with mark "
                                                          "128 for the table 254 has no protocol number: "
                                                          "upstream made it");
        tested{}.set_up(config, enis);
        CHECK(tested{}.check(config, enis) == findings{});
        CHECK(std::multiset<char>{wanted.begin(), wanted.end()} ==
              [](std::string const& now) { return std::multiset<char>{now.begin(), now.end()}; }(state()));
        tested{}.remove(enis);
        CHECK(state() == before);
    }
    std::vector<netlink::rule_spec> others(11, marked);
    others[0].protocol = 3;
    others[1].table = 99;
    others[2].mark = 0;
    others[3].input_interface = "eth7";
    others[4].source = cidr("10.0.0.0/8");
    others[5].priority = 1023;
    others[6] = {.priority = 32765, .table = 2, .source = cidr("10.0.2.0/24")};
    others[7] = {.priority = 1535, .table = 2, .destination = cidr("192.0.2.0/24")};
    // As `ip rule add from 192.0.2.77 lookup 77` makes it.
    others[8] = {.priority = 32765, .table = 77, .source = cidr("192.0.2.77/32")};
    others[9] = {.priority = 32765, .table = 77, .source = cidr("10.0.1.10/32")};
    others[10] = {.priority = 32765, .table = 254, .source = cidr("10.0.2.10/32")};
    for (auto const& rule : others) host.add_rule(rule);
    auto const with_others = state();
    tested{}.set_up(config, enis);
    CHECK(tested{}.check(config, enis) == findings{});
    tested{}.remove(enis);
    CHECK(state() == with_others);
}

TEST_CASE_FIXTURE(world, "at no time is there no rule for the local table") {
    auto const strict = configs()[3];
    auto const order = [](std::string const& first, std::string const& second) {
        auto const text = recording::journal::text();
        CHECK(text.find(first) != std::string::npos);
        CHECK(text.find(second) != std::string::npos);
        CHECK(text.find(first) < text.find(second));
    };
    tested{}.set_up(strict, enis);
    order("ip rule add priority 20 from all table 255", "ip rule del priority 0 from all table 255");
    recording::journal::clear();
    tested{}.set_up(configs()[1], enis);
    order("ip rule add priority 0 from all table 255", "ip rule del priority 20 from all table 255");
}

TEST_CASE_FIXTURE(world, "a failure anywhere is healed by the next set-up, and a removal goes on") {
    auto const config = configs()[3];
    auto const before = state();
    tested{}.set_up(config, enis);
    auto const wanted = tested{}.check(config, enis);
    tested{}.remove(enis);
    unsigned n = 1;
    for (;; ++n) {
        recording::faults::fail_call(n, EPERM);
        try {
            tested{}.set_up(config, enis);
        } catch (std::system_error const&) {
        }
        bool const all_tried = recording::faults::pending();
        recording::faults::clear();
        tested{}.set_up(config, enis);
        CHECK(tested{}.check(config, enis) == wanted);
        recording::faults::fail_call(n, EPERM);
        try {
            tested{}.remove(enis);
        } catch (std::system_error const&) {
        }
        recording::faults::clear();
        tested{}.remove(enis);
        CHECK(state() == before);
        if (all_tried) break;
    }
    CHECK(n > 20);
}

TEST_CASE_FIXTURE(world, "a check that cannot look tells why") {
    recording::faults::clear();
    recording::faults::fail_call(1, EPERM);
    CHECK(boost::algorithm::join(tested{}.check(configs()[0], enis), "\n") ==
          "list the interfaces: Operation not permitted");
    recording::faults::clear();
    auto const primary = std::exchange(enis[0].primary, std::nullopt);
    CHECK(tested{}.check(configs()[0], enis) ==
          findings{
              "the primary ENI eni-0 has no IPv4 address that connections could leave under; list it, or set "
              "`externalSNAT`"});
    auto external = configs()[0];
    external.externalSNAT = true;
    tested{}.set_up(external, enis);
    enis[0].primary = primary;
    enis.erase(enis.begin());
    CHECK(tested{}.check(configs()[0], enis) ==
          findings{"the primary ENI, with device number 0, is not among the node's"});
}

} // namespace
