#pragma once
#include <algorithm>
#include <cstdint>

/// How many addresses a node is to have: upstream's arithmetic (pkg/ipamd: datastoreTargetState, isDatastorePoolTooLow,
/// shouldRemoveExtraENIs...) as functions of numbers, but for two things. Addresses that cool are not available, since no pod can
/// have them (upstream's issue 2896). And pods that wait for an address are demand on top of the targets.
namespace cnix::ipamd {

/// Of the IPv4 prefixes that EC2 delegates, /28.
constexpr inline std::int64_t addresses_per_prefix = 16;

/// What is kept ready. Names, defaults and meaning are of upstream's environment variables.
struct targets {
    int warm_eni = 1;   ///< ENIs' worth of available addresses, where none of the next two is set
    int warm_ip = 0;    ///< available addresses; 0: not set
    int minimum_ip = 0; ///< addresses, in use or not; 0: not set
    int warm_prefix =
        0; ///< prefixes' worth of available addresses, with prefixes and where neither of the former is set
    int max_eni = -1; ///< below 1: as many as the instance may have
    int max_pods = 0; ///< with so many addresses there are enough; 0: no such limit

    constexpr bool by_ip() const { return warm_ip > 0 || minimum_ip > 0; }
    friend bool operator==(targets const&, targets const&) = default;
};
/// Upstream's, of network cards other than the first.
constexpr targets further_card_targets(targets of) {
    of.warm_ip = of.minimum_ip = 1;
    return of;
}

/// The IPv4 addresses of one network card that pods may be given.
struct supply {
    std::int64_t total = 0;
    std::int64_t assigned = 0;
    std::int64_t cooling = 0;
    std::int64_t waiting = 0;         ///< pods that have no address so far
    std::int64_t prefixes = 0;        ///< of the total
    std::int64_t unused_prefixes = 0; ///< no address of which is assigned or cooling

    /// Negative if more pods wait than there are addresses.
    constexpr std::int64_t available() const { return total - assigned - cooling - waiting; }

    constexpr supply operator+(supply const& other) const {
        return {total + other.total,     assigned + other.assigned, cooling + other.cooling,
                waiting + other.waiting, prefixes + other.prefixes, unused_prefixes + other.unused_prefixes};
    }
    constexpr supply operator-(supply const& other) const {
        return {total - other.total,     assigned - other.assigned, cooling - other.cooling,
                waiting - other.waiting, prefixes - other.prefixes, unused_prefixes - other.unused_prefixes};
    }
    friend bool operator==(supply const&, supply const&) = default;
};

/// Of how many prefixes addresses come.
constexpr std::int64_t prefixes_for(std::int64_t addresses) {
    return (std::max<std::int64_t>(addresses, 0) + addresses_per_prefix - 1) / addresses_per_prefix;
}

/// How many addresses one ENI may have for pods, or prefixes: its own address takes one place.
constexpr int places_per_eni(int ipv4_per_eni) { return std::max(ipv4_per_eni - 1, 0); }

/// How many ENIs the node may have, those that others manage included.
constexpr int most_enis(int limit, targets const& of) {
    return of.max_eni >= 1 ? std::min(limit, of.max_eni) : limit;
}

/// How many pods upstream's table says a node is for: those with an address, and two that have the host's network.
constexpr int pods_of_node(int enis, int ipv4_per_eni) { return enis * places_per_eni(ipv4_per_eni) + 2; }

/// Whether the node has enough whatever the targets say. While pods wait, addresses that cool do not count: without a pod that
/// waits they do, so that no ENI is attached for the half minute after many pods were deleted.
constexpr bool is_enough(targets const& of, supply const& has) {
    return of.max_pods > 0 && has.total - (has.waiting > 0 ? has.cooling : 0) >= of.max_pods;
}

/// How many addresses are too few; 0: none. `places`: places_per_eni().
constexpr std::int64_t missing_addresses(targets const& of, supply const& has, int places) {
    if (is_enough(of, has)) return 0;
    if (of.by_ip())
        return std::max({of.warm_ip - has.available(), of.minimum_ip - has.total, std::int64_t{0}});
    std::int64_t const wanted = std::int64_t{places} * of.warm_eni;
    return std::max<std::int64_t>(std::max<std::int64_t>(wanted, 1) - has.available(), 0);
}
/// How many prefixes are too few; 0: none.
constexpr std::int64_t missing_prefixes(targets const& of, supply const& has) {
    if (is_enough(of, has)) return 0;
    if (of.by_ip()) return prefixes_for(missing_addresses(of, has, 0));
    std::int64_t const wanted = addresses_per_prefix * of.warm_prefix;
    return prefixes_for(std::max<std::int64_t>(wanted, 1) - has.available());
}
/// Of either.
constexpr std::int64_t missing(targets const& of, supply const& has, int places, bool prefixes) {
    return prefixes ? missing_prefixes(of, has) : missing_addresses(of, has, places);
}

/// How many of the free addresses are too many, whichever ENI has them. Without an address target none are: then whole ENIs
/// are given up.
constexpr std::int64_t spare_addresses(targets const& of, supply const& has) {
    if (!of.by_ip()) return 0;
    return std::max<std::int64_t>(std::min(has.available() - of.warm_ip, has.total - of.minimum_ip), 0);
}
/// How many of the unused prefixes are too many.
constexpr std::int64_t spare_prefixes(targets const& of, supply const& has) {
    std::int64_t const in_use = has.assigned + has.cooling + has.waiting;
    std::int64_t spare = has.unused_prefixes;
    if (of.by_ip()) {
        spare = std::min(spare, has.prefixes - prefixes_for(in_use + of.warm_ip));
        spare = std::min(spare, has.prefixes - prefixes_for(of.minimum_ip));
    } else {
        spare -= of.warm_prefix;
        // With a target of 0 upstream gives up the last free prefix, and asks for it again at once.
        spare = std::min(spare, has.prefixes - prefixes_for(in_use + 1));
    }
    return std::max<std::int64_t>(spare, 0);
}
constexpr std::int64_t spare(targets const& of, supply const& has, bool prefixes) {
    return prefixes ? spare_prefixes(of, has) : spare_addresses(of, has);
}

/// Whether an ENI without pods, which has `its` part of the supply, may go: nothing would be missing then.
constexpr bool is_spare_eni(targets const& of, supply const& has, supply const& its, int places,
                            bool prefixes) {
    return has.waiting == 0 && missing(of, has - its, places, prefixes) == 0;
}

/// How many addresses or prefixes to ask for at once for one ENI with room for `room` more.
constexpr std::int64_t portion_for(targets const& of, std::int64_t missing, std::int64_t room,
                                   bool prefixes) {
    return of.by_ip() || prefixes ? std::min(missing, room) : room;
}

} // namespace cnix::ipamd
