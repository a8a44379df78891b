// Every composition of the policies there are, with what a backend has to offer and no more. Building this file is the test.
#include <cnix/compose.hpp>
#include <cnix/concepts/iptables_backend.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/ipam/delegate.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/ipam/pool.hpp>
#include <cnix/ipam/remote.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/link/spoof_check.hpp>
#include <cnix/nat/iptables.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/ns/setns.hpp>

using namespace cnix;
using nftables = nat::nftables<archetypes::nft>;
using iptables = nat::iptables<archetypes::iptables>;

using remote = ipam::remote<archetypes::cni_client>;
using bridge = link::bridge<archetypes::netlink>;
using checked_bridge = link::bridge<archetypes::netlink, link::spoof_check<archetypes::nft>>;
using eni_routed = link::eni_routed<archetypes::netlink>;

/// With how many of the three Nats.
template <class Link, class Ipam>
constexpr int nats =
    composable<Link, Ipam, nftables, ns::setns> + composable<Link, Ipam, iptables, ns::setns> +
    composable<Link, Ipam, nat::none, ns::setns>;

static_assert(nats<bridge, ipam::host_local> == 3 && nats<checked_bridge, ipam::host_local> == 3);
static_assert(nats<bridge, ipam::delegate> == 3 && nats<checked_bridge, ipam::delegate> == 3);
static_assert(nats<bridge, ipam::pool> == 3 && nats<checked_bridge, ipam::pool> == 3);
static_assert(nats<eni_routed, ipam::pool> == 3);
static_assert(nats<eni_routed, remote> == 3);
// Each of these has its message: pairs.cpp
static_assert(nats<bridge, remote> == 0 && nats<checked_bridge, remote> == 0);
static_assert(nats<eni_routed, ipam::host_local> == 0);
static_assert(nats<eni_routed, ipam::delegate> == 0);

// No policy models another slot's concept.
static_assert(!ipam_policy<eni_routed> && !nat_policy<eni_routed> && !ns_policy<eni_routed>);
static_assert(!link_policy<ipam::pool> && !nat_policy<ipam::pool> && !ns_policy<ipam::pool>);
static_assert(!link_policy<remote> && !nat_policy<remote> && !ns_policy<remote>);
static_assert(!ipam_policy<bridge> && !nat_policy<bridge> && !ns_policy<bridge>);
static_assert(!link_policy<ipam::host_local> && !nat_policy<ipam::host_local> &&
              !ns_policy<ipam::host_local>);
static_assert(!link_policy<ipam::delegate> && !nat_policy<ipam::delegate> && !ns_policy<ipam::delegate>);
static_assert(!link_policy<nftables> && !ipam_policy<nftables> && !ns_policy<nftables>);
static_assert(!link_policy<iptables> && !ipam_policy<iptables> && !ns_policy<iptables>);
static_assert(!link_policy<nat::none> && !ipam_policy<nat::none> && !ns_policy<nat::none>);
static_assert(!link_policy<ns::setns> && !ipam_policy<ns::setns> && !nat_policy<ns::setns>);
