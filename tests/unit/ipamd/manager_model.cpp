// The manager at random, with a cloud and a disk that fail, lag and lose, and a daemon that is killed: what must never happen.
#include <ipamd/manager.hpp>

#include "manager_fixture.hpp"
#include <deque>
#include <memory>
#include <random>
#include <set>

using namespace manager_test;

namespace {

class world {
  public:
    world(unsigned seed, bool prefixes) : random_{seed} {
        settings_ = {.targets = {.warm_eni = pick(2),
                                 .warm_ip = pick(3),
                                 .minimum_ip = pick(6),
                                 .warm_prefix = pick(2)},
                     .ipv6 = pick(4) == 0,
                     .prefixes = prefixes};
        start();
    }

    void step() {
        pass(std::chrono::milliseconds{pick(1500)});
        if (pick(150) == 0) pass(std::chrono::seconds{pick(90)});
        if (pick(300) == 0) now_ -= std::chrono::seconds{pick(3600)}; // the clock is set
        int const what = pick(100);
        if (what < 30)
            ask();
        else if (what < 48)
            remove();
        else if (what < 51)
            cancel();
        else if (what < 71)
            write();
        else if (what < 88)
            act();
        else if (what < 94)
            pool_->expire(now_);
        else if (what < 97)
            look();
        else if (what < 98)
            lose();
        else if (what < 99)
            pool_->retarget({.warm_ip = pick(4), .minimum_ip = pick(4), .warm_prefix = pick(2)}, now_);
        else if (pick(4) == 0)
            kill();
        check();
    }
    /// Left alone, with a cloud and a disk that work, it comes to rest and everybody has been answered.
    void rest() {
        calm_ = true;
        for (int i = 0; i < 400; ++i) {
            pass(5s);
            pool_->expire(now_);
            if (i % 12 == 0) pool_->take(there_.node, now_);
            act();
            write();
            check();
        }
        CHECK(open_.empty());
        CHECK_FALSE(pool_->next(now_));
        CHECK_FALSE(pool_->begin_commit(now_));
        CHECK(pool_->look(now_).waiting.empty());
        // What the manager has is what the cloud has, and who has it are the pods.
        for (auto const& one : there_.node.enis) {
            std::set<net::prefix> const has(one.nic.cidrs.begin(), one.nic.cidrs.end());
            std::set<net::prefix> known;
            for (auto const family : {net::family::ipv4, net::family::ipv6})
                for (auto const& cidr : pool_->store().cidrs(one.nic.id, family)) known.insert(cidr);
            CHECK(known == has);
        }
        CHECK(pool_->store().known().size() == there_.node.enis.size());
        std::map<eni::pod_key, std::set<net::address>> kept;
        for (auto const& one : disk_.assignments) kept.emplace(one.key, addresses(one));
        CHECK(kept.size() == pool_->store().assignments().size());
        for (auto const& one : pool_->store().assignments()) CHECK(kept[one.key] == addresses(one));
        std::set<std::string> holders;
        for (auto const& one : pool_->store().assignments()) holders.insert(one.key.container);
        for (auto const& [who, has] : pods_) CHECK(holders.contains(who));
        for (auto const& who : holders) CHECK((pods_.contains(who) || ghosts_.contains(who)));
    }

    int given = 0, refused = 0, removed = 0, lost = 0, kills = 0, quarantined = 0, failed_writes = 0;

  private:
    struct open_request {
        std::string who;
        manager::time_point deadline;
    };

    int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
    static std::set<net::address> addresses(eni::assignment const& of) {
        std::set<net::address> all;
        for (auto const& part : of.holdings) all.insert(part.addresses.begin(), part.addresses.end());
        return all;
    }

    void pass(std::chrono::milliseconds time) {
        now_ += time;
        passed_ += time;
    }
    void start() {
        under_way_.reset();
        writing_.reset();
        open_.clear();
        pool_ = std::make_unique<manager>(settings_);
        pool_->restore(disk_, now_);
        pool_->limit(m5_large(), now_);
        pool_->take(there_.node, now_);
    }
    /// Whoever was not answered may have an address all the same, until it is seen that there is no such pod.
    void kill() {
        ++kills;
        for (auto const& [number, one] : open_)
            if (!pods_.contains(one.who)) ghosts_.insert(one.who);
        if (writing_ && pick(2)) disk_ = writing_->second; // killed after the rename
        for (auto const& one : disk_.assignments)
            if (!pods_.contains(one.key.container)) ghosts_.insert(one.key.container);
        if (under_way_ && !is_too_much(*under_way_) && pick(2)) effect(*under_way_);
        start();
    }

    void ask() {
        std::string const who = std::to_string(pick(40));
        auto const deadline = now_ + std::chrono::seconds{pick(60)};
        auto const number = std::make_shared<std::uint64_t>(0);
        bool const both = settings_.ipv6 && pick(2);
        auto const pool = pool_.get();
        std::uint64_t const asked = pool_->add(key(who), both ? dual : ipv4, {"default", who, 1}, deadline,
                                               now_, [=, this](add_outcome got) {
                                                   CHECK(pool == pool_.get());
                                                   if (*number) CHECK(open_.erase(*number) == 1);
                                                   *number = got.request;
                                                   answered(who, got);
                                               });
        if (!*number) {
            *number = asked;
            open_[asked] = {who, deadline};
        }
    }
    void answered(std::string const& who, add_outcome const& got) {
        if (got.refused) {
            CHECK_FALSE(got.why.empty());
            ++refused;
            return;
        }
        ++given;
        auto const has = addresses(got.assignment);
        if (auto const old = pods_.find(who); old != pods_.end()) {
            CHECK(old->second == has); // the same as before
        } else {
            for (auto const& [other, theirs] : pods_)
                for (auto const& one : theirs) CHECK_FALSE(has.contains(one));
            for (auto const& one : has) {
                if (auto const at = released_.find(one); at != released_.end() && got.fresh)
                    CHECK(passed_ - at->second >= 30s);
            }
        }
        // It is on the disk.
        CHECK(std::ranges::any_of(disk_.assignments, [&](auto const& one) {
            return one.key == got.assignment.key && addresses(one) == has;
        }));
        if (got.fresh && pick(10) == 0 && pool_->take_back(got, now_)) return;
        ghosts_.erase(who);
        pods_[who] = has;
    }
    void remove() {
        std::string const who = std::to_string(pick(40));
        // From now on nobody relies on it.
        auto const had = pods_.find(who) == pods_.end() ? std::set<net::address>{} : pods_[who];
        pods_.erase(who);
        pool_->remove(key(who), now_, [=, this](remove_outcome got) {
            if (!got.known) {
                CHECK(had.empty());
                CHECK(got.why == "datastore: unknown pod");
                return;
            }
            ++removed;
            if (!had.empty()) CHECK(addresses(got.assignment) == had);
        });
        for (auto const& one : had) released_[one] = passed_;
        ghosts_.erase(who);
        for (auto const& [number, one] : open_) CHECK(one.who != who);
    }
    void cancel() {
        if (open_.empty()) return;
        auto const [number, one] = *std::next(open_.begin(), pick(static_cast<int>(open_.size())));
        CHECK(pool_->cancel(number, now_));
        CHECK_FALSE(open_.contains(number));
    }

    void write() {
        if (!writing_) {
            if (auto const next = pool_->begin_commit(now_))
                writing_ = {next->ticket, eni::read_checkpoint(next->cards.at(0).second, "ipam.json")};
        }
        if (!writing_ || (!calm_ && pick(3) == 0)) return;
        auto const done = *std::exchange(writing_, std::nullopt);
        if (!calm_ && pick(12) == 0) {
            ++failed_writes;
            if (pick(3) == 0) disk_ = done.second; // the last step failed
            pool_->failed(done.first, "No space left on device", now_);
        } else {
            disk_ = done.second;
            pool_->committed(done.first, now_);
        }
    }

    void act() {
        if (!under_way_) {
            action next = pool_->next(now_);
            if (!next) return;
            pool_->started(next, now_);
            under_way_ = std::move(next);
        }
        if (!calm_ && pick(3) == 0) return;
        action const one = *std::exchange(under_way_, std::nullopt);
        if (!calm_ && pick(5) == 0) {
            trouble const why = static_cast<trouble>(pick(9));
            if (why == trouble::unavailable && !is_too_much(one) && pick(2)) effect(one);
            return pool_->failed(one, cloud_error{why, "Call", "", "it fails"}, now_);
        }
        if (is_too_much(one))
            return pool_->failed(one, cloud_error{trouble::limit_exceeded, "Call", "", "it is too much"},
                                 now_);
        auto const [cidrs, attached] = effect(one);
        if (one.does == action::what::attach)
            pool_->done(one, attached, now_);
        else if (one.does == action::what::assign)
            pool_->done(one, cidrs, now_);
        else
            pool_->done(one, now_);
    }
    /// What a call that failed had done all the same may be there already.
    bool is_too_much(action const& one) {
        if (one.does == action::what::attach) return there_.node.enis.size() >= 3;
        if (one.does != action::what::assign) return false;
        for (auto const& its : there_.node.enis)
            if (its.nic.id == one.nic.id)
                return std::ranges::count_if(its.nic.cidrs, [](auto const& cidr) { return cidr.is_v4(); }) +
                           one.portions.at(0).count >
                       9;
        return false;
    }
    std::pair<std::vector<net::prefix>, cloud_eni> effect(action const& one) {
        std::pair<std::vector<net::prefix>, cloud_eni> result;
        bool const is_there =
            std::ranges::any_of(there_.node.enis, [&](auto const& its) { return its.nic.id == one.nic.id; });
        if (one.does == action::what::attach) {
            result.second = there_.attach(one.network_card, one.portions, now_);
        } else if (one.does == action::what::assign && is_there) {
            result.first = there_.assign(one.nic.id, one.portions.at(0));
        } else if (one.does == action::what::unassign) {
            for (auto const& cidr : one.cidrs) {
                CHECK(nobody_has(cidr));
                if (is_there) std::erase(there_.named(one.nic.id).nic.cidrs, cidr);
            }
        } else if (one.does == action::what::detach && is_there) {
            CHECK(one.nic.id != "eni-0");
            for (auto const& cidr : there_.named(one.nic.id).nic.cidrs) CHECK(nobody_has(cidr));
            there_.detach(one.nic.id);
        }
        return result;
    }
    bool nobody_has(net::prefix const& cidr) const {
        for (auto const& [who, has] : pods_)
            for (auto const& one : has)
                if (cidr.contains(one) && !lost_.contains(one)) return false;
        return true;
    }
    /// As it is, as it was a moment ago, or empty.
    void look() {
        past_.push_back({now_, there_.node});
        while (past_.size() > 5 ||
               (!past_.empty() && (past_.front().first > now_ || now_ - past_.front().first > 50s)))
            past_.pop_front();
        if (pick(10) == 0)
            pool_->take({}, now_);
        else if (pick(4) == 0 && !past_.empty() && !under_way_)
            pool_->take(past_.front().second, now_);
        else if (!under_way_)
            pool_->take(there_.node, now_);
    }
    /// Somebody takes an address away from the node.
    void lose() {
        auto& from =
            there_.node.enis[static_cast<std::size_t>(pick(static_cast<int>(there_.node.enis.size())))]
                .nic.cidrs;
        if (from.empty()) return;
        auto const which = from.begin() + pick(static_cast<int>(from.size()));
        for (auto const& [who, has] : pods_)
            for (auto const& one : has)
                if (which->contains(one)) lost_.insert(one), ++lost;
        from.erase(which);
    }

    void check() {
        for (auto const& [who, has] : pods_) {
            auto const* const found = pool_->store().find(key(who));
            REQUIRE(found); // nobody is forgotten
            CHECK(addresses(*found) == has);
        }
        if (calm_ || pick(10) == 0) {
            pool_->expire(now_);
            for (auto const& [number, one] : open_)
                CHECK(one.deadline + 3700s > now_); // the clock may have been set
        }
        std::set<net::address> all;
        for (auto const& one : pool_->store().assignments())
            for (auto const& address : addresses(one)) CHECK(all.insert(address).second);
        quarantined += static_cast<int>(pool_->look(now_, pick(50) == 0).quarantined.size());
    }

    std::mt19937 random_;
    pool_settings settings_{};
    manager::time_point now_{1'700'000'000s};
    std::chrono::milliseconds passed_{}; ///< by a clock that nobody sets
    cloud there_{};
    eni::state disk_{};
    std::unique_ptr<manager> pool_{};
    std::optional<action> under_way_{};
    std::optional<std::pair<std::uint64_t, eni::state>> writing_{};
    std::map<std::uint64_t, open_request> open_{};
    std::map<std::string, std::set<net::address>> pods_{}; ///< who was told what, and relies on it
    std::set<std::string> ghosts_{}; ///< who may have an address that nobody was told of
    std::map<net::address, std::chrono::milliseconds> released_{};
    std::set<net::address> lost_{};
    std::deque<std::pair<manager::time_point, cloud_node>> past_{};
    bool calm_ = false;
};

} // namespace

TEST_CASE("at random: nobody is forgotten, nothing is anybody's twice, and all is answered after it is on "
          "the disk") {
    int given = 0, refused = 0, removed = 0, lost = 0, kills = 0, quarantined = 0, failed_writes = 0;
    for (unsigned seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        world one{seed, seed % 2 == 0};
        for (int step = 0; step < 600; ++step) {
            CAPTURE(step);
            one.step();
        }
        one.rest();
        given += one.given;
        refused += one.refused;
        removed += one.removed;
        lost += one.lost;
        kills += one.kills;
        quarantined += one.quarantined;
        failed_writes += one.failed_writes;
    }
    CHECK(given > 2000);
    CHECK(refused > 500);
    CHECK(removed > 1000);
    CHECK(lost > 20);
    CHECK(kills > 20);
    CHECK(quarantined > 20);
    CHECK(failed_writes > 100);
}
