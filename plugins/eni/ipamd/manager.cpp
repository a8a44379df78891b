// What pods ask for, and who has to wait. The checkpoint's side is in manager_commit.cpp, the cloud's in manager_cloud.cpp and
// manager_growth.cpp.
#include <ipamd/manager.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <stdexcept>

namespace cnix::ipamd {

namespace {
int number_of(eni::wanted const& what) { return what.ipv4 | what.ipv6 << 1 | what.each_card << 2; }
} // namespace

std::string_view name(refusal why) noexcept {
    static constexpr std::array<std::string_view, 7> names{"exhausted", "warming up", "cooling", "throttled",
                                                           "unsaved",   "gone",       "lost"};
    return names[static_cast<std::size_t>(why)];
}

manager::manager(pool_settings settings)
    : settings_{settings}, store_{settings.cooldown, eni::preference::packed} {}

void manager::retarget(targets to, time_point now) {
    observe(now);
    settings_.targets = to;
    serve(now);
    deliver();
}

void manager::limit(instance_limits limits, time_point now) {
    observe(now);
    limits_ = std::move(limits);
    serve(now);
    deliver();
}

void manager::stop(time_point now) {
    observe(now);
    stopped_ = true;
    serve(now);
    deliver();
}

void manager::restore(eni::state const& from, time_point now) {
    observe(now);
    store_.restore(from);
    store_.settle(now);
}

void manager::look_failed(time_point now) {
    observe(now);
    if (look_at_) look_at_ = now + round;
}

std::uint64_t manager::add(eni::pod_key const& key, eni::wanted const& what, eni::pod_metadata pod,
                           time_point deadline, time_point now, add_done done) {
    observe(now);
    ++counters_.adds;
    waiter one{++last_request_, key, what, std::move(pod), now, deadline, std::move(done)};
    std::uint64_t const request = one.request;
    if (!satisfy(one, now)) {
        if (auto const then = outlook_of(one, waiting_.size(), now); !then.may_come || deadline <= now) {
            refuse(request, one.done, then.why, explained(one, then, now));
        } else {
            ++counters_.adds_waited;
            waiting_.push_back(std::move(one));
        }
    }
    deliver();
    return request;
}

bool manager::cancel(std::uint64_t request, time_point now) {
    observe(now);
    std::size_t const before = answers_.size();
    std::string const text = "the caller has gone";
    std::erase_if(waiting_, [&](waiter& one) {
        if (one.request != request) return false;
        refuse(request, one.done, refusal::gone, text);
        return true;
    });
    refuse_unsaved([&](unsaved_add const& one) { return one.request == request; }, true, refusal::gone, text);
    bool const found = answers_.size() > before;
    serve(now);
    deliver();
    return found;
}

bool manager::take_back(add_outcome const& unused, time_point now) {
    observe(now);
    if (unused.refused || !unused.fresh || told_again_.contains(unused.assignment.key)) return false;
    touch(unused.assignment);
    bool const taken = store_.take_back(unused.assignment, unused.before);
    serve(now);
    deliver();
    return taken;
}

void manager::remove(eni::pod_key const& key, time_point now, remove_done done) {
    observe(now);
    ++counters_.removes;
    std::string const text = "the pod was deleted meanwhile";
    std::erase_if(waiting_, [&](waiter& one) {
        if (one.key != key) return false;
        refuse(one.request, one.done, refusal::gone, text);
        return true;
    });
    remove_outcome outcome;
    if (eni::assignment const* const found = store_.find(key)) {
        outcome.known = true;
        outcome.allocations = store_.allocations(*found);
        refuse_unsaved([&](unsaved_add const& one) { return one.given.key == found->key; }, false,
                       refusal::gone, text);
        touch(*found);
        outcome.assignment = store_.release(key, now);
        told_again_.erase(outcome.assignment.key);
        dead_since_.erase(outcome.assignment.holdings.front().addresses.front());
        gathering_.removes.push_back({std::move(outcome), std::move(done)});
    } else {
        ++counters_.removes_unknown;
        outcome.why = "datastore: unknown pod";
        answers_.push_back([done = std::move(done), outcome = std::move(outcome)] { done(outcome); });
    }
    serve(now);
    deliver();
}

void manager::expire(time_point now) {
    observe(now);
    std::size_t ahead = 0;
    std::erase_if(waiting_, [&](waiter& one) {
        if (one.deadline > now) return ++ahead, false;
        if (!satisfy(one, now)) {
            auto const then = outlook_of(one, ahead, now);
            refuse(one.request, one.done, then.why, explained(one, then, now));
        }
        return true;
    });
    refuse_unsaved([&](unsaved_add const& one) { return one.deadline <= now; }, true, refusal::unsaved,
                   "the checkpoint was not written before the request's deadline" +
                       (disk_error_.empty() ? "" : ": " + disk_error_));
    serve(now);
    deliver();
}

manager::time_point manager::next_event(time_point now) const {
    time_point next = now + round;
    for (waiter const& one : waiting_) {
        next = std::min(next, one.deadline);
        for (auto const family : eni::families(one.what))
            if (auto const at = store_.next_cooled(family, now)) next = std::min(next, *at);
    }
    for (auto const* const in : {&gathering_, writing_ ? &writing_->second : nullptr})
        if (in)
            for (unsaved_add const& one : in->adds) next = std::min(next, one.deadline);
    for (auto const& at : {next_write_, retry_at_, paused_until_, look_at_})
        if (at && *at > now) next = std::min(next, *at);
    return std::max(next, now);
}

std::vector<eni::assignment> manager::drop_dead(std::function<bool(eni::assignment const&)> const& is_live,
                                                time_point now) {
    observe(now);
    std::map<net::address, time_point> dead;
    std::vector<eni::pod_key> gone;
    for (eni::assignment const& one : store_.assignments()) {
        bool const is_young = one.since <= now && now - one.since < dead_for;
        if (is_young || is_live(one)) continue;
        net::address const& address = one.holdings.front().addresses.front();
        auto const seen = dead_since_.find(address);
        time_point const first = seen == dead_since_.end() ? now : seen->second;
        if (now - first >= dead_for)
            gone.push_back(one.key);
        else
            dead.emplace(address, first);
    }
    dead_since_ = std::move(dead);
    std::vector<eni::assignment> reclaimed;
    for (eni::pod_key const& key : gone) {
        touch(*store_.assignments().find(key));
        told_again_.erase(key);
        reclaimed.push_back(store_.release(key, now));
        ++counters_.reclaimed;
    }
    serve(now);
    deliver();
    return reclaimed;
}

/// Times of the future are brought back with the clock.
void manager::observe(time_point now) {
    if (now >= last_now_) {
        last_now_ = now;
        return;
    }
    auto const back = last_now_ - now;
    last_now_ = now;
    for (waiter& one : waiting_) one.since -= back, one.deadline -= back;
    for (batch* const in : batches())
        for (unsaved_add& one : in->adds) one.deadline -= back;
    for (auto* const at :
         {&next_write_, &last_shrink_, &paused_until_, &retry_at_, &full_until_, &one_each_until_, &look_at_})
        if (*at) **at -= back;
    for (auto& [id, one] : enis_) {
        one.since = std::min(one.since, now);
        for (auto* const at : {&one.attached, &one.missing, &one.full_until, &one.no_ipv6_until})
            if (*at) **at -= back;
    }
    for (auto* const all : {&given_up_, &brought_})
        for (auto& [cidr, at] : *all) at -= back;
    for (auto& [id, at] : detached_) at -= back;
    for (auto& [address, at] : dead_since_) at -= back;
    if (store_.settle(now)) touch_all();
}

/// Calls who is to be answered, when everything is as it is to be.
void manager::deliver() {
    if (std::exchange(delivering_, true)) return;
    struct ending {
        bool& of;
        ~ending() { of = false; }
    } const whatever_is_thrown{delivering_};
    while (!answers_.empty()) {
        auto const next = std::move(answers_.front());
        answers_.pop_front();
        next();
    }
}

void manager::refuse(std::uint64_t request, add_done& done, refusal why, std::string text) {
    switch (why) {
    case refusal::exhausted:
        ++counters_.adds_exhausted;
        break;
    case refusal::warming_up:
        ++counters_.adds_warming_up;
        break;
    case refusal::cooling:
        ++counters_.adds_cooling;
        break;
    case refusal::throttled:
        ++counters_.adds_throttled;
        break;
    case refusal::unsaved:
        ++counters_.adds_unsaved;
        break;
    case refusal::gone:
    case refusal::lost:
        ++counters_.adds_gone;
        break;
    }
    add_outcome outcome;
    outcome.request = request;
    outcome.refused = why;
    outcome.why = std::move(text);
    answers_.push_back([done = std::move(done), outcome = std::move(outcome)] { done(outcome); });
}

/// Gives it what its key has, or an address, if there is one. False: neither; nothing was moved from.
bool manager::satisfy(waiter& one, time_point now) {
    auto const has = store_.assignments().find(one.key);
    if (has != store_.assignments().end()) return tell_again(one, *has), true;
    if (stopped_ || !taken_ || !store_.has(one.what, now)) return false;
    auto given = store_.assign(one.key, one.what, one.pod, now);
    touch(*given.assigned);
    gathering_.adds.push_back(
        {one.request, *given.assigned, true, std::move(given.before), one.deadline, std::move(one.done)});
    return true;
}

/// When it is on the disk; at once if it is.
void manager::tell_again(waiter& one, eni::assignment const& has) {
    unsaved_add again{one.request, has, false, {}, one.deadline, std::move(one.done)};
    for (batch* const in : batches())
        for (unsaved_add const& first : in->adds)
            if (first.given == has) return in->adds.push_back(std::move(again));
    answer(again);
}

/// Gives those who wait what has come, in the order in which they came, and refuses whom nothing can come for.
void manager::serve(time_point now) {
    std::array<bool, 8> none{}; // by number_of() what is wanted
    std::size_t ahead = 0;
    std::erase_if(waiting_, [&](waiter& one) {
        bool& none_of_it = none[static_cast<std::size_t>(number_of(one.what))];
        if ((!none_of_it || store_.assignments().contains(one.key)) && satisfy(one, now)) return true;
        none_of_it = true;
        if (auto const then = outlook_of(one, ahead, now); !then.may_come) {
            refuse(one.request, one.done, then.why, explained(one, then, now));
            return true;
        }
        return ++ahead, false;
    });
}

/// `ahead` others wait, who come first.
manager::outlook manager::outlook_of(waiter const& one, std::size_t ahead, time_point now) const {
    if (stopped_) return {false, refusal::warming_up};
    if (!taken_) return {true, refusal::warming_up};
    outlook all{true, refusal::warming_up};
    std::set<int> of_cards{0};
    if (one.what.each_card) of_cards = cards();
    for (int const card : of_cards)
        for (auto const family : eni::families(one.what)) {
            auto const here = outlook_of(one, family, card, ahead, now);
            if (here.may_come < all.may_come || all.why == refusal::warming_up) all = here;
        }
    return all;
}

/// An address of any card will do unless one of each is wanted; but only the first grows for that.
manager::outlook manager::outlook_of(waiter const& one, net::family family, int card, std::size_t ahead,
                                     time_point now) const {
    std::optional<int> const of_card = one.what.each_card ? std::optional{card} : std::nullopt;
    std::uint64_t const in_time = store_.count(family, one.deadline, of_card).free();
    bool const are_cooling = store_.count(family, now, of_card).cooling > 0;
    auto const grown = addresses_to_come(family, card, now);
    std::uint64_t const soon = in_time + grown.set_up;
    bool const is_late = !under_way_ && blocked_until() > one.deadline;
    bool const may_come = soon + (is_late ? 0 : grown.by_growth) > ahead;
    if (grown.by_growth > 0 && !under_way_ && (is_late || !last_error_.empty()))
        return {may_come, refusal::throttled};
    if (grown.by_growth + grown.set_up > ahead) return {may_come, refusal::warming_up};
    return {may_come, are_cooling ? refusal::cooling : refusal::exhausted};
}

/// For people: with upstream's text, which programs look for.
std::string manager::explained(waiter const& one, outlook const& of, time_point now) const {
    std::string text{eni::datastore::none_available};
    text.append(": ").append(name(of.why)).append(": ");
    if (stopped_) return text + "the address manager is stopping";
    if (!taken_) return text + "what addresses the node has is not known yet";
    text += store_.why_none(one.what, now).value_or("others wait for the free addresses");
    text += "; " + next(now).reason();
    if (!last_error_.empty() && text.find(last_error_) == text.npos)
        text += "; the last call failed: " + last_error_;
    return text;
}

void manager::touch(eni::assignment const& one) {
    for (eni::holding const& part : one.holdings) {
        auto const* const in = store_.interface(part.eni);
        gathering_.cards.insert(in ? in->network_card : 0);
    }
}
void manager::touch_all() {
    gathering_.cards.merge(cards());
    gathering_.cards.insert(written_cards_.begin(), written_cards_.end());
}
/// The first, and those that have an ENI or may get one.
std::set<int> manager::cards() const {
    std::set<int> all{0};
    for (auto const& [id, one] : enis_)
        if (auto const* const in = store_.interface(id)) all.insert(in->network_card);
    if (settings_.multi_nic && settings_.changes && limits_)
        for (std::size_t card = 0; card < limits_->enis_of_card.size(); ++card)
            all.insert(static_cast<int>(card));
    return all;
}

} // namespace cnix::ipamd
