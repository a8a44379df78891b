#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/spoof_check.hpp>
#include <cnix/ns/setns.hpp>

#include <doctest/doctest.h>

#include "laws/link_laws.hpp"
#include "support/kernel_node.hpp"
#include "support/own_namespace.hpp"
#include "support/real_kernel.hpp"
#include "support/run.hpp"
#include <string>

namespace {

using namespace cnix;
using bridge = link::bridge<backends::libnl, link::spoof_check<backends::nftables>>;

test::own_namespace const own{"nft"};

bool can_filter_vlans() {
    sys::fd const back = sys::open("/proc/thread-self/ns/net", O_RDONLY);
    bool const can = test::real_kernel{}.can_filter_vlans();
    REQUIRE(::setns(back.get(), CLONE_NEWNET) == 0);
    return can;
}

struct real_world : test::kernel_node<backends::libnl, ns::setns> {
    std::string state() const { return kernel_node::state() + test::output_of({"nft", "list", "ruleset"}); }
};

void laws_with(link::bridge_config config, cni::lease const& lease, cni::lease const& other) {
    settings<bridge> settings;
    settings.config = std::move(config);
    laws::link_laws<bridge, ns::setns, real_world>{settings}.all(lease, other);
}

auto const v4 = laws::lease({"10.1.0.2/16"}), v4_other = laws::lease({"10.1.0.3/16"});
auto const dual = laws::lease({"10.1.0.2/16", "fd00::2/64"}),
           dual_other = laws::lease({"10.1.0.3/16", "fd00::3/64"});

TEST_CASE("laws: plain") { laws_with({}, dual, dual_other); }
TEST_CASE("laws: gateway") { laws_with({.isGateway = true}, dual, dual_other); }
TEST_CASE("laws: default gateway, forced") {
    laws_with({.isDefaultGateway = true, .forceAddress = true}, dual, dual_other);
}
TEST_CASE("laws: hairpin and isolation") {
    laws_with({.mtu = 1400, .hairpinMode = true, .portIsolation = true}, v4, v4_other);
}
TEST_CASE("laws: promiscuous") {
    laws_with({.isGateway = true, .mtu = 1000, .promiscMode = true}, v4, v4_other);
}
TEST_CASE("laws: spoof check") { laws_with({.isGateway = true, .macspoofchk = true}, dual, dual_other); }
TEST_CASE("laws: VLANs") {
    if (can_filter_vlans()) {
        laws_with({.isGateway = true, .vlan = 100}, v4, v4_other);
        laws_with({.vlanTrunk = {{{.minID = 10, .maxID = 12}}}, .preserveDefaultVlan = true}, v4, v4_other);
    } else {
        MESSAGE("the kernel has no bridge VLAN filtering");
    }
}

struct failed_add : real_world {
    /// An ADD that fails as the last thing it does, on the node as it is.
    void run(link::bridge_config config, cni::lease lease) {
        lease.routes.push_back(
            {.dst = test::cidr("172.16.0.0/12"), .gw = test::ip("192.168.77.1")}); // unreachable
        settings<bridge> settings;
        settings.config = std::move(config);
        auto one = laws::attachment("mynet", "c1");
        one.netns = pod(0);
        auto netns = ns::setns::open(one.netns);
        auto const before = state();
        cni::rollback undo;
        cni::result result;
        CHECK_THROWS_AS(bridge{}.add(one, settings, netns, lease, result, undo), std::system_error);
        CHECK(undo.undo().empty());
        CHECK(test::difference(before, state()) == "");
    }
    /// The same, but only the engine's next slot fails.
    void run_whole(link::bridge_config config, cni::lease const& lease) {
        settings<bridge> settings;
        settings.config = std::move(config);
        auto one = laws::attachment("mynet", "c1");
        one.netns = pod(0);
        auto netns = ns::setns::open(one.netns);
        auto const before = state();
        cni::rollback undo;
        cni::result result;
        bridge{}.add(one, settings, netns, lease, result, undo);
        CHECK(test::difference(before, state()) != "");
        CHECK(undo.undo().empty());
        CHECK(test::difference(before, state()) == "");
    }
    void both(link::bridge_config const& config, cni::lease const& lease) {
        run(config, lease);
        run_whole(config, lease);
    }
};

TEST_CASE_FIXTURE(failed_add, "a bridge by others is as before, down and without ports") {
    test::output_of({"ip", "link", "add", "cni0", "type", "bridge"});
    both({.isDefaultGateway = true, .promiscMode = true, .macspoofchk = true}, dual);
}

TEST_CASE_FIXTURE(failed_add, "a bridge by others keeps its addresses in their order") {
    test::output_of({"ip", "link", "add", "cni0", "up", "type", "bridge"});
    for (char const* address : {"10.9.0.1/24", "10.9.0.2/24", "10.9.0.3/24", "10.8.0.1/24"})
        test::output_of({"ip", "addr", "add", address, "dev", "cni0"});
    for (char const* address : {"fd00::9/64", "fd09::1/64"})
        test::output_of({"ip", "addr", "add", address, "dev", "cni0", "nodad"});
    SUBCASE("secondary addresses go with the first one") {
        test::output_of({"sysctl", "-qw", "net.ipv4.conf.cni0.promote_secondaries=0"});
    }
    SUBCASE("secondary addresses take the first one's place") {
        test::output_of({"sysctl", "-qw", "net.ipv4.conf.cni0.promote_secondaries=1"});
    }
    both({.isGateway = true, .forceAddress = true}, dual);
}

TEST_CASE_FIXTURE(failed_add, "nothing is left of a bridge that was not there") {
    both({.isDefaultGateway = true, .mtu = 1400, .hairpinMode = true, .macspoofchk = true}, dual);
}

TEST_CASE_FIXTURE(failed_add, "nothing is left of VLANs") {
    if (!can_filter_vlans()) {
        MESSAGE("the kernel has no bridge VLAN filtering");
        return;
    }
    both({.isGateway = true, .vlan = 100}, dual);
    test::output_of({"ip", "link", "add", "cni0", "type", "bridge"});
    both({.isGateway = true, .vlan = 100, .vlanTrunk = {{{.id = 7}}}}, dual);
}

} // namespace
