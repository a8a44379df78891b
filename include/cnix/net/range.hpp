#pragma once
#include <cnix/net/prefix.hpp>

#include <cstddef>
#include <iterator>

namespace cnix::net {

/// The addresses from first() to last(), both included, of one family. Its elements are computed while
/// walking.
class range {
  public:
    /// Computes the address it is at.
    class iterator {
      public:
        using value_type = address;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag; // operator* returns by value

        constexpr iterator() noexcept = default;
        constexpr address operator*() const noexcept { return at_; }
        constexpr iterator& operator++() noexcept {
            done_ = at_ == last_;
            at_ = at_.next();
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            iterator before = *this;
            ++*this;
            return before;
        }
        friend constexpr bool operator==(iterator const& a, iterator const& b) noexcept {
            return a.at_ == b.at_ && a.done_ == b.done_;
        }
        friend constexpr bool operator==(iterator const& i, std::default_sentinel_t) noexcept {
            return i.done_;
        }

      private:
        friend range;
        constexpr iterator(address at, address last) noexcept : at_{at}, last_{last}, done_{false} {}
        address at_;
        address last_;
        bool done_ = true; // the last address of the family has no successor to compare with
    };

    /// 0.0.0.0 alone
    constexpr range() noexcept = default;
    /// Nothing if the families differ or last < first.
    static constexpr std::optional<range> make(address first, address last) noexcept {
        if (first.family() != last.family() || last < first) return std::nullopt;
        return range{first, last};
    }
    /// Every address of the prefix's network.
    static constexpr range of(prefix const& p) noexcept { return {p.first(), p.last()}; }

    constexpr iterator begin() const noexcept { return {first_, last_}; }
    constexpr std::default_sentinel_t end() const noexcept { return {}; }

    constexpr address const& first() const noexcept { return first_; }
    constexpr address const& last() const noexcept { return last_; }
    constexpr net::family family() const noexcept { return first_.family(); }
    constexpr bool contains(address const& a) const noexcept {
        return a.family() == family() && first_ <= a && a <= last_;
    }
    constexpr bool overlaps(range const& other) const noexcept {
        return contains(other.first_) || other.contains(first_);
    }

    /// "FIRST-LAST"
    std::string str() const { return first_.str() + "-" + last_.str(); }

    friend constexpr bool operator==(range const&, range const&) noexcept = default;

  private:
    constexpr range(address first, address last) noexcept : first_{first}, last_{last} {}

    address first_;
    address last_;
};

} // namespace cnix::net
