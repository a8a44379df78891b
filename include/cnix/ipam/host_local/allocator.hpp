#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/ipam/host_local/lease_directory.hpp>
#include <cnix/ipam/host_local/ranges.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace cnix::ipam {

/// "A-B,C-D"
inline std::string str(range_set const& set) {
    std::string text;
    for (address_range const& range : set) text += (text.empty() ? "" : ",") + range.addresses.str();
    return text;
}

/// Whether the address is the gateway of one of the set's ranges, which no attachment gets.
inline bool is_gateway(range_set const& set, net::address const& address) {
    return std::ranges::any_of(set, [&](address_range const& range) { return range.gateway == address; });
}

/// The set's addresses in the order they are tried: those after `last` to the end, then from the beginning up
/// to and including `last`. From the beginning if `last` is not in the set.
inline std::vector<net::range> after(range_set const& set, std::optional<net::address> const& last) {
    std::vector<net::range> pieces;
    auto const holder = std::ranges::find_if(
        set, [&](address_range const& range) { return last && range.addresses.contains(*last); });
    if (holder == set.end()) {
        for (address_range const& range : set) pieces.push_back(range.addresses);
        return pieces;
    }
    if (auto const rest = net::range::make(last->next(), holder->addresses.last())) pieces.push_back(*rest);
    for (auto range = holder + 1; range != set.end(); ++range) pieces.push_back(range->addresses);
    for (auto range = set.begin(); range != holder; ++range) pieces.push_back(range->addresses);
    pieces.push_back(*net::range::make(holder->addresses.first(), *last));
    return pieces;
}

/// The first address of the pieces that is no gateway and is `good`.
template <std::predicate<net::address const&> Good>
std::optional<net::address> first_usable(range_set const& set, std::vector<net::range> const& pieces,
                                         Good good) {
    for (net::range const& piece : pieces)
        for (net::address const& address : piece)
            if (!is_gateway(set, address) && good(address)) return address;
    return std::nullopt;
}

/// The address that is tried first.
inline std::optional<net::address> first_usable(range_set const& set) {
    return first_usable(set, after(set, std::nullopt), [](net::address const&) { return true; });
}

/// Whether an address could be taken from the set, given the sorted addresses that have a file.
inline bool has_free_address(range_set const& set, lease_directory const* leases,
                             std::vector<net::address> const& present) {
    auto const pieces = after(set, std::nullopt);
    auto const free = first_usable(set, pieces, [&](net::address const& address) {
        return !std::binary_search(present.begin(), present.end(), address);
    });
    if (free) return true;
    auto const torn = [&](net::address const& address) {
        return leases->read(address).state == lease_state::torn;
    };
    return leases && first_usable(set, pieces, torn);
}

/// Takes the next free address of the set; nothing if there is none.
inline std::optional<net::address> take_next(lease_directory& leases, range_set const& set,
                                             std::optional<net::address> const& last,
                                             cni::attachment_id const& attachment) {
    // Where leases stand close together, one reading of the directory is cheaper than more tries.
    constexpr int tries = 8;
    auto const pieces = after(set, last);
    std::optional<std::vector<net::address>> present;
    int misses = 0;
    auto const next = first_usable(set, pieces, [&](net::address const& address) {
        if (present && std::binary_search(present->begin(), present->end(), address)) return false;
        if (leases.take(address, attachment)) return true;
        if (++misses == tries) present = leases.addresses();
        return false;
    });
    if (next || !present) return next;
    return first_usable(set, pieces, [&](net::address const& address) { // all have a file: one may be torn
        return leases.read(address).state == lease_state::torn && leases.take(address, attachment);
    });
}

/// Takes one address of each set for the attachment, the requested one where there is one (`requested` has an
/// element for each set). All or, with an exception, none.
inline std::vector<net::address> allocate(lease_directory& leases, std::vector<range_set> const& sets,
                                          std::vector<std::optional<net::address>> const& requested,
                                          cni::attachment_id const& attachment) {
    auto const fail = [](std::size_t set, cni::code code, std::string const& why) {
        throw cni::error{code, "failed to allocate for range " + std::to_string(set) + ": " + why};
    };
    held_addresses const held = leases.held_by(attachment);
    for (std::size_t i = 0; i < sets.size(); ++i)
        for (auto const* list : {&held.own, &held.of_container})
            for (net::address const& address : *list)
                if (contains(sets[i], address))
                    fail(i, cni::code::internal,
                         address.str() + " has been allocated to " + attachment.container.str() +
                             ", duplicate allocation is not allowed; DEL its interface " +
                             attachment.interface.str() + " first");

    lease_owner const owner{attachment.container.str(), attachment.interface.str()};
    std::vector<net::address> taken;
    try {
        for (std::size_t i = 0; i < sets.size(); ++i) {
            if (auto const& wanted = requested[i]) {
                if (is_gateway(sets[i], *wanted))
                    fail(i, cni::code::internal, "requested ip " + wanted->str() + " is subnet's gateway");
                if (!leases.take(*wanted, attachment))
                    fail(i, cni::code::internal,
                         "requested IP address " + wanted->str() + " is not available in range set " +
                             str(sets[i]));
                taken.push_back(*wanted);
            } else {
                auto const next = take_next(leases, sets[i], leases.last_reserved(i), attachment);
                if (!next)
                    fail(i, cni::code::try_again_later,
                         "no IP addresses available in range set: " + str(sets[i]));
                taken.push_back(*next);
            }
        }
        for (std::size_t i = 0; i < sets.size(); ++i) leases.last_reserved(i, taken[i]);
    } catch (...) {
        for (net::address const& address : taken) leases.release(address, owner);
        throw;
    }
    return taken;
}

} // namespace cnix::ipam
