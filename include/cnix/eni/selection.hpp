#pragma once
#include <cnix/eni/address_pool.hpp>
#include <cnix/eni/network_interface.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace cnix::eni {

/// What an assignment is to have.
struct wanted {
    bool ipv4 = true;
    bool ipv6 = false;
    bool each_card = false; ///< of each network card that has an ENI with pods' addresses; else of one ENI
};

/// Which of the free addresses is assigned.
enum class preference {
    longest_free, ///< the one that has been free longest, on whatever ENI
    packed        ///< of prefixes, then of ENIs, that are in use already: so that others can be given up
};

/// Those of which an address is wanted, IPv4 first.
inline std::vector<net::family> families(wanted const& what) {
    std::vector<net::family> all;
    if (what.ipv4) all.push_back(net::family::ipv4);
    if (what.ipv6) all.push_back(net::family::ipv6);
    return all;
}

/// An ENI without its `cidrs`, which the pools have.
struct node_eni {
    network_interface eni;
    std::array<address_pool, 2> pools; ///< IPv4, IPv6

    address_pool& pool(net::family family) { return pools[family == net::family::ipv6]; }
    address_pool const& pool(net::family family) const { return pools[family == net::family::ipv6]; }
};

/// Which of the node's free addresses comes next; datastore says how they are preferred. A view of the datastore's.
class selection {
  public:
    /// What could be assigned of one ENI.
    struct choice {
        std::size_t eni = 0; ///< its place in enis_
        std::vector<address_pool::candidate> addresses{};
        std::optional<time_point> free_since{}; ///< of all of them; nothing: always
        bool beside_used = true;                ///< all of them
        bool on_used_eni = false;
    };

    selection(std::vector<node_eni> const& enis, std::chrono::seconds cooldown, preference of_free)
        : enis_{enis}, cooldown_{cooldown}, preference_{of_free} {}

    /// How long after its release an address is as good as any other.
    static std::chrono::seconds rest_of(std::chrono::seconds cooldown) { return 4 * cooldown; }

    /// Of one ENI: of the card, if one is told. Nothing: none has all that is wanted.
    std::optional<choice> best(wanted const& what, std::optional<int> card, time_point now) const {
        std::optional<choice> found;
        for (std::size_t i = 0; i < enis_.size(); ++i) {
            node_eni const& one = enis_[i];
            if (!is_of(one, card)) continue;
            choice here{i};
            here.on_used_eni = one.pools[0].assigned() + one.pools[1].assigned() > 0;
            for (net::family const family : families(what)) {
                address_pool const& pool = one.pool(family);
                if (auto const candidate = preference_ == preference::packed
                                               ? pool.packed(now, cooldown_, rest_of(cooldown_))
                                               : pool.longest_free(now, cooldown_)) {
                    here.addresses.push_back(*candidate);
                    here.beside_used &= candidate->beside_used;
                    here.free_since =
                        std::max(here.free_since, candidate->given_back); // nothing is less than any
                }
            }
            bool const all = here.addresses.size() == families(what).size();
            if (all && (!found || is_better(here, *found, now))) found = std::move(here);
        }
        return found;
    }
    /// Of which cards something is wanted; nothing: of any.
    std::vector<std::optional<int>> cards(wanted const& what) const {
        if (!what.each_card) return {std::nullopt};
        std::set<std::optional<int>> all;
        for (node_eni const& one : enis_)
            if (!one.eni.excluded && !(one.pools[0].empty() && one.pools[1].empty()))
                all.insert(one.eni.network_card);
        if (all.empty()) all.insert(std::nullopt);
        return {all.begin(), all.end()};
    }
    /// If there is no best().
    std::string why_none(wanted const& what, std::optional<int> card, time_point now) const {
        bool each_has_some = true;
        std::string why;
        for (net::family const family : families(what)) {
            std::string_view const name = family == net::family::ipv4 ? "IPv4" : "IPv6";
            address_counts all;
            std::optional<time_point> first;
            for (node_eni const& one : enis_) {
                if (!is_of(one, card)) continue;
                all += one.pool(family).counts(now, cooldown_);
                if (auto const at = one.pool(family).first_given_back(); at && (!first || *at < *first))
                    first = at;
            }
            if (all.free() > 0) continue;
            each_has_some = false;
            if (!why.empty()) why += "; ";
            if (all.total == 0) {
                why.append("no ENI has ").append(name).append(" addresses for pods");
                continue;
            }
            why += std::to_string(all.assigned) + " of " + std::to_string(all.total) + ' ';
            why.append(name).append(" addresses are in use");
            if (all.cooling > 0) {
                auto const wait =
                    std::chrono::ceil<std::chrono::seconds>(std::min(*first, now) + cooldown_ - now);
                why += ", " + std::to_string(all.cooling) + " cooling, the first for " +
                       std::to_string(wait.count()) + " s more";
            }
        }
        if (each_has_some) why = "no ENI has a free address of both families";
        return card ? "network card " + std::to_string(*card) + ": " + why : why;
    }

  private:
    static bool is_of(node_eni const& one, std::optional<int> card) {
        return !one.eni.excluded && (!card || one.eni.network_card == *card);
    }
    /// Whether one is more welcome than the other.
    bool is_better(choice const& one, choice const& other, time_point now) const {
        if (preference_ == preference::longest_free) return one.free_since < other.free_since;
        auto const order = [&](choice const& of) {
            bool const rested =
                !of.free_since || !address_pool::is_cooling(*of.free_since, now, rest_of(cooldown_));
            return std::tuple{!rested, !of.beside_used, !of.on_used_eni, of.free_since};
        };
        return order(one) < order(other);
    }

    std::vector<node_eni> const& enis_;
    std::chrono::seconds cooldown_;
    preference preference_;
};

} // namespace cnix::eni
