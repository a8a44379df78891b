#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/eni/address_pool.hpp>
#include <cnix/eni/lease.hpp>
#include <cnix/eni/network_interface.hpp>
#include <cnix/eni/selection.hpp>
#include <cnix/eni/state.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace cnix::eni {

/// The node's ENIs, and who has which of their addresses. A value: no lock, no file, no clock; whoever shares it sees to these.
///
/// An address that was given back is nobody's for the cooldown. Of those that are free, the one that has been free longest is
/// assigned; what was never assigned comes first, in the order of network cards, device numbers and addresses.
///
/// preference::packed takes it so only among those that are equally welcome: first come those that have been free for four
/// cooldowns, of these the ones of a prefix in use, and then those of an ENI in use. Four cooldowns are by default the 120 s for
/// which Linux's conntrack remembers a closed TCP connection and a UDP stream: what matters of longest-free-first is that
/// packets for the last holder of an address have died out, and beyond that packing is worth more.
///
/// `now` should not go back between two calls. If it does by more than the time since the last release, what was given back in
/// its future counts as given back now (settle()): an address may then cool once more, but is never given out early, nor kept
/// for as long as the clock was wrong. A step forward cannot be told from time that has passed. A long running caller avoids
/// both by adding the steady clock's progress to the time of its start.
///
/// Errors are cni::error with upstream's texts, which other programs look for.
class datastore {
  public:
    static constexpr std::chrono::seconds default_cooldown{30}; ///< upstream's IP_COOLDOWN_PERIOD
    /// What upstream's callers look for; why_none() follows.
    static constexpr std::string_view none_available = "AssignPodIPAddress: no available IP/Prefix addresses";

    datastore() = default;
    explicit datastore(std::chrono::seconds cooldown, preference of_free = preference::longest_free)
        : cooldown_{cooldown}, preference_{of_free} {}

    std::chrono::seconds cooldown() const noexcept { return cooldown_; }

    /// @name ENIs
    /// @{

    /// Who has an address of its `cidrs` already (restore()) has it of this ENI then.
    void add(network_interface eni) {
        if (find_eni(eni.id)) throw fault("data store: duplicate ENI", eni.id);
        auto const cidrs = std::exchange(eni.cidrs, {});
        node_eni fresh{std::move(eni), {}};
        for (net::prefix const& cidr : cidrs) {
            require_new(cidr);
            if (fresh.pool(cidr.family()).overlaps(cidr))
                throw fault("datastore: IP already in data store", cidr.text());
            fresh.pool(cidr.family()).add(cidr);
        }
        auto const order = [](auto const& one) {
            return std::tie(one.eni.network_card, one.eni.device_number, one.eni.id);
        };
        auto const at = std::ranges::upper_bound(enis_, order(fresh), {}, order);
        node_eni& added = *enis_.insert(at, std::move(fresh));
        adopt(added, cidrs);
    }
    /// One of whose addresses none is assigned.
    void remove(std::string_view id) {
        auto const found = std::ranges::find(enis_, id, [](auto const& one) -> auto& { return one.eni.id; });
        if (found == enis_.end()) throw fault("datastore: unknown ENI", id);
        for (auto const& pool : found->pools)
            for (net::prefix const& cidr : pool.cidrs())
                if (!pool.assigned(cidr).empty())
                    throw fault("datastore: ENI is used and can not be deleted", id);
        for (auto& pool : found->pools)
            for (net::prefix const& cidr : pool.cidrs()) keep(pool.remove(cidr));
        enis_.erase(found);
    }
    /// Adds an address (/32, /128) or a delegated prefix.
    void add(std::string_view id, net::prefix const& cidr) {
        node_eni* const to = find_eni(id);
        if (!to) throw fault("add ENI's IP to datastore: unknown ENI", id);
        require_new(cidr);
        to->pool(cidr.family()).add(cidr);
        adopt(*to, {&cidr, 1});
    }
    /// Removes one that was added, of which no address is assigned. What cools is remembered, should it come back.
    void remove(std::string_view id, net::prefix const& cidr) {
        node_eni* const from = find_eni(id);
        if (!from) throw fault("datastore: unknown ENI", id);
        if (!from->pool(cidr.family()).has(cidr)) throw fault("datastore: unknown IP", cidr.text());
        if (!from->pool(cidr.family()).assigned(cidr).empty())
            throw fault("datastore: IP is used and can not be deleted", cidr.text());
        keep(from->pool(cidr.family()).remove(cidr));
    }
    /// Removes one that was added, whoever has addresses of it: these stay theirs until they are released, and then are nobody's.
    /// If it is added again, to whichever ENI, they are that one's.
    void withdraw(std::string_view id, net::prefix const& cidr) {
        node_eni* const from = find_eni(id);
        if (!from) throw fault("datastore: unknown ENI", id);
        address_pool& pool = from->pool(cidr.family());
        if (!pool.has(cidr)) throw fault("datastore: unknown IP", cidr.text());
        for (net::address const& address : pool.assigned(cidr)) {
            pool.forget(address);
            assigned_elsewhere_.insert(address);
        }
        keep(pool.remove(cidr));
    }
    /// Whether pods are given its addresses from now on. Those that have one keep it.
    void exclude(std::string_view id, bool excluded) {
        node_eni* const found = find_eni(id);
        if (!found) throw fault("datastore: unknown ENI", id);
        found->eni.excluded = excluded;
    }
    /// In the order of network cards and device numbers.
    std::vector<network_interface> interfaces() const {
        std::vector<network_interface> all;
        for (node_eni const& one : enis_) {
            all.push_back(one.eni);
            for (auto const& pool : one.pools)
                for (net::prefix const& cidr : pool.cidrs()) all.back().cidrs.push_back(cidr);
        }
        return all;
    }
    /// In the same order, without `cidrs`. Valid until an ENI is added or removed.
    std::vector<network_interface const*> known() const {
        std::vector<network_interface const*> all;
        for (node_eni const& one : enis_) all.push_back(&one.eni);
        return all;
    }
    /// Null: unknown. Its `cidrs` are empty: interfaces() has them.
    network_interface const* interface(std::string_view id) const {
        node_eni const* const found = find_eni(id);
        return found ? &found->eni : nullptr;
    }
    /// Whether an ENI has the address for pods.
    bool knows(net::address const& address) const { return eni_with(address) != nullptr; }
    /// Whether some key has the address.
    bool is_assigned(net::address const& address) const {
        node_eni const* const in = eni_with(address);
        return in ? in->pool(address.family()).is_assigned(address) : assigned_elsewhere_.contains(address);
    }
    /// How many addresses and prefixes an ENI has.
    std::size_t cidr_count(std::string_view id, net::family family) const {
        return required(id).pool(family).cidr_count();
    }
    /// Of these, how many are prefixes.
    std::size_t prefix_count(std::string_view id, net::family family) const {
        return required(id).pool(family).prefix_count();
    }
    std::vector<net::prefix> cidrs(std::string_view id, net::family family) const {
        return required(id).pool(family).cidrs();
    }
    bool has_cidr(std::string_view id, net::prefix const& cidr) const {
        return required(id).pool(cidr.family()).has(cidr);
    }
    /// Those of an ENI of which no address is assigned or cooling.
    std::vector<net::prefix> unused(std::string_view id, net::family family, time_point now) const {
        return required(id).pool(family).unused(now, cooldown_);
    }

    /// @}
    /// @name Pods
    /// @{

    /// What assign() gave. `assigned` is valid until the key's release.
    struct given {
        eni::assignment const* assigned;
        bool fresh;                           ///< false: the key had it already
        std::vector<release_record> before{}; ///< what was remembered of the addresses: for take_back()
    };
    /// All that is wanted, or an exception and no assignment. What the key has already is given again, whatever is wanted now.
    given assign(pod_key const& key, wanted const& what, pod_metadata pod, time_point now) {
        if (auto const found = assignments_.find(key); found != assignments_.end()) return {&*found, false};
        settle(now);
        std::vector<selection::choice> chosen;
        selection const from = free_ones();
        for (auto const card : from.cards(what)) {
            auto found = from.best(what, card, now);
            if (!found)
                throw cni::error{cni::code::try_again_later,
                                 std::string{none_available} + ": " + from.why_none(what, card, now)};
            chosen.push_back(std::move(*found));
        }

        pod.interfaces = static_cast<int>(chosen.size());
        eni::assignment made{key, std::move(pod), now, {}};
        given result{nullptr, true};
        for (selection::choice const& one : chosen) {
            node_eni& its = enis_[one.eni];
            made.holdings.push_back({its.eni.id, {}});
            for (auto const& [address, given_back, beside_used] : one.addresses) {
                if (given_back) result.before.push_back({address, *given_back});
                its.pool(address.family()).assign(address);
                made.holdings.back().addresses.push_back(address);
            }
        }
        result.assigned = &*assignments_.insert(std::move(made)).first;
        return result;
    }

    /// What assign() gave to the key was never used: it is free at once, and was given back when `before` says. False, and
    /// nothing is changed, if the key has no longer what it was given.
    bool take_back(eni::assignment const& assigned, std::vector<release_record> const& before) {
        auto const found = assignments_.find(assigned.key);
        if (found == assignments_.end() || !is_same(*found, assigned)) return false;
        drop(found, std::nullopt);
        for (auto const& [address, at] : before) given_back(address, at);
        return true;
    }

    /// Gives back what the key has, or has from before its daemon was updated (migrated()), and returns it. Throws
    /// `datastore: unknown pod`, with cni::code::unknown_container.
    eni::assignment release(pod_key const& key, time_point now) {
        settle(now);
        auto found = assignments_.find(key);
        if (found == assignments_.end()) found = assignments_.find(migrated(key));
        if (found == assignments_.end())
            throw cni::error{cni::code::unknown_container, "datastore: unknown pod",
                             key.network + '/' + key.container + '/' + key.interface};
        return drop(found, now);
    }

    /// What the key has, or has from before its daemon was updated. Null: nothing.
    eni::assignment const* find(pod_key const& key) const {
        auto found = assignments_.find(key);
        if (found == assignments_.end()) found = assignments_.find(migrated(key));
        return found == assignments_.end() ? nullptr : &*found;
    }
    /// By their keys, and found by them.
    std::set<eni::assignment, by_key> const& assignments() const noexcept { return assignments_; }

    /// What links need of it: one a holding. Nothing of a holding whose ENI is unknown.
    std::vector<allocation> allocations(eni::assignment const& of) const {
        std::vector<allocation> all;
        for (holding const& one : of.holdings)
            if (auto const* const eni = interface(one.eni))
                all.push_back({one.addresses, eni->device_number, eni->table()});
        return all;
    }

    /// @}
    /// @name Counts
    /// @{

    /// Of all ENIs that are not excluded, or of those of one network card.
    address_counts count(net::family family, time_point now, std::optional<int> card = std::nullopt) const {
        address_counts all;
        for (node_eni const& one : enis_)
            if (!one.eni.excluded && (!card || one.eni.network_card == *card))
                all += one.pool(family).counts(now, cooldown_);
        return all;
    }
    /// Of one ENI.
    address_counts count(std::string_view id, net::family family, time_point now) const {
        return required(id).pool(family).counts(now, cooldown_);
    }
    /// Of one address or prefix of an ENI.
    address_counts count(std::string_view id, net::prefix const& cidr, time_point now) const {
        node_eni const* const found = find_eni(id);
        if (!found || !found->pool(cidr.family()).has(cidr))
            throw fault("datastore: unknown IP", cidr.text());
        return found->pool(cidr.family()).counts(cidr, now, cooldown_);
    }
    /// Whether what is wanted could be assigned now, to one who has nothing.
    bool has(wanted const& what, time_point now) const {
        selection const from = free_ones();
        return std::ranges::all_of(from.cards(what),
                                   [&](auto const card) { return from.best(what, card, now).has_value(); });
    }
    /// When the next address that cools is free; nothing: none cools.
    std::optional<time_point> next_cooled(net::family family, time_point now) const {
        std::optional<time_point> next;
        for (node_eni const& one : enis_)
            if (auto const at = one.pool(family).next_cooled(now, cooldown_);
                at && !one.eni.excluded && (!next || *at < *next))
                next = at;
        return next;
    }
    /// Why nothing that is wanted could be assigned now; nothing if it could.
    std::optional<std::string> why_none(wanted const& what, time_point now) const {
        selection const from = free_ones();
        for (auto const card : from.cards(what))
            if (!from.best(what, card, now)) return from.why_none(what, card, now);
        return std::nullopt;
    }

    /// @}
    /// @name State
    /// @{

    /// Of everything, or of one network card, for which upstream has a file of its own. What no ENI has is card 0's.
    eni::state state(std::optional<int> card = std::nullopt) const {
        eni::state all{{}, releases(card)};
        each_holding(card, [&](eni::assignment const& one, holding const& part) {
            if (all.assignments.empty() || all.assignments.back().key != one.key)
                all.assignments.push_back({one.key, one.pod, one.since, {}});
            all.assignments.back().holdings.push_back(part);
        });
        return all;
    }
    /// state()'s assignments without a copy: calls `with(assignment, holding)` for each holding, by key.
    template <class With> void each_holding(std::optional<int> card, With with) const {
        for (eni::assignment const& one : assignments_)
            for (holding const& part : one.holdings)
                if (!card || is_of(card, interface(part.eni))) with(one, part);
    }
    /// state()'s, by address.
    std::vector<release_record> releases(std::optional<int> card = std::nullopt) const {
        std::vector<release_record> all;
        for (node_eni const& one : enis_)
            if (is_of(card, &one.eni))
                for (auto const& pool : one.pools) pool.append_releases(all);
        if (is_of(card, nullptr))
            for (auto const& [address, at] : released_elsewhere_) all.push_back({address, at});
        std::ranges::sort(all, {}, &release_record::address);
        return all;
    }
    /// Takes over what another datastore had. What no ENI has is kept, too, so that it can be released, and belongs to the ENI
    /// that is told to have it later. Throws if an address has two owners, and has changed nothing.
    void restore(eni::state const& from) {
        std::set<net::address> seen;
        for (eni::assignment const& one : from.assignments)
            for (holding const& part : one.holdings)
                for (net::address const& address : part.addresses)
                    if (is_assigned(address) || !seen.insert(address).second)
                        throw fault("datastore: IP already in data store", address.text());
        for (eni::assignment const& one : from.assignments) {
            eni::assignment& to = changed(*assignments_.insert({one.key, one.pod, one.since, {}}).first);
            for (holding const& part : one.holdings) {
                to.holdings.push_back({{}, part.addresses});
                for (net::address const& address : part.addresses) {
                    if (node_eni* const in = eni_with(address)) {
                        in->pool(address.family()).assign(address);
                        to.holdings.back().eni = in->eni.id;
                    } else {
                        assigned_elsewhere_.insert(address);
                    }
                }
            }
        }
        for (auto const& [address, at] : from.releases)
            if (!is_assigned(address)) given_back(address, at);
    }
    /// Counts what was given back later than `now` as given back now. Whether there was any: then the state has changed, and is
    /// to be saved even if nothing else comes of the call. What no ENI has and is not cooling is forgotten. assign() and
    /// release() do it first.
    bool settle(time_point now) {
        bool changed = false;
        for (node_eni& one : enis_)
            for (auto& pool : one.pools) changed |= pool.no_later_than(now);
        for (auto& [address, at] : released_elsewhere_)
            if (at > now) at = now, changed = true;
        std::erase_if(released_elsewhere_,
                      [&](auto const& one) { return !address_pool::is_cooling(one.second, now, cooldown_); });
        return changed;
    }

    /// @}

  private:
    using assignment_set = std::set<eni::assignment, by_key>;

    /// One of assignments_, to be changed in what is not its key.
    static eni::assignment& changed(eni::assignment const& one) { return const_cast<eni::assignment&>(one); }
    /// Whether what the ENI has is the card's; null: what no ENI has.
    static bool is_of(std::optional<int> card, network_interface const* eni) {
        return !card || *card == (eni ? eni->network_card : 0);
    }
    static cni::error fault(std::string_view what, std::string_view of) {
        return {cni::code::internal, std::string{what}, std::string{of}};
    }
    selection free_ones() const { return {enis_, cooldown_, preference_}; }

    node_eni const* find_eni(std::string_view id) const {
        auto const found = std::ranges::find(enis_, id, [](auto const& one) -> auto& { return one.eni.id; });
        return found == enis_.end() ? nullptr : &*found;
    }
    node_eni const& required(std::string_view id) const {
        if (node_eni const* const found = find_eni(id)) return *found;
        throw fault("datastore: unknown ENI", id);
    }
    node_eni* find_eni(std::string_view id) {
        return const_cast<node_eni*>(std::as_const(*this).find_eni(id));
    }
    node_eni const* eni_with(net::address const& address) const {
        auto const found = std::ranges::find_if(
            enis_, [&](node_eni const& one) { return one.pool(address.family()).contains(address); });
        return found == enis_.end() ? nullptr : &*found;
    }
    node_eni* eni_with(net::address const& address) {
        return const_cast<node_eni*>(std::as_const(*this).eni_with(address));
    }
    /// Whether both are of one assign(). What ENIs are known may differ.
    static bool is_same(eni::assignment const& one, eni::assignment const& other) {
        return one.since == other.since &&
               std::ranges::equal(one.holdings, other.holdings, {}, &holding::addresses, &holding::addresses);
    }
    void require_new(net::prefix const& cidr) const {
        if (cidr.has_host_bits() || net::bits(cidr.family()) - cidr.length() > 48)
            throw fault("datastore: the prefix has host bits, or more than 2^48 addresses", cidr.text());
        for (node_eni const& one : enis_)
            if (one.pool(cidr.family()).overlaps(cidr))
                throw fault("datastore: IP already in data store", cidr.text());
    }

    /// Removes an assignment; its addresses were given back then, or were never assigned.
    eni::assignment drop(assignment_set::iterator found, std::optional<time_point> when) {
        eni::assignment gone = std::move(assignments_.extract(found).value());
        for (holding const& one : gone.holdings)
            for (net::address const& address : one.addresses) {
                assigned_elsewhere_.erase(address);
                if (when)
                    given_back(address, *when);
                else if (node_eni* const in = eni_with(address))
                    in->pool(address.family()).forget(address);
            }
        return gone;
    }
    void given_back(net::address const& address, time_point when) {
        if (node_eni* const in = eni_with(address))
            in->pool(address.family()).give_back(address, when, cooldown_);
        else
            released_elsewhere_.insert_or_assign(address, when);
    }
    void keep(std::vector<release_record> const& forgotten) {
        for (auto const& [address, at] : forgotten) released_elsewhere_.insert_or_assign(address, at);
    }

    /// What is known already of the addresses of prefixes that have just been added.
    void adopt(node_eni& to, std::span<net::prefix const> cidrs) {
        bool any = false;
        for (net::prefix const& cidr : cidrs) {
            address_pool& pool = to.pool(cidr.family());
            auto has = assigned_elsewhere_.lower_bound(cidr.first());
            while (has != assigned_elsewhere_.end() && cidr.contains(*has)) {
                pool.assign(*has);
                has = assigned_elsewhere_.erase(has);
                any = true;
            }
            auto at = released_elsewhere_.lower_bound(cidr.first());
            while (at != released_elsewhere_.end() && cidr.contains(at->first)) {
                pool.give_back(at->first, at->second, cooldown_);
                at = released_elsewhere_.erase(at);
            }
        }
        if (!any) return;
        for (eni::assignment const& one : assignments_)
            for (holding& part : changed(one).holdings)
                if (std::ranges::any_of(part.addresses, [&](net::address const& address) {
                        return to.pool(address.family()).contains(address);
                    }))
                    part.eni = to.eni.id;
    }

    std::chrono::seconds cooldown_ = default_cooldown;
    preference preference_ = preference::longest_free;
    std::vector<node_eni> enis_; ///< by network card, device number and ID
    assignment_set assignments_;
    std::set<net::address> assigned_elsewhere_;             ///< addresses that no ENI has
    std::map<net::address, time_point> released_elsewhere_; ///< of addresses that no ENI has
};

} // namespace cnix::eni
