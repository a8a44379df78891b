#pragma once
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/concepts/link_policy.hpp>

#include <concepts>
#include <vector>

/// What slots tell each other for STATUS, where both have it: see ipam_policy and link_policy.
namespace cnix::detail {

template <class Policy>
concept tells_expected = is_ipam<Policy> && requires(settings<Policy> const& settings) {
    { Policy::expected(settings) } -> std::same_as<typename Policy::lease>;
};

/// Whether the Link says of the Ipam's possible leases if a pod with it would work.
template <class Link, class Ipam>
concept judges_leases_of =
    requires(Link link, settings<Ipam> const& settings, typename Ipam::lease const& lease, findings& found) {
        { Ipam::possible(settings) } -> std::same_as<std::vector<typename Ipam::lease>>;
        { link.status_of(lease, found) } -> std::same_as<void>;
    };

/// Whether the Ipam says of the addresses that the Link's pods have if it knows them.
template <class Ipam, class Link>
concept judges_pods_of = requires(Ipam ipam, Link link, settings<Ipam> const& settings,
                                  std::vector<net::address> (*in_use)(), findings& found) {
    { link.in_use() } -> std::same_as<std::vector<net::address>>;
    { ipam.status_of_pods(settings, in_use, found) } -> std::same_as<void>;
};

} // namespace cnix::detail
