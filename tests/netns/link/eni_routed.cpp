#include <cnix/backends/libnl.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/ns/setns.hpp>

#include <doctest/doctest.h>

#include "laws/link_laws.hpp"
#include "support/eni_leases.hpp"
#include "support/eni_tables.hpp"
#include "support/kernel_node.hpp"
#include "support/own_namespace.hpp"
#include "support/run.hpp"

namespace {

using namespace cnix;
using namespace cnix::net::literals;
using routed = link::eni_routed<backends::libnl>;
using test::eni_lease;

test::own_namespace const own{"ip"};

using real_world = test::kernel_node<backends::libnl, ns::setns>;

void laws_with(eni::lease const& lease, eni::lease const& other) {
    using world = test::with_enis<backends::libnl, real_world>;
    laws::link_laws<routed, ns::setns, world>{settings<routed>{}}.all(lease, other);
}

TEST_CASE("laws: primary ENI") { laws_with(eni_lease(0, {{"10.0.2.55"}}), eni_lease(0, {{"10.0.2.56"}})); }
TEST_CASE("laws: second ENI") { laws_with(eni_lease(1, {{"10.0.2.55"}}), eni_lease(1, {{"10.0.2.56"}})); }
TEST_CASE("laws: IPv6") { laws_with(eni_lease(1, {{"fd00::55"}}), eni_lease(1, {{"fd00::56"}})); }
TEST_CASE("laws: both families") {
    laws_with(eni_lease(2, {{"10.0.2.55", "fd00::55"}}), eni_lease(2, {{"10.0.2.56", "fd00::56"}}));
}
/// A pod with a branch ENI; the state of the node before and after.
void branch_with(link::eni_routed_config config) {
    real_world here;
    backends::libnl host;
    host.add_veth({.host = {.name = "trunk"_ifname}, .peer = {.name = "cloud"_ifname}});
    auto const trunk = host.find_link("trunk"_ifname)->index;
    host.change_link(trunk, {.up = true, .addr_gen_mode = 1});
    try {
        host.add_vlan({.name = "probe"_ifname, .on = trunk, .id = 2});
        host.delete_link(host.find_link("probe"_ifname)->index);
    } catch (std::system_error const&) {
        MESSAGE("skipped: this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)");
        return;
    }
    auto const before = here.state();
    auto lease = eni_lease(-1, {{"10.0.5.55"}});
    lease.branch = eni::branch{.vlan = 7,
                               .mac = net::mac::parse("02:00:00:00:00:07").value(),
                               .gateway = net::address::parse("10.0.5.1").value(),
                               .trunk = trunk};
    settings<routed> keys;
    keys.config = std::move(config);
    auto one = laws::attachment("mynet", "c1");
    one.netns = here.pod(0);
    auto pod = ns::setns::open(one.netns);
    auto const add = [&](cni::rollback& undo) {
        cni::result result;
        routed{}.add(one, keys, pod, lease, result, undo);
        return result;
    };
    {
        cni::rollback undo;
        add(undo);
        CHECK(undo.undo().empty());
        CHECK(test::difference(before, here.state()) == "");
    }
    cni::rollback undo;
    auto const made = add(undo);
    undo.commit();
    findings found;
    routed{}.check(one, keys, pod, made, found);
    CHECK(found == findings{});
    CHECK(host.find_link("vlan.eth.7"_ifname)->vlan == 7);
    routed{}.del(one, keys, static_cast<ns::setns*>(nullptr));
    CHECK(test::difference(before, here.state()) == "");
}

TEST_CASE("branch ENI, strict") { branch_with({}); }
TEST_CASE("branch ENI, standard") { branch_with({.podSGEnforcingMode = config::text{"standard"}}); }

} // namespace
