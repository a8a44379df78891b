#pragma once
#include <cnix/concepts/netlink_backend.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <system_error>

/// The laws of netlink_backend as doctest checks, for any backend. A fixture is made for each law:
///   host    a backend of a fresh namespace, which is the current one and has lo alone
///   pod     an ns_policy of another fresh namespace
///   inside  a backend of that one
///   can_filter_vlans()   whether bridges have VLAN tables
namespace cnix::test {

using namespace net::literals;

/// The errno of the std::system_error that f throws; 0 if it throws none.
template <class F> int error_of(F f) {
    try {
        f();
    } catch (std::system_error const& e) {
        return e.code().value();
    }
    return 0;
}

template <class F> std::string text_of(F f) {
    try {
        f();
    } catch (std::system_error const& e) {
        return e.what();
    }
    return "nothing was thrown";
}

inline net::prefix cidr(char const* text) { return net::prefix::parse(text).value(); }
inline net::address ip(char const* text) { return net::address::parse(text).value(); }
inline net::mac mac(char const* text) { return net::mac::parse(text).value(); }
constexpr inline netlink::index nowhere = 99999; ///< no interface's index

template <class Fixture> void link_laws() {
    Fixture here;
    auto& host = here.host;
    auto& inside = here.inside;

    SUBCASE("what is not there is not found") {
        CHECK_FALSE(host.find_link("cni0"_ifname));
        CHECK_FALSE(host.find_link(nowhere));
        CHECK(host.links().size() == 1);
        CHECK(host.links().front().name == "lo");
    }
    SUBCASE("a bridge") {
        host.add_bridge({.name = "cni0"_ifname, .mtu = 1400, .mac = mac("02:00:00:00:00:01")});
        auto const bridge = host.find_link("cni0"_ifname);
        REQUIRE(bridge);
        CHECK(bridge->kind == "bridge");
        CHECK(bridge->mtu == 1400);
        CHECK(bridge->mac == mac("02:00:00:00:00:01"));
        CHECK(bridge->up);
        CHECK_FALSE(bridge->promiscuous);
        CHECK_FALSE(bridge->vlan_filtering);
        CHECK(bridge->master == 0);
        CHECK(bridge->alias.empty());
        REQUIRE(host.find_link(bridge->index));
        CHECK(host.find_link(bridge->index)->name == "cni0");
        CHECK(host.links().size() == 2);
        CHECK_FALSE(inside.find_link("cni0"_ifname));
    }
    SUBCASE("a bridge that is there stays as it is") {
        host.add_bridge({.name = "cni0"_ifname, .mtu = 1400, .up = false});
        CHECK_FALSE(host.find_link("cni0"_ifname)->up);
        CHECK(error_of([&] { host.add_bridge({.name = "cni0"_ifname, .mtu = 1300}); }) == EEXIST);
        CHECK(host.find_link("cni0"_ifname)->mtu == 1400);
        CHECK_FALSE(host.find_link("cni0"_ifname)->up);
        CHECK(text_of([&] { host.add_bridge({.name = "cni0"_ifname}); }).find("add the bridge \"cni0\"") ==
              0);
    }
    SUBCASE("a bridge without an address follows the lowest of its ports, one with an address keeps it") {
        host.add_bridge({.name = "follows"_ifname});
        host.add_bridge({.name = "keeps"_ifname, .mac = mac("02:00:00:00:00:99")});
        int number = 0;
        for (auto const* name : {"follows", "keeps"}) {
            auto const bridge = host.find_link(net::interface_name::parse(name).value());
            auto const port = net::interface_name::parse("port" + std::to_string(++number)).value();
            auto const peer = net::interface_name::parse("peer" + std::to_string(number)).value();
            host.add_veth({.host = {.name = port, .mac = mac("02:00:00:00:00:05")},
                           .peer = {.name = peer},
                           .master = bridge->index});
        }
        CHECK(host.find_link("follows"_ifname)->mac == mac("02:00:00:00:00:05"));
        CHECK(host.find_link("keeps"_ifname)->mac == mac("02:00:00:00:00:99"));
    }
    SUBCASE("bad addresses and MTUs are refused and leave nothing") {
        auto const group = mac("03:00:00:00:00:01");
        CHECK(error_of([&] { host.add_bridge({.name = "b"_ifname, .mac = group}); }) == EADDRNOTAVAIL);
        CHECK(error_of([&] {
                  host.add_veth({.host = {.name = "v"_ifname}, .peer = {.name = "e"_ifname, .mac = group}});
              }) == EADDRNOTAVAIL);
        CHECK(error_of([&] {
                  host.add_veth(
                      {.host = {.name = "v"_ifname, .mac = net::mac{}}, .peer = {.name = "e"_ifname}});
              }) == EADDRNOTAVAIL);
        for (std::uint32_t const mtu : {67u, 99999u}) {
            CHECK(error_of([&] { host.add_bridge({.name = "b"_ifname, .mtu = mtu}); }) == EINVAL);
            CHECK(error_of([&] {
                      host.add_veth({.host = {.name = "v"_ifname}, .peer = {.name = "e"_ifname}, .mtu = mtu});
                  }) == EINVAL);
        }
        CHECK(host.links().size() == 1);
    }
    SUBCASE("a veth with both ends here") {
        host.add_veth({.host = {.name = "a"_ifname}, .peer = {.name = "b"_ifname}, .host_up = false});
        auto const a = host.find_link("a"_ifname), b = host.find_link("b"_ifname);
        REQUIRE(a);
        REQUIRE(b);
        CHECK(a->kind == "veth");
        CHECK(a->peer == b->index);
        CHECK(b->peer == a->index);
        CHECK_FALSE(a->up);
        CHECK_FALSE(b->up);
        CHECK(a->mtu == 1500);
        CHECK(a->mac != b->mac);
    }
    SUBCASE("a veth whose peer is in the pod, in one go") {
        host.add_bridge({.name = "cni0"_ifname});
        auto const bridge = host.find_link("cni0"_ifname)->index;
        host.add_veth({.host = {.name = "veth1"_ifname, .mac = mac("02:00:00:00:00:11")},
                       .peer = {.name = "eth0"_ifname, .mac = mac("02:00:00:00:00:12")},
                       .peer_netns = here.pod.fd(),
                       .mtu = 1400,
                       .master = bridge});
        auto const end = host.find_link("veth1"_ifname);
        auto const eth0 = inside.find_link("eth0"_ifname);
        REQUIRE(end);
        REQUIRE(eth0);
        CHECK_FALSE(host.find_link("eth0"_ifname));
        CHECK(end->up);
        CHECK(end->master == bridge);
        CHECK(end->mtu == 1400);
        CHECK(end->mac == mac("02:00:00:00:00:11"));
        CHECK(end->peer == eth0->index);
        CHECK(eth0->peer == end->index);
        CHECK_FALSE(eth0->up);
        CHECK(eth0->mtu == 1400);
        CHECK(eth0->mac == mac("02:00:00:00:00:12"));
        CHECK(eth0->master == 0);
        CHECK(here.becomes([&] { return !host.find_link("veth1"_ifname)->operational; }));
        inside.change_link(eth0->index, {.up = true});
        CHECK(here.becomes([&] { return host.find_link("veth1"_ifname)->operational; }));
        CHECK(here.becomes([&] { return inside.find_link("eth0"_ifname)->operational; }));
        CHECK(here.becomes([&] { return host.find_link("cni0"_ifname)->operational; }));
    }
    SUBCASE("names that are taken, here or there, leave nothing") {
        host.add_veth(
            {.host = {.name = "veth1"_ifname}, .peer = {.name = "eth0"_ifname}, .peer_netns = here.pod.fd()});
        CHECK(error_of([&] {
                  host.add_veth({.host = {.name = "veth1"_ifname},
                                 .peer = {.name = "eth1"_ifname},
                                 .peer_netns = here.pod.fd()});
              }) == EEXIST);
        CHECK(error_of([&] {
                  host.add_veth({.host = {.name = "veth2"_ifname},
                                 .peer = {.name = "eth0"_ifname},
                                 .peer_netns = here.pod.fd()});
              }) == EEXIST);
        CHECK(host.links().size() == 2);
        CHECK(inside.links().size() == 2);
        // eth0 is taken only there
        host.add_veth({.host = {.name = "veth2"_ifname}, .peer = {.name = "eth0"_ifname}});
        CHECK(host.find_link("eth0"_ifname));
    }
    SUBCASE("a master that is none leaves nothing") {
        CHECK(error_of([&] {
                  host.add_veth(
                      {.host = {.name = "v"_ifname}, .peer = {.name = "e"_ifname}, .master = nowhere});
              }) == EINVAL);
        CHECK(error_of([&] {
                  host.add_veth({.host = {.name = "v"_ifname},
                                 .peer = {.name = "e"_ifname},
                                 .master = host.find_link("lo"_ifname)->index});
              }) == EOPNOTSUPP);
        CHECK(host.links().size() == 1);
    }
    SUBCASE("changes, several at once") {
        host.add_bridge({.name = "cni0"_ifname, .up = false});
        host.add_veth({.host = {.name = "v"_ifname}, .peer = {.name = "e"_ifname}, .host_up = false});
        auto const bridge = host.find_link("cni0"_ifname)->index, v = host.find_link("v"_ifname)->index;
        host.change_link(v, {.up = true,
                             .master = bridge,
                             .mac = mac("02:00:00:00:00:21"),
                             .promiscuous = true,
                             .mtu = 1300,
                             .alias = "cnix:x y'z",
                             .addr_gen_mode = 1});
        auto link = host.find_link(v);
        CHECK(link->up);
        CHECK(link->master == bridge);
        CHECK(link->mac == mac("02:00:00:00:00:21"));
        CHECK(link->promiscuous);
        CHECK(link->mtu == 1300);
        CHECK(link->alias == "cnix:x y'z");
        CHECK(host.sysctl("net/ipv6/conf/v/addr_gen_mode") == "1");
        host.change_link(v, {.up = false});
        link = host.find_link(v);
        CHECK_FALSE(link->up);
        CHECK(link->master == bridge);
        CHECK(link->promiscuous);
        host.change_link(v, {.master = 0, .promiscuous = false, .alias = ""});
        link = host.find_link(v);
        CHECK(link->master == 0);
        CHECK_FALSE(link->promiscuous);
        CHECK(link->alias.empty());
    }
    SUBCASE("another name") {
        host.add_bridge({.name = "cni0"_ifname});
        host.add_veth({.host = {.name = "v"_ifname}, .peer = {.name = "e"_ifname}, .host_up = false});
        auto const v = host.find_link("v"_ifname)->index;
        host.set_sysctl("net/ipv6/conf/v/accept_ra", "0");
        CHECK(error_of([&] { host.change_link(v, {.name = "cni0"_ifname}); }) == EEXIST);
        CHECK(host.find_link(v)->name == "v");
        host.change_link(v, {.up = true, .name = "w"_ifname});
        CHECK_FALSE(host.find_link("v"_ifname));
        CHECK(host.find_link("w"_ifname)->index == v);
        CHECK(host.find_link(v)->up);
        CHECK_FALSE(host.sysctl("net/ipv6/conf/v/accept_ra"));
        CHECK(host.sysctl("net/ipv6/conf/w/accept_ra") == "0");
        host.change_link(v, {.up = false});
        host.change_link(v, {.name = "w"_ifname});
        CHECK(host.find_link(v)->name == "w");
    }
    SUBCASE("up without a link-local address, in one change") {
        host.add_veth({.host = {.name = "v"_ifname}, .peer = {.name = "e"_ifname}});
        auto const e = host.find_link("e"_ifname)->index;
        host.change_link(e, {.up = true, .addr_gen_mode = 1});
        CHECK(here.becomes([&] { return host.find_link(e)->operational; }));
        CHECK(host.addresses(e).empty());
    }
    SUBCASE("changes that are refused") {
        host.add_bridge({.name = "cni0"_ifname});
        auto const bridge = host.find_link("cni0"_ifname)->index;
        CHECK(error_of([&] { host.change_link(nowhere, {.up = true}); }) == ENODEV);
        CHECK(error_of([&] { host.change_link(bridge, {.mac = mac("03:00:00:00:00:01")}); }) ==
              EADDRNOTAVAIL);
        CHECK(error_of([&] { host.change_link(bridge, {.mtu = 99999}); }) == EINVAL);
        CHECK(error_of([&] { host.change_link(bridge, {.master = nowhere}); }) == EINVAL);
        CHECK(error_of([&] { host.change_link(bridge, {.master = bridge}); }) == ELOOP);
        CHECK(error_of([&] { host.change_link(bridge, {.mtu = 1279, .addr_gen_mode = 1}); }) == EAFNOSUPPORT);
        host.change_link(bridge, {.alias = std::string(255, 'a')});
        CHECK(host.find_link(bridge)->alias == std::string(255, 'a'));
        CHECK(error_of([&] { host.change_link(bridge, {.alias = std::string(256, 'b')}); }) == ERANGE);
        CHECK(host.find_link(bridge)->alias == std::string(255, 'a'));
        CHECK(text_of([&] { host.change_link(bridge, {.mtu = 99999}); }).find("set \"cni0\"") == 0);
    }
    SUBCASE("deleting: true, then false; a veth takes its other end along, a bridge leaves its ports") {
        host.add_bridge({.name = "cni0"_ifname});
        auto const bridge = host.find_link("cni0"_ifname)->index;
        for (auto const* name : {"v1", "v2"})
            host.add_veth({.host = {.name = net::interface_name::parse(name).value()},
                           .peer = {.name = net::interface_name::parse(std::string{"e"} + name).value()},
                           .peer_netns = here.pod.fd(),
                           .master = bridge});
        auto const v1 = host.find_link("v1"_ifname)->index;
        CHECK(host.delete_link(v1));
        CHECK_FALSE(host.delete_link(v1));
        CHECK_FALSE(host.find_link("v1"_ifname));
        CHECK_FALSE(inside.find_link("ev1"_ifname));
        CHECK(host.delete_link(bridge));
        CHECK_FALSE(host.delete_link(bridge));
        REQUIRE(host.find_link("v2"_ifname));
        CHECK(host.find_link("v2"_ifname)->master == 0);
        CHECK(inside.delete_link(inside.find_link("ev2"_ifname)->index));
        CHECK_FALSE(host.find_link("v2"_ifname));
        CHECK(error_of([&] { host.delete_link(host.find_link("lo"_ifname)->index); }) == EOPNOTSUPP);
    }
}

/// Skipped by name where the kernel has no VLANs.
template <class Fixture> void vlan_laws() {
    Fixture here;
    auto& host = here.host;
    host.add_veth({.host = {.name = "v"_ifname}, .peer = {.name = "w"_ifname}});
    auto const on = host.find_link("v"_ifname)->index;
    netlink::vlan_spec const vlan{.name = "v.7"_ifname, .on = on, .id = 7, .mac = mac("02:00:00:00:00:07")};
    try {
        host.add_vlan(vlan);
    } catch (std::system_error const& e) {
        if (e.code() != std::errc::operation_not_supported) throw;
        MESSAGE("skipped: this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)");
        return;
    }
    auto const made = host.find_link("v.7"_ifname);
    REQUIRE(made);
    CHECK(made->kind == "vlan");
    CHECK(made->vlan == 7);
    CHECK(made->peer == on);
    CHECK(made->mac == mac("02:00:00:00:00:07"));
    CHECK_FALSE(made->up);
    CHECK(error_of([&] { host.add_vlan(vlan); }) == EEXIST);
    auto other = vlan;
    other.name = "other"_ifname;
    CHECK(error_of([&] { host.add_vlan(other); }) == EEXIST);
    other.id = 4095;
    CHECK(error_of([&] { host.add_vlan(other); }) == ERANGE);
    other.id = 8;
    other.mac.reset();
    host.add_vlan(other);
    CHECK(host.find_link("other"_ifname)->mac == host.find_link(on)->mac);
    other.on = 4711;
    other.name = "third"_ifname;
    CHECK(error_of([&] { host.add_vlan(other); }) == ENODEV);
    CHECK(host.delete_link(made->index));
    CHECK_FALSE(host.find_link("v.7"_ifname));
    CHECK(host.delete_link(on));
    CHECK_FALSE_MESSAGE(host.find_link("other"_ifname), "a VLAN goes with what it is on");
}

template <class Fixture> void port_laws() {
    Fixture here;
    auto& host = here.host;
    host.add_bridge({.name = "cni0"_ifname, .vlan_filtering = here.can_filter_vlans()});
    auto const bridge = host.find_link("cni0"_ifname)->index;
    host.add_veth({.host = {.name = "v"_ifname}, .peer = {.name = "e"_ifname}, .master = bridge});
    host.add_veth({.host = {.name = "w"_ifname}, .peer = {.name = "f"_ifname}, .master = bridge});
    auto const v = host.find_link("v"_ifname)->index, e = host.find_link("e"_ifname)->index;

    SUBCASE("hairpin and isolation") {
        CHECK(host.port(v) == netlink::bridge_port{});
        for (netlink::bridge_port const wanted : {netlink::bridge_port{.hairpin = true, .isolated = false},
                                                  {.hairpin = false, .isolated = true},
                                                  {.hairpin = true, .isolated = true},
                                                  {.hairpin = false, .isolated = false}}) {
            host.change_port(v, wanted);
            CHECK(host.port(v) == wanted);
            CHECK(host.port(host.find_link("w"_ifname)->index) == netlink::bridge_port{});
        }
    }
    SUBCASE("what is no port") {
        CHECK_FALSE(host.port(e));
        CHECK_FALSE(host.port(bridge));
        CHECK(error_of([&] { host.change_port(e, {.hairpin = true}); }) == EOPNOTSUPP);
        CHECK(error_of([&] { host.port(nowhere); }) == ENODEV);
        CHECK(error_of([&] { host.change_port(nowhere, {}); }) == ENODEV);
    }
    SUBCASE("VLANs") {
        if (!here.can_filter_vlans()) {
            MESSAGE("skipped: this kernel's bridges have no VLAN tables (CONFIG_BRIDGE_VLAN_FILTERING)");
            return;
        }
        using vlans = std::vector<netlink::port_vlan>;
        CHECK(host.find_link("cni0"_ifname)->vlan_filtering);
        host.change_link(bridge, {.vlan_filtering = false});
        CHECK_FALSE(host.find_link("cni0"_ifname)->vlan_filtering);
        host.change_link(bridge, {.vlan_filtering = true});
        CHECK(host.find_link("cni0"_ifname)->vlan_filtering);
        CHECK(error_of([&] { host.change_link(v, {.vlan_filtering = true}); }) == EOPNOTSUPP);

        CHECK(host.port_vlans(v) == vlans{{1, true, true}});
        host.add_port_vlan(v, {100, true, true});
        CHECK(host.port_vlans(v) == vlans{{1, false, true}, {100, true, true}});
        host.add_port_vlan(v, {7, false, false});
        CHECK(host.port_vlans(v) == vlans{{1, false, true}, {7, false, false}, {100, true, true}});
        host.add_port_vlan(v, {7, false, true}); // the new flags
        CHECK(host.port_vlans(v) == vlans{{1, false, true}, {7, false, true}, {100, true, true}});
        CHECK(host.delete_port_vlan(v, {.vid = 7}));
        CHECK_FALSE(host.delete_port_vlan(v, {.vid = 7}));
        CHECK(host.delete_port_vlan(v, {.vid = 1}));
        CHECK(host.port_vlans(v) == vlans{{100, true, true}});
        for (std::uint16_t vid = 10; vid < 20; ++vid) host.add_port_vlan(v, {vid, false, false});
        auto const all = host.port_vlans(v);
        CHECK(all.size() == 11);
        CHECK(std::is_sorted(all.begin(), all.end()));
        CHECK(std::count(all.begin(), all.end(), netlink::port_vlan{15, false, false}) == 1);
        CHECK(host.port_vlans(host.find_link("w"_ifname)->index) == vlans{{1, true, true}});

        CHECK(error_of([&] { host.add_port_vlan(v, {.vid = 4095}); }) == EINVAL);
        CHECK(error_of([&] { host.add_port_vlan(v, {.vid = 0}); }) == EINVAL);
        CHECK(error_of([&] { host.add_port_vlan(e, {.vid = 5}); }) == EOPNOTSUPP);
        CHECK(error_of([&] { host.port_vlans(e); }) == EINVAL);
        CHECK(error_of([&] { host.port_vlans(nowhere); }) == ENODEV);
        CHECK(error_of([&] { host.add_port_vlan(nowhere, {.vid = 5}); }) == ENODEV);
        CHECK_FALSE(host.delete_port_vlan(nowhere, {.vid = 5}));
    }
}

} // namespace cnix::test
