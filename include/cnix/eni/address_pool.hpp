#pragma once
#include <cnix/eni/state.hpp>
#include <cnix/net/prefix.hpp>

#include <array>
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
        bool beside_used = false; ///< whether another address of its prefix is assigned
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
    std::size_t cidr_count() const { return blocks_.size(); }
    /// Of these, how many are more than one address.
    std::size_t prefix_count() const { return prefixes_; }
    /// Of which no address is assigned or cooling.
    std::vector<net::prefix> unused(time_point now, std::chrono::seconds cooldown) const {
        std::vector<net::prefix> all;
        for (auto const& [first, one] : blocks_)
            if (one.assigned == 0 && (one.given_back == 0 || counts(one.cidr, now, cooldown).cooling == 0))
                all.push_back(one.cidr);
        return all;
    }

    /// One without host bits that overlaps none of the pool, with at most 2^48 addresses.
    void add(net::prefix const& cidr) {
        block const& added = blocks_.emplace(cidr.first(), block{cidr, cidr.first(), 0, 0}).first->second;
        shelf_of(added).untouched.insert(cidr.first());
        total_ += size_of(cidr);
        prefixes_ += size_of(cidr) > 1;
    }
    /// One of the pool of which no address is assigned. Returns when its addresses were given back.
    std::vector<release_record> remove(net::prefix const& cidr) {
        std::vector<release_record> forgotten;
        block& gone = *block_of(cidr.first());
        auto at = touched_.lower_bound(cidr.first());
        while (at != touched_.end() && cidr.contains(at->first)) {
            forgotten.push_back({at->first, *at->second});
            unlist(at->first, at->second, gone);
            at = touched_.erase(at);
        }
        shelf_of(gone).untouched.erase(cidr.first());
        total_ -= size_of(cidr);
        prefixes_ -= size_of(cidr) > 1;
        blocks_.erase(cidr.first());
        return forgotten;
    }

    bool is_assigned(net::address const& address) const {
        auto const found = touched_.find(address);
        return found != touched_.end() && !found->second;
    }

    /// The address that has been free longest; of those that nobody had, the lowest. Nothing if all are assigned or cooling.
    std::optional<candidate> longest_free(time_point now, std::chrono::seconds cooldown) const {
        auto best = longest_free(shelves_[0], now, cooldown);
        auto other = longest_free(shelves_[1], now, cooldown);
        if (!best || (other && order(*other) < order(*best))) best = other;
        return best;
    }
    /// As longest_free(), but one that is beside_used before others, provided that it was given back `rest` ago: so that whole
    /// prefixes stay free and can be given up, and yet nobody gets an address that was somebody's a moment ago while
    /// there is another.
    std::optional<candidate> packed(time_point now, std::chrono::seconds cooldown,
                                    std::chrono::seconds rest) const {
        for (auto const beside_used : {1u, 0u})
            if (auto found = longest_free(shelves_[beside_used], now, rest)) return found;
        return longest_free(now, cooldown);
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
        shelf_of(in).untouched.insert(in.cidr.first());
    }

    /// Addresses that were given back later than `now`, were so now. Whether there were any.
    bool no_later_than(time_point now) {
        std::vector<net::address> late;
        for (shelf const& one : shelves_)
            for (auto at = one.given_back.upper_bound({now, highest}); at != one.given_back.end(); ++at)
                late.push_back(at->second);
        for (net::address const& address : late) touch(address, now);
        return !late.empty();
    }

    address_counts counts(time_point now, std::chrono::seconds cooldown) const {
        address_counts all{total_, assigned(), 0};
        for (shelf const& one : shelves_)
            for (auto at = one.given_back.rbegin();
                 at != one.given_back.rend() && is_cooling(at->first, now, cooldown); ++at)
                ++all.cooling;
        return all;
    }
    std::size_t assigned() const {
        return touched_.size() - shelves_[0].given_back.size() - shelves_[1].given_back.size();
    }
    /// Those of one of its prefixes that are assigned.
    std::vector<net::address> assigned(net::prefix const& cidr) const {
        std::vector<net::address> all;
        for (auto at = touched_.lower_bound(cidr.first()); at != touched_.end() && cidr.contains(at->first);
             ++at)
            if (!at->second) all.push_back(at->first);
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
        std::optional<time_point> first;
        for (shelf const& one : shelves_)
            if (!one.given_back.empty() && (!first || one.given_back.begin()->first < *first))
                first = one.given_back.begin()->first;
        return first;
    }
    /// When the next of those that cool is free.
    std::optional<time_point> next_cooled(time_point now, std::chrono::seconds cooldown) const {
        std::optional<time_point> next;
        for (shelf const& one : shelves_) {
            auto const at = one.given_back.upper_bound({now - cooldown, highest});
            if (at != one.given_back.end() && (!next || at->first + cooldown < *next))
                next = at->first + cooldown;
        }
        return next;
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
        std::size_t assigned;

        /// Where its free addresses are listed. A wide one is never given up for being unused, so its addresses need not
        /// change shelves, which may be many.
        bool is_used() const { return assigned > 0 || is_wide(cidr); }
    };
    /// What is free, but for the cooldown: of blocks in use, or of the others.
    struct shelf {
        std::set<net::address> untouched{}; ///< the blocks that have an address which is not in touched_
        std::set<std::pair<time_point, net::address>> given_back{};
    };
    static constexpr net::address highest = net::address::v6(~std::uint64_t{0}, ~std::uint64_t{0});

    static bool is_wide(net::prefix const& cidr) {
        return net::bits(cidr.family()) - cidr.length() > wide_host_bits;
    }
    static std::uint64_t size_of(net::prefix const& cidr) {
        return std::uint64_t{1} << (net::bits(cidr.family()) - cidr.length());
    }
    static std::pair<std::optional<time_point>, net::address> order(candidate const& of) {
        return {of.given_back, of.address}; // nothing is less than any
    }

    shelf& shelf_of(block const& one) { return shelves_[one.is_used()]; }
    std::optional<candidate> longest_free(shelf const& of, time_point now,
                                          std::chrono::seconds cooldown) const {
        bool const beside_used = &of == &shelves_[1];
        if (!of.untouched.empty())
            return candidate{*blocks_.at(*of.untouched.begin()).lowest_untouched, std::nullopt, beside_used};
        if (of.given_back.empty() || is_cooling(of.given_back.begin()->first, now, cooldown))
            return std::nullopt;
        return candidate{of.given_back.begin()->second, of.given_back.begin()->first, beside_used};
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

    /// Undoes what touch() listed.
    void unlist(net::address const& address, std::optional<time_point> const& when, block& in) {
        if (!when) return count_assigned(in, false);
        shelf_of(in).given_back.erase({*when, address});
        --in.given_back;
    }
    /// One more or less of the block. Its free addresses change shelves if it was the first or the last.
    void count_assigned(block& in, bool more) {
        shelf& before = shelf_of(in);
        in.assigned = more ? in.assigned + 1 : in.assigned - 1;
        shelf& after = shelf_of(in);
        if (&before == &after) return;
        if (auto moved = before.untouched.extract(in.cidr.first())) after.untouched.insert(std::move(moved));
        for (auto at = touched_.lower_bound(in.cidr.first());
             at != touched_.end() && in.cidr.contains(at->first); ++at)
            if (at->second)
                if (auto moved = before.given_back.extract({*at->second, at->first}))
                    after.given_back.insert(std::move(moved));
    }
    void touch(net::address const& address, std::optional<time_point> when) {
        block& in = *block_of(address);
        auto const [at, fresh] = touched_.try_emplace(address);
        if (!fresh) unlist(address, at->second, in);
        at->second = when;
        if (when) {
            shelf_of(in).given_back.insert({*when, address});
            ++in.given_back;
        } else {
            count_assigned(in, true);
        }
        // Each step up is paid for by the address that was touched there.
        while (in.lowest_untouched && touched_.contains(*in.lowest_untouched)) {
            if (*in.lowest_untouched == in.cidr.last())
                in.lowest_untouched.reset();
            else
                in.lowest_untouched = in.lowest_untouched->next();
        }
        if (!in.lowest_untouched) shelf_of(in).untouched.erase(in.cidr.first());
    }
    /// That of a wide prefix which was given back first, unless it is cooling.
    void forget_one(time_point now, std::chrono::seconds cooldown) {
        for (auto const& [when, address] : shelves_[1].given_back) { // where those of wide ones are
            if (is_cooling(when, now, cooldown)) return;
            if (is_wide(block_of(address)->cidr)) return forget(net::address{address});
        }
    }

    std::map<net::address, block> blocks_; ///< by their first address
    std::uint64_t total_ = 0;              ///< addresses of all blocks
    std::size_t prefixes_ = 0;
    std::map<net::address, std::optional<time_point>> touched_; ///< assigned, or when given back
    std::array<shelf, 2> shelves_;                              ///< of blocks that are not in use, that are
};

} // namespace cnix::eni
