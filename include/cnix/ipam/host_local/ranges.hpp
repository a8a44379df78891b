#pragma once
#include <cnix/config/path.hpp>
#include <cnix/config/text.hpp>
#include <cnix/net/prefix.hpp>
#include <cnix/net/range.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
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

/// Fills in the defaults. What is wrong goes to `fault(path, message)`, the path beginning with `base`; then
/// nothing.
template <class Fault>
constexpr std::optional<address_range> resolve(host_local_range const& range, std::string_view base,
                                               Fault const& fault) {
    bool good = true;
    auto const refuse = [&](std::string_view key, config::text const& message) {
        good = false;
        fault(config::join_paths(base, key).view(), message.view());
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
    if (subnet.has_host_bits()) {
        refuse("subnet",
               config::concat("Network has host bits set. For a subnet mask of length ", subnet.length(),
                              " the network address is ", subnet.first().text().view()));
        return std::nullopt;
    }

    net::address const lowest = subnet.first().next();
    net::address const highest = subnet.is_v4() ? subnet.last().previous() : subnet.last();
    auto const inside = [&](std::string_view key, std::string_view name,
                            std::optional<net::address> const& given, net::address const& otherwise) {
        if (!given) return otherwise;
        if (!subnet.contains(*given))
            refuse(key,
                   config::concat(name, ' ', given->text().view(), " not in network ", subnet.text().view()));
        else if (subnet.is_v4() && *given == subnet.first())
            refuse(key, config::concat(name, ' ', given->text().view(), " is the address of the network ",
                                       subnet.text().view(), " itself, which no interface can have"));
        else if (subnet.is_v4() && *given == subnet.last())
            refuse(key, config::concat(name, ' ', given->text().view(),
                                       " is the broadcast address of the network ", subnet.text().view(),
                                       ", which no interface can have"));
        return *given;
    };
    net::address const first = inside("rangeStart", "RangeStart", range.rangeStart, lowest);
    net::address const last = inside("rangeEnd", "RangeEnd", range.rangeEnd, highest);
    net::address const gateway = range.gateway.value_or(lowest);
    if (!subnet.contains(gateway))
        refuse("gateway", config::concat("Gateway ", gateway.text().view(), " not in network ",
                                         subnet.text().view(), ": a pod could not reach it"));
    if (!good) return std::nullopt;
    auto const addresses = net::range::make(first, last);
    if (!addresses) {
        refuse("rangeEnd", config::concat("RangeEnd ", last.text().view(), " lies before RangeStart ",
                                          first.text().view()));
        return std::nullopt;
    }
    return address_range{subnet, *addresses, gateway};
}

/// The same for a set. A set with a fault is empty.
template <class Fault>
constexpr range_set resolve(std::vector<host_local_range> const& ranges, std::string_view base,
                            Fault const& fault) {
    bool good = !ranges.empty();
    if (!good) fault(base, std::string_view{"empty range set"});
    range_set set;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        config::text const at = config::join_paths(base, config::path(i));
        auto const range = resolve(ranges[i], at.view(), fault);
        if (!range) {
            good = false;
            continue;
        }
        for (address_range const& other : set) {
            if (other.subnet.family() != range->subnet.family()) {
                fault(at.view(), std::string_view{"mixed address families"});
                good = false;
                break;
            }
            if (other.addresses.overlaps(range->addresses)) {
                fault(at.view(), config::concat("subnets ", other.addresses.first().text().view(), '-',
                                                other.addresses.last().text().view(), " and ",
                                                range->addresses.first().text().view(), '-',
                                                range->addresses.last().text().view(), " overlap")
                                     .view());
                good = false;
                break;
            }
        }
        set.push_back(*range);
    }
    if (!good) set.clear();
    return set;
}

/// Whether the address is in one of the set's ranges.
constexpr bool contains(range_set const& set, net::address const& address) {
    for (address_range const& range : set)
        if (range.addresses.contains(address)) return true;
    return false;
}

/// No address may belong to two sets.
template <class Fault>
constexpr void refuse_overlaps(std::vector<range_set> const& sets, std::string_view path,
                               Fault const& fault) {
    for (std::size_t i = 0; i < sets.size(); ++i)
        for (std::size_t j = i + 1; j < sets.size(); ++j) {
            bool overlap = false;
            for (address_range const& one : sets[i])
                for (address_range const& other : sets[j])
                    overlap = overlap || one.addresses.overlaps(other.addresses);
            if (overlap) fault(path, config::concat("range set ", i, " overlaps with ", j).view());
        }
}

} // namespace cnix::ipam
