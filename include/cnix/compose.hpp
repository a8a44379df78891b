#pragma once
#include <cnix/compose/why_not.hpp>
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/concepts/link_policy.hpp>
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/ns_policy.hpp>
#include <cnix/eni/lease.hpp>

namespace cnix {

/// The rules between slots: what one policy needs of another. Each has its prose in detail::explain below.

/// The Ipam's leases carry what the Link needs.
template <class Link, class Ipam>
concept lease_fits = std::derived_from<typename Ipam::lease, typename Link::lease>;

/// The Ipam tells the subnet of each address where the Link puts pods on one. (A Link says so by `needs_subnets = true`, an Ipam
/// that cannot by `without_subnets = true`.)
template <class Link, class Ipam>
concept subnets_told =
    !(requires { requires Link::needs_subnets; } && requires { requires Ipam::without_subnets; });

namespace detail {
template <class Type>
concept good_link = policy_type<Type> && link_policy<Type> && readable_config<Type>;
template <class Type>
concept good_ipam = policy_type<Type> && ipam_policy<Type> && readable_config<Type>;
template <class Type>
concept good_nat = policy_type<Type> && nat_policy<Type> && readable_config<Type>;
template <class Type>
concept good_ns = policy_type<Type> && ns_policy<Type>;
} // namespace detail

/// Whether four policies make a plugin; for constraints and tests. plugin<> says why not.
template <class Link, class Ipam, class Nat, class Ns>
concept composable = detail::good_link<Link> && detail::good_ipam<Ipam> && detail::good_nat<Nat> &&
                     detail::good_ns<Ns> && lease_fits<Link, Ipam> && subnets_told<Link, Ipam>;

namespace detail {

/// It leads what leaves a pod by the ENI of its address.
template <class Link>
concept needs_eni = std::derived_from<typename Link::lease, eni::lease>;

template <class Link, class Ipam> auto explain_leases() {
    if constexpr (!subnets_told<Link, Ipam>)
        static_assert(
            subnets_told<Link, Ipam>,
            "cnix: `Ipam` does not fit `Link`: this Link puts pods on a subnet, and this Ipam's daemon tells "
            "addresses without one; write ipam::pool or ipam::host_local, or link::eni_routed; "
            "docs/compose.md#leases");
    else if constexpr (!lease_fits<Link, Ipam> && needs_eni<Link> && std::string_view{Ipam::type}.empty())
        static_assert(
            lease_fits<Link, Ipam>,
            "cnix: `Ipam` does not fit `Link`: this Link must know the ENI of each address, which no IPAM "
            "plugin tells that is delegated to; write ipam::remote or ipam::pool, or link::bridge; "
            "docs/compose.md#leases");
    else if constexpr (!lease_fits<Link, Ipam> && needs_eni<Link>)
        static_assert(
            lease_fits<Link, Ipam>,
            "cnix: `Ipam` does not fit `Link`: this Link must know the ENI of each address, and this "
            "Ipam's are no ENI's; write ipam::remote or ipam::pool, or link::bridge; "
            "docs/compose.md#leases");
    else
        static_assert(
            lease_fits<Link, Ipam>,
            "cnix: `Ipam` does not fit `Link`: its leases do not carry what this Link needs "
            "(`Ipam::lease` must derive from `Link::lease`); write an Ipam that hands out such leases, "
            "or another Link; docs/compose.md#leases");
}

template <class... Slots>
concept four = sizeof...(Slots) == 4;
template <class... Slots>
    requires(!four<Slots...>)
auto explain() {
    static_assert(four<Slots...>,
                  "cnix: a plugin has four slots; write plugin<Link, Ipam, Nat, Ns>; docs/compose.md#slots");
}

/// One error per broken slot: the compiler looks into a function whose return type it must know. A slot that is wrong by itself
/// is reported alone.
template <class Link, class Ipam, class Nat, class Ns> auto explain() {
    if constexpr (!good_link<Link>) explain_link<Link>();
    if constexpr (!good_ipam<Ipam>) explain_ipam<Ipam>();
    if constexpr (!good_nat<Nat>) explain_nat<Nat>();
    if constexpr (!good_ns<Ns>) explain_ns<Ns>();
    if constexpr (good_link<Link> && good_ipam<Ipam>) explain_leases<Link, Ipam>();
}

/// What stands in for a plugin that is none, so that those who use it are no further errors.
struct no_plugin {
    static constexpr bool well_formed = false;
    static constexpr std::string_view name{};
    static void add(auto&&...) {}
    static void del(auto&&...) {}
    static void check(auto&&...) {}
    static void gc(auto&&...) {}
    static void status(auto&&...) {}
};

} // namespace detail
} // namespace cnix
