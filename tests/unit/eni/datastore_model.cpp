// The datastore against the plainest possible one, by random operations.
#include <cnix/eni/datastore.hpp>

#include <doctest/doctest.h>

#include "datastore_fixture.hpp"
#include <random>

using namespace datastore_test;

namespace {

/// Everything enumerated, and looked through from the beginning each time.
class model {
  public:
    struct one_address {
        std::string eni{}; ///< empty: no ENI has it
        net::prefix cidr{};
        std::optional<eni::pod_key> owner{};
        std::optional<eni::time_point> released{};
    };
    struct one_eni {
        int device;
        bool excluded = false;
    };

    explicit model(std::chrono::seconds cooldown) : cooldown_{cooldown} {}

    void settle(eni::time_point now) {
        for (auto& [address, one] : all) {
            if (one.released && *one.released > now) one.released = now;
            if (one.eni.empty() && one.released && *one.released <= now - cooldown_) one.released.reset();
        }
    }
    /// Empty: there is none.
    std::vector<net::address> choose(eni::wanted const& what, eni::time_point now) const {
        std::vector<net::address> best;
        std::optional<eni::time_point> best_since;
        std::vector<std::pair<int, std::string>> order;
        for (auto const& [id, one] : enis)
            if (!one.excluded) order.emplace_back(one.device, id);
        std::ranges::sort(order);
        for (auto const& [device, id] : order) {
            std::vector<net::address> here;
            std::optional<eni::time_point> since;
            std::size_t wanted = 0;
            for (bool const v4 : {true, false}) {
                if (!(v4 ? what.ipv4 : what.ipv6)) continue;
                ++wanted;
                net::address const* found = nullptr;
                std::optional<eni::time_point> found_since;
                for (auto const& [address, one] : all) {
                    if (address.is_v4() != v4 || one.eni != id || one.owner || is_cooling(one, now)) continue;
                    if (!found || one.released < found_since) found = &address, found_since = one.released;
                }
                if (!found) continue;
                here.push_back(*found);
                since = std::max(since, found_since);
            }
            if (here.size() == wanted && (best.empty() || since < best_since))
                best = here, best_since = since;
        }
        return best;
    }
    eni::address_counts count(net::family family, eni::time_point now) const {
        eni::address_counts counts;
        for (auto const& [address, one] : all) {
            if (address.family() != family || one.eni.empty() || enis.at(one.eni).excluded) continue;
            ++counts.total;
            counts.assigned += one.owner.has_value();
            counts.cooling += is_cooling(one, now);
        }
        return counts;
    }
    bool is_used(net::prefix const& cidr) const {
        return std::ranges::any_of(
            all, [&](auto const& one) { return one.second.owner && cidr.contains(one.first); });
    }
    std::vector<eni::release_record> releases() const {
        std::vector<eni::release_record> list;
        for (auto const& [address, one] : all)
            if (one.released) list.push_back({address, *one.released});
        return list;
    }

    std::map<net::address, one_address> all;
    std::map<std::string, one_eni> enis;

  private:
    bool is_cooling(one_address const& one, eni::time_point now) const {
        return one.released && *one.released + cooldown_ > now;
    }
    std::chrono::seconds cooldown_;
};

class comparison {
  public:
    explicit comparison(unsigned seed) : random_{seed} {}

    void step() {
        now_ += std::chrono::seconds{pick(4)};
        if (pick(60) == 0) now_ -= std::chrono::seconds{pick(200)}; // the clock is set back
        switch (pick(12)) {
        case 0:
            return toggle_eni();
        case 1:
            return toggle_cidr();
        case 2:
            return toggle_excluded();
        case 3:
            return reload();
        case 4:
        case 5:
        case 6:
        case 7:
            return release();
        default:
            return assign();
        }
    }
    void compare() const {
        for (auto const family : {net::family::ipv4, net::family::ipv6})
            CHECK(store_.count(family, now_) == model_.count(family, now_));
        CHECK(store_.state().releases == model_.releases());
        std::map<net::address, eni::pod_key> owners;
        for (auto const& one : store_.assignments())
            for (auto const& part : one.holdings)
                for (auto const& address : part.addresses) {
                    CHECK(owners.emplace(address, one.key).second);
                    CHECK(model_.all.at(address).eni == part.eni);
                }
        for (auto const& [address, one] : model_.all)
            if (one.owner) CHECK(owners.at(address) == *one.owner);
        CHECK(owners.size() ==
              static_cast<std::size_t>(std::ranges::count_if(
                  model_.all, [](auto const& one) { return one.second.owner.has_value(); })));
    }
    int assigned = 0, exhausted = 0, taken_back = 0;

  private:
    static constexpr std::chrono::seconds cooldown{30};

    unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
    std::string some_eni() { return "eni-" + std::to_string(pick(3)); }
    /// Of the ENI "eni-N": four addresses, a /29 and a /125.
    net::prefix some_cidr(std::string const& id) {
        std::string const n = id.substr(4);
        switch (unsigned const which = pick(6)) {
        case 4:
            return cidr("10.0." + n + ".8/29");
        case 5:
            return cidr("2600:0:0:" + n + "::8/125");
        default:
            return cidr("10.0." + n + '.' + std::to_string(1 + which));
        }
    }

    void assign() {
        auto const who = key(std::to_string(pick(40)));
        eni::wanted const what = std::array{ipv4, ipv4, ipv6, dual}[pick(4)];
        if (store_.assignments().contains(who)) {
            CHECK_FALSE(store_.assign(who, what, {}, now_).fresh);
            return;
        }
        model_.settle(now_);
        auto const expected = model_.choose(what, now_);
        CHECK(store_.why_none(what, now_).has_value() == expected.empty());
        if (expected.empty()) {
            CHECK_THROWS_AS(store_.assign(who, what, {}, now_), cni::error);
            ++exhausted;
            return;
        }
        auto const given = store_.assign(who, what, {}, now_);
        CHECK(given.fresh);
        CHECK(given.assigned->holdings[0].addresses == expected);
        ++assigned;
        if (pick(5) == 0) {
            CHECK(store_.take_back(eni::assignment{*given.assigned}, given.before));
            ++taken_back;
            return;
        }
        for (auto const& address : expected) {
            model_.all[address].owner = who;
            model_.all[address].released.reset();
        }
    }
    void release() {
        auto const who = key(std::to_string(pick(40)));
        model_.settle(now_);
        if (!store_.find(who)) {
            CHECK(thrown([&] { store_.release(who, now_); }).starts_with("datastore: unknown pod"));
            return;
        }
        store_.release(who, now_);
        for (auto& [address, one] : model_.all)
            if (one.owner == who) {
                one.owner.reset();
                one.released = now_;
            }
    }
    void toggle_eni() {
        std::string const id = some_eni();
        if (auto const found = model_.enis.find(id); found == model_.enis.end()) {
            store_.add(eni_of(id.back() - '0', {}));
            model_.enis[id] = {id.back() - '0'};
            return;
        }
        bool used = false;
        for (auto const& [address, one] : model_.all) used |= one.eni == id && one.owner;
        if (used) {
            CHECK(thrown([&] { store_.remove(id); }).starts_with("datastore: ENI is used"));
            return;
        }
        store_.remove(id);
        model_.enis.erase(id);
        for (auto& [address, one] : model_.all)
            if (one.eni == id) one.eni.clear();
    }
    void toggle_cidr() {
        std::string const id = some_eni();
        auto const which = some_cidr(id);
        if (!model_.enis.contains(id)) {
            CHECK(thrown([&] { store_.add(id, which); }).find("unknown ENI") != std::string::npos);
            return;
        }
        bool const there = !model_.all[which.first()].eni.empty();
        if (there && model_.is_used(which)) {
            CHECK(thrown([&] { store_.remove(id, which); }).starts_with("datastore: IP is used"));
            return;
        }
        there ? store_.remove(id, which) : store_.add(id, which);
        for (auto address = which.first();; address = address.next()) {
            model_.all[address].eni = there ? "" : id;
            if (address == which.last()) break;
        }
    }
    void toggle_excluded() {
        std::string const id = some_eni();
        if (!model_.enis.contains(id)) return;
        model_.enis[id].excluded = !model_.enis[id].excluded;
        store_.exclude(id, model_.enis[id].excluded);
    }
    /// As another process: what is kept, and the ENIs before or after it.
    void reload() {
        auto const kept = store_.state();
        auto const enis = store_.interfaces();
        bool const enis_first = pick(2) == 0;
        store_ = eni::datastore{cooldown};
        if (!enis_first) store_.restore(kept);
        for (auto const& one : enis) store_.add(one);
        if (enis_first) store_.restore(kept);
        CHECK(store_.state() == kept);
    }

    std::mt19937 random_;
    eni::time_point now_ = at(0);
    eni::datastore store_{cooldown};
    model model_{cooldown};
};

} // namespace

TEST_CASE("random operations do what the model does") {
    int assigned = 0, exhausted = 0, taken_back = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        comparison one{seed};
        for (int step = 0; step < 600; ++step) {
            CAPTURE(step);
            one.step();
            one.compare();
        }
        assigned += one.assigned;
        exhausted += one.exhausted;
        taken_back += one.taken_back;
    }
    CHECK(assigned > 1000);
    CHECK(exhausted > 100);
    CHECK(taken_back > 200);
}
