#pragma once
#include <cnix/config/fault.hpp>
#include <cnix/config/path.hpp>
#include <cnix/config/text.hpp>
#include <cnix/net/prefix.hpp>
#include <cnix/net/range.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::ipam {

/// A range as configured. Defaults: from network + 1 to the last address (IPv4: the last before the broadcast
/// address), gateway network + 1.
struct host_local_range {
    std::optional<net::prefix> subnet; ///< required
    std::optional<net::address> rangeStart;
    std::optional<net::address> rangeEnd;
    std::optional<net::address> gateway;
};

/// The addresses of a subnet that may be handed out, the gateway excepted.
struct address_range {
    net::prefix subnet;
    net::range addresses;
    net::address gateway;
};

/// Ranges of one family that make up one pool: an attachment gets one address of each set. Never empty once
/// resolved.
using range_set = std::vector<address_range>;

/// What is wrong with a range or a set.
struct range_fault {
    config::text path; ///< begins where the caller said
    config::text message;
};
using range_faults = std::vector<range_fault>; ///< in the order they were found

/// Fills in the defaults. What is wrong is added to `faults`, at `here` and below; then nothing.
constexpr std::optional<address_range> resolve(host_local_range const& range,
                                               config::detail::frame const& here, range_faults& faults) {
    bool good = true;
    auto const refuse = [&](std::string_view key, config::text message) {
        good = false;
        faults.push_back({config::join_paths(config::detail::path_of(here), key), std::move(message)});
    };
    if (!range.subnet) {
        refuse("", "a range needs `subnet`, the network to allocate from, such as 10.1.0.0/16");
        return std::nullopt;
    }
    net::prefix const subnet = *range.subnet;
    if (subnet.length() > net::bits(subnet.family()) - 2) {
        refuse("subnet", config::concat("Network ", subnet.text().view(), " too small to allocate from"));
        return std::nullopt;
    }
    net::address const network = subnet.first();
    if (network != subnet.address()) {
        refuse("subnet", config::concat("Network has host bits set. For a subnet mask of length ",
                                        subnet.length(), " the network address is ", network.text().view()));
        return std::nullopt;
    }

    net::address const end = subnet.last(); // of IPv4, the broadcast address
    net::address const lowest = network.next();
    net::address const highest = subnet.is_v4() ? end.previous() : end;
    auto const inside = [&](std::string_view key, std::string_view name,
                            std::optional<net::address> const& given, net::address const& otherwise) {
        if (!given) return otherwise;
        if (!subnet.contains(*given))
            refuse(key,
                   config::concat(name, ' ', given->text().view(), " not in network ", subnet.text().view()));
        else if (subnet.is_v4() && *given == network)
            refuse(key, config::concat(name, ' ', given->text().view(), " is the address of the network ",
                                       subnet.text().view(), " itself, which no interface can have"));
        else if (subnet.is_v4() && *given == end)
            refuse(key, config::concat(name, ' ', given->text().view(),
                                       " is the broadcast address of the network ", subnet.text().view(),
                                       ", which no interface can have"));
        return *given;
    };
    net::address const first = inside("rangeStart", "RangeStart", range.rangeStart, lowest);
    net::address const last = inside("rangeEnd", "RangeEnd", range.rangeEnd, highest);
    net::address const gateway = range.gateway.value_or(lowest);
    if (range.gateway && !subnet.contains(gateway))
        refuse("gateway", config::concat("Gateway ", gateway.text().view(), " not in network ",
                                         subnet.text().view(), ": a pod could not reach it"));
    if (!good) return std::nullopt;
    auto const addresses = net::range::make(first, last);
    if (!addresses) {
        refuse("rangeEnd", config::concat("RangeEnd ", last.text().view(), " lies before RangeStart ",
                                          first.text().view()));
        return std::nullopt;
    }
    if (first == last && first == gateway) {
        refuse("gateway", config::concat("the gateway ", gateway.text().view(),
                                         " is the only address of the range, and none is left to hand out"));
        return std::nullopt;
    }
    return address_range{subnet, *addresses, gateway};
}

namespace detail {

/// The places of the ranges that share an address with another one, in their order.
constexpr std::vector<std::size_t> overlapping(std::span<net::range const> ranges) {
    auto const apart = [](net::range const& before, net::range const& here) {
        return before.last() < here.first();
    };
    // As most people write them: then there is nothing to sort.
    if (std::adjacent_find(ranges.begin(), ranges.end(), std::not_fn(apart)) == ranges.end()) return {};
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < ranges.size(); ++i) order.push_back(i);
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return ranges[a].first() < ranges[b].first(); });
    std::vector<std::size_t> met;
    std::size_t furthest = 0; // of those before in `order`, the one that ends last
    for (std::size_t i = 1; i < order.size(); ++i) {
        net::range const& before = ranges[order[furthest]];
        net::range const& here = ranges[order[i]];
        if (here.first() <= before.last()) met.insert(met.end(), {order[furthest], order[i]});
        if (before.last() < here.last()) furthest = i;
    }
    std::sort(met.begin(), met.end());
    met.erase(std::unique(met.begin(), met.end()), met.end());
    return met;
}

/// What keeps ranges from being one set. `places` are theirs in the configuration.
constexpr void refuse_conflicts(range_set const& set, std::span<std::size_t const> places,
                                config::detail::frame const& here, range_faults& faults) {
    std::vector<net::range> addresses;
    for (address_range const& one : set) addresses.push_back(one.addresses);
    std::span<net::range const> const ranges{addresses};
    auto const other_family = std::find_if(ranges.begin(), ranges.end(), [&](net::range const& one) {
        return one.family() != ranges.front().family();
    });
    // From there on, each is of another family than one before it.
    std::size_t const mixed = static_cast<std::size_t>(other_family - ranges.begin());
    std::vector<std::size_t> suspects = overlapping(ranges.first(mixed));
    for (std::size_t i = mixed; i < ranges.size(); ++i) suspects.push_back(i);
    for (std::size_t const i : suspects)
        for (net::range const& other : ranges.first(i)) {
            bool const same_family = other.family() == ranges[i].family();
            if (same_family && !other.overlaps(ranges[i])) continue;
            if (faults.size() >= config::max_faults) return;
            faults.push_back({config::detail::path_of({&here, {}, places[i]}),
                              same_family ? config::concat("subnets ", other.first().text().view(), '-',
                                                           other.last().text().view(), " and ",
                                                           ranges[i].first().text().view(), '-',
                                                           ranges[i].last().text().view(), " overlap")
                                          : config::text{"mixed address families"}});
            break;
        }
}

} // namespace detail

/// The same for a set. A set with a fault is empty.
constexpr range_set resolve(std::vector<host_local_range> const& ranges, config::detail::frame const& here,
                            range_faults& faults) {
    std::size_t const before = faults.size();
    if (ranges.empty()) faults.push_back({config::detail::path_of(here), "empty range set"});
    range_set set;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < ranges.size(); ++i)
        if (auto const range = resolve(ranges[i], config::detail::frame{&here, {}, i}, faults)) {
            set.push_back(*range);
            places.push_back(i);
        }
    if (set.size() > 1) detail::refuse_conflicts(set, places, here, faults);
    if (faults.size() != before) set.clear();
    return set;
}

/// Whether the address is in one of the set's ranges.
constexpr bool contains(range_set const& set, net::address const& address) {
    for (address_range const& range : set)
        if (range.addresses.contains(address)) return true;
    return false;
}

/// No address may belong to two sets.
constexpr void refuse_overlaps(std::vector<range_set> const& sets, std::string_view path,
                               range_faults& faults) {
    std::vector<net::range> all;
    std::vector<std::size_t> owners;
    all.reserve(sets.size());
    owners.reserve(sets.size());
    for (std::size_t i = 0; i < sets.size(); ++i)
        for (address_range const& range : sets[i]) {
            all.push_back(range.addresses);
            owners.push_back(i);
        }
    auto const met = detail::overlapping(all);
    auto const end_of_set = [&](std::size_t at) {
        std::size_t const owner = owners[met[at]];
        while (at != met.size() && owners[met[at]] == owner) ++at;
        return at;
    };
    for (std::size_t one = 0, one_end = 0; one != met.size(); one = one_end) {
        one_end = end_of_set(one);
        for (std::size_t other = one_end, other_end = 0; other != met.size(); other = other_end) {
            other_end = end_of_set(other);
            bool overlap = false;
            for (std::size_t i = one; i != one_end && !overlap; ++i)
                for (std::size_t j = other; j != other_end && !overlap; ++j)
                    overlap = all[met[i]].overlaps(all[met[j]]);
            if (!overlap) continue;
            if (faults.size() >= config::max_faults) return;
            faults.push_back({path, config::concat("range set ", owners[met[one]], " overlaps with ",
                                                   owners[met[other]])});
        }
    }
}

} // namespace cnix::ipam
