#pragma once
#include <cnix/eni/state.hpp>
#include <cnix/net/prefix.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace cnix::eni {

/// How many addresses there are. A prefix may have more than fit 32 bits.
struct address_counts {
    std::uint64_t total = 0;
    std::uint64_t assigned = 0;
    std::uint64_t cooling = 0; ///< given back so shortly ago that no pod may have them

    std::uint64_t free() const { return total - assigned - cooling; }
    address_counts& operator+=(address_counts const& other) {
        total += other.total;
        assigned += other.assigned;
        cooling += other.cooling;
        return *this;
    }
    friend bool operator==(address_counts const&, address_counts const&) = default;
};

/// The addresses of one family that one ENI has for pods: which are assigned, when the others were given back. What nobody
/// has used is not stored, so that an IPv6 prefix costs no more than an address. Everything takes time logarithmic in what is
/// stored.
class address_pool {
  public:
    /// A prefix longer than this has few enough addresses that each may be remembered.
    static constexpr int wide_host_bits = 16;
    /// How many given back addresses of a wide prefix are remembered, at least those that are cooling. What is forgotten
    /// has been free longer than these.
    static constexpr std::size_t remembered = 256;

    /// What may be assigned, and when it was given back; nothing if it was never assigned, or so long ago that it is forgotten.
    struct candidate {
        net::address address;
        std::optional<time_point> given_back;
    };

    bool empty() const { return blocks_.empty(); }
    bool contains(net::address const& address) const { return block_of(address) != nullptr; }
    bool has(net::prefix const& cidr) const {
        auto const found = blocks_.find(cidr.first());
        return found != blocks_.end() && found->second.cidr == cidr;
    }
    bool overlaps(net::prefix const& cidr) const {
        auto after = blocks_.upper_bound(cidr.last());
        return after != blocks_.begin() && std::prev(after)->second.cidr.overlaps(cidr);
    }
    std::vector<net::prefix> cidrs() const {
        std::vector<net::prefix> all;
        for (auto const& [first, one] : blocks_) all.push_back(one.cidr);
        return all;
    }

    /// One without host bits that overlaps none of the pool, with at most 2^48 addresses.
    void add(net::prefix const& cidr) {
        blocks_.emplace(cidr.first(), block{cidr, cidr.first(), 0});
        untouched_.insert(cidr.first());
    }
    /// One of the pool of which no address is assigned. Returns when its addresses were given back.
    std::vector<release_record> remove(net::prefix const& cidr) {
        std::vector<release_record> forgotten;
        auto at = touched_.lower_bound(cidr.first());
        while (at != touched_.end() && cidr.contains(at->first)) {
            forgotten.push_back({at->first, *at->second});
            given_back_.erase({*at->second, at->first});
            at = touched_.erase(at);
        }
        untouched_.erase(cidr.first());
        blocks_.erase(cidr.first());
        return forgotten;
    }

    bool is_assigned(net::address const& address) const {
        auto const found = touched_.find(address);
        return found != touched_.end() && !found->second;
    }

    /// The address that has been free longest; of those that nobody had, the lowest. Nothing if all are assigned or cooling.
    std::optional<candidate> longest_free(time_point now, std::chrono::seconds cooldown) const {
        if (!untouched_.empty())
            return candidate{*blocks_.at(*untouched_.begin()).lowest_untouched, std::nullopt};
        if (given_back_.empty() || is_cooling(given_back_.begin()->first, now, cooldown)) return std::nullopt;
        return candidate{given_back_.begin()->second, given_back_.begin()->first};
    }

    /// An address of the pool that is not assigned, cooling or not.
    void assign(net::address const& address) { touch(address, std::nullopt); }
    /// One that is assigned, or that is only to be remembered as given back.
    void give_back(net::address const& address, time_point when, std::chrono::seconds cooldown) {
        touch(address, when);
        block& in = *block_of(address);
        if (is_wide(in.cidr) && in.given_back > remembered) forget_one(when, cooldown);
    }
    /// As if it had never been assigned.
    void forget(net::address const& address) {
        auto const found = touched_.find(address);
        if (found == touched_.end()) return;
        block& in = *block_of(address);
        unlist(found->first, found->second, in);
        touched_.erase(found);
        if (!in.lowest_untouched || address < *in.lowest_untouched) in.lowest_untouched = address;
        untouched_.insert(in.cidr.first());
    }

    /// Addresses that were given back later than `now`, were so now. Whether there were any.
    bool no_later_than(time_point now) {
        std::vector<net::address> late;
        for (auto at = given_back_.upper_bound({now, highest}); at != given_back_.end(); ++at)
            late.push_back(at->second);
        for (net::address const& address : late) touch(address, now);
        return !late.empty();
    }

    address_counts counts(time_point now, std::chrono::seconds cooldown) const {
        address_counts all{0, touched_.size() - given_back_.size(), 0};
        for (auto const& [first, one] : blocks_) all.total += size_of(one.cidr);
        for (auto at = given_back_.rbegin(); at != given_back_.rend() && is_cooling(at->first, now, cooldown);
             ++at)
            ++all.cooling;
        return all;
    }
    /// Of one of its prefixes.
    address_counts counts(net::prefix const& cidr, time_point now, std::chrono::seconds cooldown) const {
        address_counts all{size_of(cidr), 0, 0};
        for (auto at = touched_.lower_bound(cidr.first()); at != touched_.end() && cidr.contains(at->first);
             ++at) {
            all.assigned += !at->second;
            all.cooling += at->second && is_cooling(*at->second, now, cooldown);
        }
        return all;
    }
    /// Of the addresses that were given back, the first.
    std::optional<time_point> first_given_back() const {
        if (given_back_.empty()) return std::nullopt;
        return given_back_.begin()->first;
    }
    void append_releases(std::vector<release_record>& to) const {
        for (auto const& [address, when] : touched_)
            if (when) to.push_back({address, *when});
    }

    static bool is_cooling(time_point given_back, time_point now, std::chrono::seconds cooldown) {
        return given_back > now - cooldown;
    }

  private:
    struct block {
        net::prefix cidr;
        std::optional<net::address> lowest_untouched;
        std::size_t given_back; ///< how many of its addresses are remembered as such
    };
    static constexpr net::address highest = net::address::v6(~std::uint64_t{0}, ~std::uint64_t{0});

    static bool is_wide(net::prefix const& cidr) {
        return net::bits(cidr.family()) - cidr.length() > wide_host_bits;
    }
    static std::uint64_t size_of(net::prefix const& cidr) {
        return std::uint64_t{1} << (net::bits(cidr.family()) - cidr.length());
    }

    block const* block_of(net::address const& address) const {
        auto const after = blocks_.upper_bound(address);
        if (after == blocks_.begin()) return nullptr;
        block const& found = std::prev(after)->second;
        return found.cidr.contains(address) ? &found : nullptr;
    }
    block* block_of(net::address const& address) {
        return const_cast<block*>(std::as_const(*this).block_of(address)); // the pool's own
    }

    void unlist(net::address const& address, std::optional<time_point> const& when, block& in) {
        if (!when) return;
        given_back_.erase({*when, address});
        --in.given_back;
    }
    void touch(net::address const& address, std::optional<time_point> when) {
        block& in = *block_of(address);
        auto const [at, fresh] = touched_.try_emplace(address);
        if (!fresh) unlist(address, at->second, in);
        at->second = when;
        if (when) {
            given_back_.insert({*when, address});
            ++in.given_back;
        }
        // Each step up is paid for by the address that was touched there.
        while (in.lowest_untouched && touched_.contains(*in.lowest_untouched)) {
            if (*in.lowest_untouched == in.cidr.last())
                in.lowest_untouched.reset();
            else
                in.lowest_untouched = in.lowest_untouched->next();
        }
        if (!in.lowest_untouched) untouched_.erase(in.cidr.first());
    }
    /// That of a wide prefix which was given back first, unless it is cooling.
    void forget_one(time_point now, std::chrono::seconds cooldown) {
        for (auto const& [when, address] : given_back_) {
            if (is_cooling(when, now, cooldown)) return;
            if (is_wide(block_of(address)->cidr)) return forget(net::address{address});
        }
    }

    std::map<net::address, block> blocks_; ///< by their first address
    std::set<net::address> untouched_;     ///< the blocks that have an address which is not in touched_
    std::map<net::address, std::optional<time_point>> touched_; ///< assigned, or when given back
    std::set<std::pair<time_point, net::address>> given_back_;
};

} // namespace cnix::eni
