#include <cnix/backends/libnl.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/ns/setns.hpp>

#include <doctest/doctest.h>

#include "laws/link_laws.hpp"
#include "support/eni_leases.hpp"
#include "support/kernel_node.hpp"
#include "support/own_namespace.hpp"
#include "support/run.hpp"

namespace {

using namespace cnix;
using routed = link::eni_routed<backends::libnl>;
using test::eni_lease;

test::own_namespace const own{"ip"};

using real_world = test::kernel_node<backends::libnl, ns::setns>;

void laws_with(eni::lease const& lease, eni::lease const& other) {
    laws::link_laws<routed, ns::setns, real_world>{settings<routed>{}}.all(lease, other);
}

TEST_CASE("laws: primary ENI") { laws_with(eni_lease(0, {{"10.0.2.55"}}), eni_lease(0, {{"10.0.2.56"}})); }
TEST_CASE("laws: second ENI") { laws_with(eni_lease(1, {{"10.0.2.55"}}), eni_lease(1, {{"10.0.2.56"}})); }
TEST_CASE("laws: IPv6") { laws_with(eni_lease(1, {{"fd00::55"}}), eni_lease(1, {{"fd00::56"}})); }
TEST_CASE("laws: both families") {
    laws_with(eni_lease(2, {{"10.0.2.55", "fd00::55"}}), eni_lease(2, {{"10.0.2.56", "fd00::56"}}));
}
} // namespace
