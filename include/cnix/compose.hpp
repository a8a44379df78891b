#pragma once
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/concepts/link_policy.hpp>
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/ns_policy.hpp>

namespace cnix {

/// The rules between slots: what one policy needs of another. Each has its prose in composition_check below.

/// The Ipam's leases carry what the Link needs.
template <class Link, class Ipam>
concept lease_fits = std::derived_from<typename Ipam::lease, typename Link::lease>;

/// Whether four policies make a plugin; for constraints and tests. plugin<> says why not.
template <class Link, class Ipam, class Nat, class Ns>
concept composable =
    link_policy<Link> && ipam_policy<Ipam> && nat_policy<Nat> && ns_policy<Ns> && lease_fits<Link, Ipam>;

namespace detail {

template <class Link, class Ipam, bool = link_policy<Link> && ipam_policy<Ipam>> struct slots_fit {
    static_assert(
        lease_fits<Link, Ipam>,
        "cnix: `Ipam` does not fit `Link`: its leases do not carry what this Link needs (`Ipam::lease` must "
        "derive from "
        "`Link::lease`); write an Ipam that hands out such leases, or another Link; docs/compose.md#leases");
};
// A slot that is wrong by itself is reported alone.
template <class Link, class Ipam> struct slots_fit<Link, Ipam, false> {};

template <class Link> struct link_slot {
    static_assert(
        link_policy<Link>,
        "cnix: `Link`, the first slot, does not model cnix::link_policy; write what the notes below "
        "miss, or put a model such as cnix::link::bridge there; docs/compose.md#link");
};
template <class Ipam> struct ipam_slot {
    static_assert(
        ipam_policy<Ipam>,
        "cnix: `Ipam`, the second slot, does not model cnix::ipam_policy; write what the notes below "
        "miss, or put a model such as cnix::ipam::host_local there; docs/compose.md#ipam");
};
template <class Nat> struct nat_slot {
    static_assert(nat_policy<Nat>,
                  "cnix: `Nat`, the third slot, does not model cnix::nat_policy; write what the notes below "
                  "miss, or put a model such as cnix::nat::nftables there; docs/compose.md#nat");
};
template <class Ns> struct ns_slot {
    static_assert(ns_policy<Ns>,
                  "cnix: `Ns`, the fourth slot, does not model cnix::ns_policy; write what the notes below "
                  "miss, or put a model such as cnix::ns::setns there; docs/compose.md#ns");
};

/// One error per broken slot; the compiler's notes below it list what is missing. (A class each: clang goes no further in a
/// class whose assertion failed.)
template <class Link, class Ipam, class Nat, class Ns>
struct composition_check : link_slot<Link>,
                           ipam_slot<Ipam>,
                           nat_slot<Nat>,
                           ns_slot<Ns>,
                           slots_fit<Link, Ipam> {};

} // namespace detail
} // namespace cnix
