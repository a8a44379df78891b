#pragma once
#include "laws/netlink_laws.hpp"

namespace cnix::test {

/// The fixture with a veth `v`-`e` in the host's namespace: `v` up, `e` up, no link-local addresses.
template <class Fixture> struct with_veth : Fixture {
    with_veth() {
        this->host.add_veth({.host = {.name = "v"_ifname}, .peer = {.name = "e"_ifname}, .host_up = false});
        v = this->host.find_link("v"_ifname)->index;
        e = this->host.find_link("e"_ifname)->index;
        this->host.change_link(v, {.up = true, .addr_gen_mode = 1});
        this->host.change_link(e, {.up = true, .addr_gen_mode = 1});
    }
    netlink::index v = 0;
    netlink::index e = 0;
};

template <class Netlink> bool has_address(Netlink& host, netlink::index index, net::prefix const& address) {
    auto const all = host.addresses(index);
    return std::any_of(all.begin(), all.end(), [&](auto const& entry) { return entry.address == address; });
}

template <class Fixture> void address_laws() {
    with_veth<Fixture> here;
    auto& host = here.host;
    auto const v = here.v;

    for (char const* text : {"10.1.0.5/16", "10.9.0.1/32", "10.8.0.2/31", "fd00::5/64", "fd00:1::1/128"}) {
        DOCTEST_SUBCASE(text) {
            net::prefix const address = cidr(text);
            CHECK(host.addresses(v).empty());
            host.add_address(v, {.address = address, .no_dad = true});
            auto const all = host.addresses(v);
            REQUIRE(all.size() == 1);
            CHECK(all.front().address == address);
            CHECK_FALSE(all.front().tentative);
            CHECK_FALSE(all.front().dad_failed);
            CHECK(host.addresses(here.e).empty());
            CHECK(error_of([&] { host.add_address(v, {.address = address, .no_dad = true}); }) == EEXIST);
            CHECK(host.addresses(v).size() == 1);
            CHECK(host.delete_address(v, address));
            CHECK_FALSE(host.delete_address(v, address));
            CHECK(host.addresses(v).empty());
        }
    }
    SUBCASE("several") {
        for (char const* text : {"10.1.0.5/16", "10.2.0.5/16", "fd00::5/64", "fd00:1::5/64"})
            host.add_address(v, {.address = cidr(text), .no_dad = true});
        CHECK(host.addresses(v).size() == 4);
        CHECK(host.delete_address(v, cidr("10.2.0.5/16")));
        CHECK_FALSE(has_address(host, v, cidr("10.2.0.5/16")));
        CHECK(has_address(host, v, cidr("10.1.0.5/16")));
        CHECK_FALSE(host.delete_address(v, cidr("10.1.0.5/24")));
        CHECK(host.addresses(v).size() == 3);
    }
    SUBCASE("an interface that is gone") {
        CHECK(error_of([&] { host.addresses(nowhere); }) == ENODEV);
        CHECK(error_of([&] { host.add_address(nowhere, {.address = cidr("10.1.0.5/16")}); }) == ENODEV);
        CHECK(error_of([&] { host.add_address(nowhere, {.address = cidr("fd00::5/64")}); }) == ENODEV);
        CHECK_FALSE(host.delete_address(nowhere, cidr("10.1.0.5/16")));
        CHECK_FALSE(host.delete_address(nowhere, cidr("fd00::5/64")));
    }
    SUBCASE("IPv6 that is switched off") {
        host.set_sysctl("net/ipv6/conf/v/disable_ipv6", "1");
        CHECK(error_of([&] { host.add_address(v, {.address = cidr("fd00::5/64"), .no_dad = true}); }) ==
              EACCES);
        host.set_sysctl("net/ipv6/conf/v/disable_ipv6", "0");
        host.add_address(v, {.address = cidr("fd00::5/64"), .no_dad = true});
        CHECK(host.addresses(v).size() == 1);
    }
    SUBCASE("the error names both") {
        host.add_address(v, {.address = cidr("10.1.0.5/16")});
        CHECK(text_of([&] {
                  host.add_address(v, {.address = cidr("10.1.0.5/16")});
              }).find("add the address 10.1.0.5/16 to ") == 0);
    }
}

/// What route laws need of a family.
struct route_family {
    net::family family;
    char const* own;      ///< the interface's address
    char const* network;  ///< of it
    char const* gateway;  ///< in it
    char const* gateway2; ///< in it
    char const* outside;  ///< an address out of reach
    char const* dst;      ///< somewhere else
    int unreachable;      ///< the errno for a gateway out of reach
};
constexpr inline route_family ipv4_routes{net::family::ipv4, "10.1.0.5/16", "10.1.0.0/16",   "10.1.0.1",
                                          "10.1.0.2",        "10.7.0.1",    "172.20.0.0/16", ENETUNREACH};
constexpr inline route_family ipv6_routes{net::family::ipv6, "fd00::5/64", "fd00::/64", "fd00::1",
                                          "fd00::2",         "fd07::1",    "fd20::/48", EHOSTUNREACH};

/// The routes to a destination.
template <class Netlink> std::vector<netlink::route_spec> routes_to(Netlink& host, net::prefix const& dst) {
    auto all = host.routes(dst.family());
    std::erase_if(all, [&](auto const& route) { return route.dst != dst; });
    return all;
}

template <class Fixture> void route_laws(route_family const& is) {
    with_veth<Fixture> here;
    auto& host = here.host;
    auto const v = here.v;
    auto const any = net::prefix::any(is.family);
    host.add_address(v, {.address = cidr(is.own), .no_dad = true});

    SUBCASE("the address brings its network's") {
        auto const found = routes_to(host, cidr(is.network));
        REQUIRE(found.size() == 1);
        CHECK(found.front().device == v);
        CHECK_FALSE(found.front().gateway);
        CHECK(found.front().protocol == 2);
        CHECK(host.delete_address(v, cidr(is.own)));
        CHECK(routes_to(host, cidr(is.network)).empty());
    }
    SUBCASE("a default route") {
        CHECK(routes_to(host, any).empty());
        netlink::route_spec const route{
            .dst = any, .gateway = ip(is.gateway), .device = v, .mtu = 1300, .advmss = 1200};
        host.add_route(route);
        auto const found = routes_to(host, any);
        REQUIRE(found.size() == 1);
        CHECK(found.front().gateway == ip(is.gateway));
        CHECK(found.front().device == v);
        CHECK(found.front().mtu == 1300);
        CHECK(found.front().advmss == 1200);
        CHECK(found.front().protocol == 3);
        CHECK(found.front().table == 254);
        CHECK(found.front().scope == 0u);
        CHECK(found.front().priority == (is.family == net::family::ipv6 ? 1024 : 0));
        CHECK_FALSE(found.front().onlink);
        CHECK(error_of([&] { host.add_route(route); }) == EEXIST);
        CHECK(routes_to(host, any).size() == 1);
        CHECK(host.delete_route(route));
        CHECK_FALSE(host.delete_route(route));
        CHECK(routes_to(host, any).empty());
    }
    SUBCASE("what was read can be deleted") {
        host.add_route(
            {.dst = cidr(is.dst), .gateway = ip(is.gateway), .device = v, .priority = 7, .mtu = 1300});
        auto const found = routes_to(host, cidr(is.dst));
        REQUIRE(found.size() == 1);
        CHECK(found.front().priority == 7);
        CHECK(host.delete_route(found.front()));
        CHECK(routes_to(host, cidr(is.dst)).empty());
    }
    SUBCASE("two gateways to one destination") {
        host.add_route({.dst = any, .gateway = ip(is.gateway), .device = v});
        host.add_route({.dst = any, .gateway = ip(is.gateway2), .device = v});
        CHECK(routes_to(host, any).size() == 2);
        CHECK(error_of([&] { host.add_route({.dst = any, .gateway = ip(is.gateway), .device = v}); }) ==
              EEXIST);
        CHECK(host.delete_route({.dst = any, .gateway = ip(is.gateway2), .device = v}));
        auto const left = routes_to(host, any);
        REQUIRE(left.size() == 1);
        CHECK(left.front().gateway == ip(is.gateway));
    }
    SUBCASE("replace") {
        host.replace_route({.dst = any, .gateway = ip(is.gateway), .device = v});
        host.replace_route({.dst = any, .gateway = ip(is.gateway2), .device = v, .mtu = 1280});
        auto const found = routes_to(host, any);
        REQUIRE(found.size() == 1);
        CHECK(found.front().gateway == ip(is.gateway2));
        CHECK(found.front().mtu == 1280);
    }
    SUBCASE("other tables, metrics and protocols") {
        for (std::uint32_t const table : {100u, 1000u}) {
            netlink::route_spec const route{
                .dst = any, .gateway = ip(is.gateway), .device = v, .table = table, .protocol = 77};
            host.add_route(route);
            auto const found = routes_to(host, any);
            REQUIRE(found.size() == 1);
            CHECK(found.front().table == table);
            CHECK(found.front().protocol == 77);
            auto of_another = route;
            of_another.protocol = 78;
            CHECK_FALSE(host.delete_route(of_another));
            of_another = route;
            of_another.table = 254;
            CHECK_FALSE(host.delete_route(of_another));
            CHECK(host.delete_route(route));
        }
        host.add_route({.dst = any, .gateway = ip(is.gateway), .device = v, .priority = 10});
        host.add_route({.dst = any, .gateway = ip(is.gateway), .device = v, .priority = 20});
        CHECK(routes_to(host, any).size() == 2);
        CHECK(host.delete_route({.dst = any, .device = v, .priority = 20}));
        CHECK(routes_to(host, any).front().priority == 10);
    }
    SUBCASE("without a gateway, on the link") {
        host.add_route({.dst = cidr(is.dst), .device = v});
        auto const found = routes_to(host, cidr(is.dst));
        REQUIRE(found.size() == 1);
        CHECK_FALSE(found.front().gateway);
        CHECK(found.front().scope == (is.family == net::family::ipv4 ? 253u : 0u));
        CHECK(host.delete_route({.dst = cidr(is.dst), .device = v}));
    }
    SUBCASE("a gateway out of reach") {
        CHECK(error_of([&] { host.add_route({.dst = any, .gateway = ip(is.outside), .device = v}); }) ==
              is.unreachable);
        CHECK(routes_to(host, any).empty());
        host.add_route({.dst = any, .gateway = ip(is.outside), .device = v, .onlink = true});
        REQUIRE(routes_to(host, any).size() == 1);
        CHECK(routes_to(host, any).front().onlink);
        CHECK(host.delete_route(routes_to(host, any).front()));
        host.add_route({.dst = net::prefix::host(ip(is.outside)), .device = v}); // a way to it
        host.add_route({.dst = any, .gateway = ip(is.outside), .device = v});
        CHECK(routes_to(host, any).size() == 1);
    }
    SUBCASE("the device is found by the gateway") {
        host.add_route({.dst = any, .gateway = ip(is.gateway)});
        CHECK(routes_to(host, any).front().device == v);
    }
    SUBCASE("a source") {
        host.add_route(
            {.dst = any, .gateway = ip(is.gateway), .device = v, .source = cidr(is.own).address()});
        CHECK(routes_to(host, any).front().source == cidr(is.own).address());
    }
    SUBCASE("of one device") {
        host.add_route({.dst = cidr(is.dst), .device = here.e});
        auto const of_v = host.routes(is.family, v);
        auto const of_e = host.routes(is.family, here.e);
        REQUIRE(of_v.size() == 1);
        CHECK(of_v.front().dst == cidr(is.network));
        REQUIRE(of_e.size() == 1);
        CHECK(of_e.front().dst == cidr(is.dst));
        CHECK(error_of([&] { host.routes(is.family, nowhere); }) == ENODEV);
    }
    SUBCASE("an interface that is down or gone") {
        host.add_route({.dst = any, .gateway = ip(is.gateway), .device = v});
        host.change_link(v, {.up = false});
        CHECK(host.routes(is.family).empty());
        CHECK(error_of([&] { host.add_route({.dst = cidr(is.dst), .device = v}); }) == ENETDOWN);
        CHECK(error_of([&] { host.add_route({.dst = cidr(is.dst), .device = nowhere}); }) == ENODEV);
        CHECK_FALSE(host.delete_route({.dst = cidr(is.dst), .device = nowhere}));
    }
    SUBCASE("the error names it") {
        std::string const text = text_of([&] { host.add_route({.dst = cidr(is.dst), .device = nowhere}); });
        CHECK(text.find(std::string{"add the route "} + is.dst) == 0);
    }
}

/// A lookup of one address. `route` is that of route_laws.
template <class Fixture> void reach_laws(char const* own, char const* other) {
    with_veth<Fixture> here;
    auto& host = here.host;
    auto const address = ip(other);
    CHECK_FALSE(host.reach(address).host_route);
    CHECK_FALSE(host.reach(address).local);
    host.add_address(here.v, {.address = net::prefix::host(ip(own)), .no_dad = true});
    CHECK(here.becomes([&] { return host.reach(ip(own)).local; })); // IPv6: with the carrier
    netlink::route_spec const route{.dst = net::prefix::host(address), .device = here.v, .protocol = 201};
    host.add_route(route);
    auto const found = host.reach(address);
    CHECK_FALSE(found.local);
    REQUIRE(found.host_route);
    CHECK(found.host_route->dst == route.dst);
    CHECK(found.host_route->device == here.v);
    CHECK(found.host_route->protocol == 201);
    CHECK(host.delete_route(route));
    CHECK_FALSE(host.reach(address).host_route);
}

template <class Fixture> void rule_laws(net::family family, char const* from, char const* to) {
    Fixture here;
    auto& host = here.host;
    auto const count = [&](netlink::rule_spec const& rule) {
        auto const all = host.rules(family);
        return std::count(all.begin(), all.end(), rule);
    };
    for (netlink::rule_spec const& rule :
         {netlink::rule_spec{.family = family, .priority = 512, .table = 1000, .source = cidr(from)},
          {.family = family, .priority = 512, .table = 100, .destination = cidr(to), .protocol = 77},
          {.family = family, .priority = 600, .table = 254, .input_interface = "eth7"},
          {.family = family, .priority = 1024, .table = 254, .mark = 0x80, .mask = 0x80},
          {.family = family, .priority = 1025, .table = 254, .mark = 0, .mask = 0x80},
          {.family = family,
           .priority = 0,
           .table = 255,
           .source = cidr(from),
           .protocol = 77,
           .transport = 58},
          {.family = family, .priority = 20, .table = 255, .protocol = 77},
          {.family = family,
           .priority = 1,
           .table = 1 << 20,
           .source = cidr(from),
           .destination = cidr(to),
           .input_interface = "eth7",
           .mark = 1,
           .mask = 0xffffffff,
           .protocol = 4}}) {
        CAPTURE(rule.priority);
        auto const before = host.rules(family);
        CHECK(count(rule) == 0);
        host.add_rule(rule);
        CHECK(count(rule) == 1);
        CHECK(error_of([&] { host.add_rule(rule); }) == EEXIST);
        CHECK(count(rule) == 1);
        CHECK(text_of([&] {
                  host.add_rule(rule);
              }).find("add the policy rule of priority " + std::to_string(rule.priority)) == 0);
        auto other = rule;
        other.table = 4711;
        CHECK_FALSE(host.delete_rule(other));
        CHECK(host.delete_rule(rule));
        CHECK_FALSE(host.delete_rule(rule));
        CHECK(host.rules(family) == before);

        host.add_rule(rule);
        host.add_rule(other);
        auto any_table = rule;
        any_table.table = 0;
        CHECK(host.delete_rule(any_table));
        CHECK(host.delete_rule(any_table));
        CHECK_FALSE(host.delete_rule(any_table));
        CHECK(host.rules(family) == before);
    }
    auto const all = host.rules(family);
    CHECK(std::any_of(all.begin(), all.end(),
                      [](auto const& r) { return r.priority == 32766 && r.table == 254; }));
    CHECK(std::is_sorted(all.begin(), all.end(),
                         [](auto const& a, auto const& b) { return a.priority < b.priority; }));
}

template <class Fixture> void neighbour_laws() {
    with_veth<Fixture> here;
    auto& host = here.host;
    for (char const* text : {"169.254.1.1", "fe80::1", "fd00::77"}) {
        CAPTURE(text);
        netlink::neighbour_spec const one{ip(text), mac("02:00:00:00:00:31"), here.v};
        netlink::neighbour_spec const changed{ip(text), mac("02:00:00:00:00:32"), here.v};
        host.replace_neighbour(one);
        CHECK(host.neighbours(here.v) == std::vector{one});
        CHECK(host.neighbours(here.e).empty());
        host.replace_neighbour(changed);
        CHECK(host.neighbours(here.v) == std::vector{changed});
        CHECK(host.delete_neighbour(one)); // of the address, whatever the MAC
        CHECK_FALSE(host.delete_neighbour(one));
        CHECK(host.neighbours(here.v).empty());
    }
    host.replace_neighbour({ip("169.254.1.1"), mac("02:00:00:00:00:31"), here.v});
    host.change_link(here.v, {.up = false});
    CHECK(host.neighbours(here.v).empty());
    CHECK(host.neighbours(nowhere).empty());
    CHECK(error_of([&] { host.replace_neighbour({ip("10.0.0.1"), mac("02:00:00:00:00:31"), nowhere}); }) ==
          ENODEV);
    CHECK_FALSE(host.delete_neighbour({ip("10.0.0.1"), mac("02:00:00:00:00:31"), nowhere}));
}

template <class Fixture> void sysctl_laws() {
    with_veth<Fixture> here;
    auto& host = here.host;
    CHECK(host.sysctl("net/ipv4/ip_forward") == "0");
    host.set_sysctl("net/ipv4/ip_forward", "1");
    CHECK(host.sysctl("net/ipv4/ip_forward") == "1");
    CHECK(here.pod.run([&] { return host.sysctl("net/ipv4/ip_forward"); }) ==
          "0"); // of the namespace that is current
    here.pod.run([&] { host.set_sysctl("net/ipv6/conf/all/forwarding", "1"); });
    CHECK(here.pod.run([&] { return host.sysctl("net/ipv6/conf/all/forwarding"); }) == "1");
    CHECK(host.sysctl("net/ipv6/conf/all/forwarding") == "0");

    for (char const* path :
         {"net/ipv6/conf/v/accept_dad", "net/ipv6/conf/v/accept_ra", "net/ipv6/conf/v/enhanced_dad",
          "net/ipv6/conf/v/keep_addr_on_down", "net/ipv4/conf/v/arp_notify", "net/ipv4/conf/v/rp_filter"}) {
        CAPTURE(path);
        REQUIRE(host.sysctl(path));
        for (char const* value : {"0", "1"}) {
            host.set_sysctl(path, value);
            CHECK(host.sysctl(path) == value);
        }
    }
    // A new interface begins as conf/default is; the node's switch is every interface's, and the default's.
    host.set_sysctl("net/ipv4/conf/default/rp_filter", "2");
    host.set_sysctl("net/ipv6/conf/default/accept_ra", "0");
    host.add_bridge({.name = "b"_ifname});
    CHECK(host.sysctl("net/ipv4/conf/b/rp_filter") == "2");
    CHECK(host.sysctl("net/ipv6/conf/b/accept_ra") == "0");
    CHECK(host.sysctl("net/ipv4/conf/b/forwarding") == "1");
    CHECK(host.sysctl("net/ipv4/conf/v/forwarding") == "1");
    CHECK_FALSE(host.sysctl("net/ipv4/conf/none/arp_notify"));
    CHECK_FALSE(host.sysctl("net/ipv4/nothing_of_the_kind"));
    CHECK(error_of([&] { host.set_sysctl("net/ipv4/conf/none/arp_notify", "1"); }) == ENOENT);
    CHECK(error_of([&] { host.set_sysctl("net/ipv4/ip_forward", "x"); }) == EINVAL);
    CHECK(text_of([&] {
              host.set_sysctl("net/ipv4/ip_forward", "x");
          }).find("write \"x\" to the sysctl \"net/ipv4/ip_forward\"") == 0);
    CHECK(host.sysctl("net/ipv4/ip_forward") == "1");
}

} // namespace cnix::test
