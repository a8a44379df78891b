#include "laws/netlink_laws.hpp"

#include <cnix/backends/libnl.hpp>

#include <doctest/doctest.h>

#include "laws/netlink_ip_laws.hpp"
#include "support/own_namespace.hpp"
#include "support/real_kernel.hpp"
#include <atomic>
#include <chrono>
#include <thread>

using namespace cnix;
using namespace cnix::net::literals;

namespace {
test::own_namespace const own;
using real = test::real_kernel;
} // namespace

TEST_CASE("links") { test::link_laws<real>(); }
TEST_CASE("VLANs") { test::vlan_laws<real>(); }
TEST_CASE("bridge ports") { test::port_laws<real>(); }
TEST_CASE("addresses") { test::address_laws<real>(); }
TEST_CASE("IPv4 routes") { test::route_laws<real>(test::ipv4_routes); }
TEST_CASE("IPv6 routes") { test::route_laws<real>(test::ipv6_routes); }
TEST_CASE("IPv4 rules") { test::rule_laws<real>(net::family::ipv4, "10.1.0.5/32", "10.2.0.0/16"); }
TEST_CASE("IPv6 rules") { test::rule_laws<real>(net::family::ipv6, "fd00::5/128", "fd02::/48"); }
TEST_CASE("lookups") {
    test::reach_laws<real>("10.7.0.1", "10.7.0.5");
    test::reach_laws<real>("fd07::1", "fd07::5");
}
TEST_CASE("neighbours") { test::neighbour_laws<real>(); }
TEST_CASE("sysctls") { test::sysctl_laws<real>(); }

TEST_CASE("an IPv6 address without no_dad is tentative at first, one with it never") {
    test::with_veth<real> here;
    here.host.add_address(here.v, {.address = test::cidr("fd00::5/64")});
    CHECK(here.host.addresses(here.v).front().tentative);
    CHECK(here.host.delete_address(here.v, test::cidr("fd00::5/64")));
}

TEST_CASE("duplicate address detection that fails is told") {
    test::with_veth<real> here;
    here.host.add_address(here.v, {.address = test::cidr("fd00::5/64"), .no_dad = true});
    here.host.add_address(here.e, {.address = test::cidr("fd00::5/64")});
    CHECK(here.becomes([&] { return here.host.addresses(here.e).front().dad_failed; }));
}

TEST_CASE("a route of IPv4 over an IPv6 gateway") {
    test::with_veth<real> here;
    here.host.add_address(here.v, {.address = test::cidr("fd00::5/64"), .no_dad = true});
    netlink::route_spec const route{
        .dst = test::cidr("172.20.0.0/16"), .gateway = test::ip("fd00::1"), .device = here.v};
    here.host.add_route(route);
    auto const found = test::routes_to(here.host, test::cidr("172.20.0.0/16"));
    REQUIRE(found.size() == 1);
    CHECK(found.front().gateway == test::ip("fd00::1"));
    CHECK(here.host.delete_route(route));
}

TEST_CASE("the kernel's own words are part of the error") {
    test::with_veth<real> here;
    std::string const text = test::text_of([&] {
        here.host.add_route(
            {.dst = test::cidr("172.20.0.0/16"), .gateway = test::ip("10.7.0.1"), .device = here.v});
    });
    CHECK(text == "add the route 172.20.0.0/16 via 10.7.0.1 dev \"v\" (Nexthop has invalid gateway): Network "
                  "is unreachable");
}

TEST_CASE("its socket is closed on exec") {
    int const before = ::dup(0);
    ::close(before);
    backends::libnl kernel;
    CHECK((::fcntl(before, F_GETFD) & FD_CLOEXEC) != 0); // the lowest free descriptor is the socket's
}

TEST_CASE("a backend keeps to the namespace it was made in") {
    real here;
    here.pod.run([&] { here.host.add_bridge({.name = "b"_ifname}); });
    CHECK(here.host.find_link("b"_ifname));
    CHECK_FALSE(here.inside.find_link("b"_ifname));
}

TEST_CASE("an interrupted list is read again: what is there throughout is always in it") {
    real here;
    constexpr int steady = 120; // several datagrams
    for (int i = 0; i < steady; ++i)
        here.host.add_bridge(
            {.name = net::interface_name::parse("steady" + std::to_string(i)).value(), .up = false});
    std::atomic<bool> stop = false;
    std::thread churn{[&] { // a thread begins in its maker's namespace
        backends::libnl kernel;
        while (!stop) {
            kernel.add_veth({.host = {.name = "churn"_ifname}, .peer = {.name = "nruhc"_ifname}});
            kernel.delete_link(kernel.find_link("churn"_ifname)->index);
        }
    }};
    backends::rtnl::socket plain;
    int interrupted = 0, incomplete = 0, failed = 0;
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    for (int round = 0; (round < 200 || interrupted == 0) && std::chrono::steady_clock::now() < until;
         ++round) {
        interrupted +=
            plain.exchange(backends::rtnl::request{RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}}).interrupted;
        try {
            auto const all = here.host.links();
            auto const found = std::count_if(
                all.begin(), all.end(), [](auto const& link) { return link.name.starts_with("steady"); });
            incomplete += found != steady;
        } catch (std::system_error const& e) {
            CHECK(e.code() == std::errc::interrupted);
            ++failed;
        }
    }
    stop = true;
    churn.join();
    INFO("interrupted ", interrupted);
    CHECK(interrupted > 0);
    CHECK(incomplete == 0);
    CHECK(failed == 0);
}
