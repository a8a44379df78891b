// Policies that do not fit each other, each pair with its own message. The control composes what is nearest.
#include <cnix/ipam/delegate.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/ipam/pool.hpp>
#include <cnix/ipam/remote.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/plugin.hpp>

using namespace cnix;
using bridge = link::bridge<archetypes::netlink>;
using routed = link::eni_routed<archetypes::netlink>;
using remote = ipam::remote<archetypes::cni_client>;
template <class Link, class Ipam>
constexpr bool good = plugin<Link, Ipam, nat::none, archetypes::ns>::well_formed;
static_assert(good<bridge, ipam::host_local> && good<bridge, ipam::delegate> && good<bridge, ipam::pool>);
static_assert(good<routed, ipam::pool> && good<routed, remote>);

// FAIL eni_with_host_local 1: this Link must know the ENI of each address, and this Ipam's are no ENI's
#ifdef CT_eni_with_host_local
plugin<routed, ipam::host_local, nat::none, archetypes::ns> it;
#endif

// FAIL eni_with_delegate 1: this Link must know the ENI of each address, which no IPAM plugin tells that is delegated to
#ifdef CT_eni_with_delegate
plugin<routed, ipam::delegate, nat::none, archetypes::ns> it;
#endif

// FAIL bridge_with_remote 1: this Link puts pods on a subnet, and this Ipam's daemon tells addresses without one
#ifdef CT_bridge_with_remote
plugin<bridge, remote, nat::none, archetypes::ns> it;
#endif
