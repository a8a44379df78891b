// Every composition of the policies there are, with what a backend has to offer and no more. Building this file is the test.
#include <cnix/compose.hpp>
#include <cnix/concepts/iptables_backend.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/ipam/delegate.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/spoof_check.hpp>
#include <cnix/nat/iptables.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/ns/setns.hpp>

using namespace cnix;
using nftables = nat::nftables<archetypes::nft>;
using iptables = nat::iptables<archetypes::iptables>;

template <class Link>
constexpr bool composes_with_all = composable<Link, ipam::host_local, nftables, ns::setns> &&
                                   composable<Link, ipam::host_local, iptables, ns::setns> &&
                                   composable<Link, ipam::host_local, nat::none, ns::setns> &&
                                   composable<Link, ipam::delegate, nftables, ns::setns> &&
                                   composable<Link, ipam::delegate, iptables, ns::setns> &&
                                   composable<Link, ipam::delegate, nat::none, ns::setns>;
static_assert(composes_with_all<link::bridge<archetypes::netlink>>);
static_assert(composes_with_all<link::bridge<archetypes::netlink, link::spoof_check<archetypes::nft>>>);

// No policy models another slot's concept.
using bridge = link::bridge<archetypes::netlink>;
static_assert(!ipam_policy<bridge> && !nat_policy<bridge> && !ns_policy<bridge>);
static_assert(!link_policy<ipam::host_local> && !nat_policy<ipam::host_local> &&
              !ns_policy<ipam::host_local>);
static_assert(!link_policy<ipam::delegate> && !nat_policy<ipam::delegate> && !ns_policy<ipam::delegate>);
static_assert(!link_policy<nftables> && !ipam_policy<nftables> && !ns_policy<nftables>);
static_assert(!link_policy<iptables> && !ipam_policy<iptables> && !ns_policy<iptables>);
static_assert(!link_policy<nat::none> && !ipam_policy<nat::none> && !ns_policy<nat::none>);
static_assert(!link_policy<ns::setns> && !ipam_policy<ns::setns> && !nat_policy<ns::setns>);
