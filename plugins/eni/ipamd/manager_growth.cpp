// What the manager wants of the cloud: more addresses, or fewer.
#include <ipamd/manager.hpp>

#include <algorithm>
#include <iterator>
#include <limits>

namespace cnix::ipamd {

namespace {
std::string seconds_until(manager::time_point at, manager::time_point now) {
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(at - now).count()) + " s";
}
bool is_primary(eni::network_interface const& nic) { return nic.device_number == 0 && nic.network_card == 0; }
bool is_prefix(net::prefix const& one) { return one.length() < net::bits(one.family()); }
std::string text_of(portion const& one) {
    std::string text = std::to_string(one.count) + (one.of.family == net::family::ipv4 ? " IPv4 " : " IPv6 ");
    return text + (one.of.prefixes ? "prefix" : "address") + (one.count == 1 ? "" : "es");
}
} // namespace

std::string_view action::name() const {
    switch (does) {
    case what::assign:
        return "assign";
    case what::attach:
        return "attach";
    case what::unassign:
        return "unassign";
    case what::detach:
        return "detach";
    case what::none:
        break;
    }
    return "none";
}

std::string action::text() const {
    std::string all;
    for (portion const& one : portions) all += (all.empty() ? "" : " and ") + text_of(one);
    switch (does) {
    case what::assign:
        return "assign " + all + " to " + nic.id;
    case what::attach:
        return "attach an ENI on network card " + std::to_string(network_card) + " with " + all;
    case what::unassign:
        for (net::prefix const& cidr : cidrs)
            all.append(all.empty() ? "" : ", ").append(is_prefix(cidr) ? cidr.str() : cidr.address().str());
        return "unassign " + all + " of " + nic.id;
    case what::detach:
        return "detach " + nic.id;
    case what::none:
        break;
    }
    return "nothing";
}

action manager::next(time_point now) const {
    action none;
    auto const because = [&](std::string why) {
        none.why = std::move(why);
        return none;
    };
    if (stopped_) return because("the address manager is stopping");
    if (under_way_) return because(under_way_->text() + " is under way");
    if (!settings_.changes) return because("this address manager does not change what the node has");
    if (!taken_) return because("what addresses the node has is not known yet");
    if (!limits_) return because("how many ENIs and addresses the instance may have is not known yet");

    bool const is_blocked = blocked_until() > now;
    if (auto const step = grow_ipv6(now))
        return is_blocked ? because(step->text() + " " + why_blocked(now)) : *step;
    for (int const card : cards()) {
        action step = grow(card, now);
        if (step) return is_blocked ? because(step.text() + " " + why_blocked(now)) : step;
        none.why.append(none.why.empty() ? "" : "; ").append(step.why);
    }
    if (retry_at_ && *retry_at_ > now) return none;
    if (auto const step = give_up_other_kind(now)) return *step;
    if (auto const step = shrink(now)) return *step;
    return none;
}

kind manager::ipv4_kind() const {
    return {net::family::ipv4, settings_.prefixes && (!limits_ || limits_->prefixes)};
}
int manager::places() const { return limits_ ? places_per_eni(limits_->ipv4_per_eni) : 0; }
targets manager::targets_of(int card) const {
    return card == 0 ? settings_.targets : further_card_targets(settings_.targets);
}

supply manager::supply_of_eni(std::string const& id, time_point now) const {
    auto const counted = store_.count(id, net::family::ipv4, now);
    supply its{static_cast<std::int64_t>(counted.total), static_cast<std::int64_t>(counted.assigned),
               static_cast<std::int64_t>(counted.cooling)};
    its.prefixes = static_cast<std::int64_t>(store_.prefix_count(id, net::family::ipv4));
    if (by_prefixes())
        its.unused_prefixes = std::ranges::count_if(store_.unused(id, net::family::ipv4, now), is_prefix);
    return its;
}

/// With what ENIs will have whose network is being set up: it is on its way.
supply manager::supply_of(int card, time_point now) const {
    supply all;
    for (auto const& [id, one] : enis_) {
        auto const use = use_of(one);
        auto const* const nic = store_.interface(id);
        if (!nic || nic->network_card != card || (use != eni_use::used && use != eni_use::setting_up))
            continue;
        all = all + supply_of_eni(id, now);
    }
    all.waiting = std::ranges::count_if(
        waiting_, [&](waiter const& one) { return one.what.ipv4 && (card == 0 || one.what.each_card); });
    return all;
}

/// Whether the ENI may be given more addresses.
bool manager::takes_more(eni::network_interface const& nic, time_point now) const {
    auto const found = enis_.find(nic.id);
    if (found == enis_.end()) return false;
    auto const use = use_of(found->second);
    return (use == eni_use::used || use == eni_use::setting_up) &&
           !(found->second.full_until && *found->second.full_until > now);
}

int manager::room_for_enis(int card, time_point now) const {
    if (!limits_ || (full_until_ && *full_until_ > now)) return 0;
    if (card > 0 && !settings_.multi_nic) return 0;
    int all = 0, on_card = 0;
    for (auto const& [id, one] : enis_) {
        if (one.missing) continue;
        auto const* const nic = store_.interface(id);
        ++all;
        on_card += (nic ? *nic : one.unmanaged_nic).network_card == card;
    }
    int room = most_enis(limits_->enis, settings_.targets) - all;
    if (auto const at = static_cast<std::size_t>(card); at < limits_->enis_of_card.size())
        room = std::min(room, limits_->enis_of_card[at] - on_card);
    return std::max(room, 0);
}

manager::arrivals manager::addresses_to_come(net::family family, int card, time_point now) const {
    arrivals all;
    std::int64_t places_left = 0;
    std::int64_t has = 0;
    for (auto const& [id, one] : enis_) {
        auto const* const nic = store_.interface(id);
        if (!nic || nic->network_card != card) continue;
        auto const use = use_of(one);
        auto const counted = store_.count(id, family, now);
        if (use == eni_use::setting_up) all.set_up += counted.free();
        if (use == eni_use::setting_up || use == eni_use::used)
            has += static_cast<std::int64_t>(counted.total - counted.cooling);
        if (takes_more(*nic, now))
            places_left += std::max(places() - static_cast<int>(store_.cidr_count(id, family)), 0);
    }
    if (!settings_.changes || stopped_) return all;
    auto const unbounded = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
    if (!limits_) {
        all.by_growth = unbounded;
    } else if (family == net::family::ipv6) {
        all.by_growth = grow_ipv6(now) || (under_way_ && !under_way_->portions.empty()) ? unbounded : 0;
    } else {
        places_left += std::int64_t{room_for_enis(card, now)} * places();
        std::int64_t more = places_left * (by_prefixes() ? addresses_per_prefix : 1);
        if (int const most = settings_.targets.max_pods; most > 0)
            more = std::min(more, std::max<std::int64_t>(most - has, 0));
        all.by_growth = static_cast<std::uint64_t>(more);
    }
    return all;
}

/// What one card needs next. With `why` of `none`: nothing, and why.
action manager::grow(int card, time_point now) const {
    action step;
    if (!settings_.ipv4) return step;
    targets const wanted = targets_of(card);
    supply const has = supply_of(card, now);
    auto const too_few = missing(wanted, has, places(), by_prefixes());
    std::string const free = std::to_string(std::max<std::int64_t>(has.available() + has.waiting, 0)) +
                             " of " + std::to_string(has.total) + " addresses are free";
    if (too_few == 0) {
        step.why = is_enough(wanted, has) ? "there are as many addresses as pods may be on the node (" +
                                                std::to_string(wanted.max_pods) + ")"
                                          : free + ", which is enough";
        return step;
    }
    step.why = free + ", " + std::to_string(has.waiting) + " pods wait, and " + std::to_string(too_few) +
               (by_prefixes() ? " prefixes" : " addresses") + " are missing";
    auto const portion_of = [&](std::int64_t room) {
        bool const one_each = one_each_until_ && *one_each_until_ > now;
        auto const count = one_each ? 1 : portion_for(wanted, too_few, room, by_prefixes());
        return portion{ipv4_kind(), static_cast<int>(count)};
    };
    for (auto const* const nic : store_.known()) {
        if (nic->network_card != card || !takes_more(*nic, now)) continue;
        auto const room = places() - static_cast<int>(store_.cidr_count(nic->id, net::family::ipv4));
        if (room <= 0) continue;
        step.does = action::what::assign;
        step.portions = {portion_of(room)};
        step.nic = with_cidrs(*nic);
        return step;
    }
    if (room_for_enis(card, now) > 0 && places() > 0) {
        step.does = action::what::attach;
        step.network_card = card;
        step.portions = {portion_of(places())};
        if (settings_.ipv6) step.portions.push_back({{net::family::ipv6, true}, 1});
        return step;
    }
    step.why += "; the node has " + std::to_string(enis_.size()) + " of " +
                std::to_string(most_enis(limits_ ? limits_->enis : 0, settings_.targets)) +
                " ENIs, and none takes more addresses";
    return step;
}

/// One /80 an ENI, which is more than any node needs: of the primary one, or of each where pods have both families.
std::optional<action> manager::grow_ipv6(time_point now) const {
    if (!settings_.ipv6) return std::nullopt;
    for (auto const* const nic : store_.known()) {
        if (!takes_more(*nic, now) || (!settings_.ipv4 && !is_primary(*nic))) continue;
        if (store_.cidr_count(nic->id, net::family::ipv6) > 0) continue;
        auto const& refused = enis_.at(nic->id).no_ipv6_until;
        if (refused && *refused > now) continue;
        action step;
        step.does = action::what::assign;
        step.portions = {{{net::family::ipv6, true}, 1}};
        step.why = nic->id + " has no IPv6 prefix";
        step.nic = with_cidrs(*nic);
        return step;
    }
    return std::nullopt;
}

eni::network_interface manager::with_cidrs(eni::network_interface nic) const {
    for (auto const family : {net::family::ipv4, net::family::ipv6})
        for (net::prefix const& cidr : store_.cidrs(nic.id, family)) nic.cidrs.push_back(cidr);
    return nic;
}

action manager::unassign(eni::network_interface const& nic, std::vector<net::prefix> cidrs,
                         std::string why) const {
    action step;
    step.does = action::what::unassign;
    step.nic = with_cidrs(nic);
    step.cidrs = std::move(cidrs);
    step.why = std::move(why);
    return step;
}

/// After prefixes were switched on or off: single addresses or prefixes that nobody has.
std::optional<action> manager::give_up_other_kind(time_point now) const {
    if (!settings_.ipv4 || !waiting_.empty()) return std::nullopt;
    for (auto const* const nic : store_.known()) {
        auto const prefixes = store_.prefix_count(nic->id, net::family::ipv4);
        auto const all = store_.cidr_count(nic->id, net::family::ipv4);
        if (prefixes == (by_prefixes() ? all : 0) || !takes_more(*nic, now)) continue;
        auto others = store_.unused(nic->id, net::family::ipv4, now);
        std::erase_if(others, [&](net::prefix const& one) { return is_prefix(one) == by_prefixes(); });
        if (!others.empty())
            return unassign(*nic, std::move(others),
                            by_prefixes() ? "single addresses are no longer used"
                                          : "prefixes are no longer used");
    }
    return std::nullopt;
}

/// One ENI that is not needed, or else what one ENI has too much. From the last ENI, since the first are filled first.
std::optional<action> manager::shrink(time_point now) const {
    if (!settings_.ipv4 || !waiting_.empty() || (last_shrink_ && now - *last_shrink_ < shrinks_each))
        return std::nullopt;
    std::map<int, supply> of_cards;
    for (int const card : cards()) of_cards[card] = supply_of(card, now);
    auto const all = store_.known();
    for (auto at = all.rbegin(); at != all.rend(); ++at)
        if (is_spare(**at, of_cards.at((*at)->network_card), now)) {
            action step;
            step.does = action::what::detach;
            step.nic = with_cidrs(**at);
            step.why = "no pod has an address of it, and there are enough without it";
            return step;
        }
    for (auto at = all.rbegin(); at != all.rend(); ++at) {
        eni::network_interface const& nic = **at;
        if (use_of(enis_.at(nic.id)) != eni_use::used) continue;
        auto const too_many =
            spare(targets_of(nic.network_card), of_cards.at(nic.network_card), by_prefixes());
        if (too_many == 0) continue;
        auto unused = store_.unused(nic.id, net::family::ipv4, now);
        auto const count = std::min(static_cast<std::size_t>(too_many), unused.size());
        if (count == 0) continue;
        unused.erase(unused.begin(), std::prev(unused.end(), static_cast<std::ptrdiff_t>(count)));
        return unassign(nic, std::move(unused), std::to_string(too_many) + " free ones are too many");
    }
    return std::nullopt;
}

/// Whether the ENI may be given up; `has` is of its card.
bool manager::is_spare(eni::network_interface const& nic, supply const& has, time_point now) const {
    eni_record const& its = enis_.at(nic.id);
    auto const use = use_of(its);
    if (is_primary(nic) || its.trunk || its.missing) return false;
    if (use == eni_use::setting_up || use == eni_use::unmanaged) return false;
    if (now - its.since < shortest_life) return false;
    for (auto const family : {net::family::ipv4, net::family::ipv6}) {
        auto const counted = store_.count(nic.id, family, now);
        if (counted.assigned > 0 || counted.cooling > 0) return false;
    }
    if (use == eni_use::broken) return false; // another one would hardly do better
    supply const part = use == eni_use::used ? supply_of_eni(nic.id, now) : supply{};
    if (use != eni_use::excluded &&
        !is_spare_eni(targets_of(nic.network_card), has, part, places(), by_prefixes()))
        return false;
    // Pods may have addresses of it that the cloud no longer shows.
    return std::ranges::none_of(store_.assignments(), [&](auto const& of) {
        return std::ranges::any_of(of.holdings, [&](auto const& held) { return held.eni == nic.id; });
    });
}

manager::time_point manager::blocked_until() const {
    return std::max(paused_until_.value_or(time_point{}), retry_at_.value_or(time_point{}));
}
std::string manager::why_blocked(time_point now) const {
    return "waits for " + seconds_until(blocked_until(), now) + " more: " + last_error_;
}
void manager::back_off(time_point now, std::chrono::seconds at_least) {
    back_off_ = std::clamp(back_off_ * 2, std::max(at_least, std::chrono::seconds{1}), longest_back_off);
    retry_at_ = now + back_off_;
}

void manager::started(action const& one, time_point now) {
    observe(now);
    ++counters_.actions;
    under_way_ = one;
    if (one.does == action::what::unassign) {
        for (net::prefix const& cidr : one.cidrs) {
            store_.remove(one.nic.id, cidr);
            given_up_[cidr] = now;
            brought_.erase(cidr);
        }
        last_shrink_ = now;
    } else if (one.does == action::what::detach) {
        store_.remove(one.nic.id);
        enis_.erase(one.nic.id);
        detached_[one.nic.id] = now;
        last_shrink_ = now;
        if (!written_cards_.empty() && *written_cards_.rbegin() > 0) touch_all();
    }
}

void manager::succeeded(time_point now) {
    observe(now);
    under_way_.reset();
    last_error_.clear();
    retry_at_.reset();
    back_off_ = std::chrono::seconds{0};
}

void manager::done(action const& one, std::vector<net::prefix> const& cidrs, time_point now) {
    succeeded(now);
    paused_until_.reset();
    reconciled found;
    for (net::prefix const& cidr : cidrs) {
        if (!store_.interface(one.nic.id)) break; // the cloud has shown meanwhile that it is gone
        given_up_.erase(cidr);
        if (store_.has_cidr(one.nic.id, cidr)) continue;
        add_cidr(one.nic.id, cidr, found);
        brought_[cidr] = now;
    }
    if (!found.findings.empty()) look_at_ = now;
    serve(now);
    deliver();
}

void manager::done(action const&, cloud_eni const& attached, time_point now) {
    succeeded(now);
    paused_until_.reset();
    detached_.erase(attached.nic.id);
    for (net::prefix const& cidr : attached.nic.cidrs) {
        given_up_.erase(cidr);
        brought_[cidr] = now;
    }
    reconciled found;
    if (!enis_.contains(attached.nic.id)) add_eni(attached, now, found);
    enis_.at(attached.nic.id).attached = now;
    if (!found.findings.empty()) look_at_ = now;
    serve(now);
    deliver();
}

void manager::done(action const& one, time_point now) {
    succeeded(now);
    for (net::prefix const& cidr : one.cidrs) given_up_[cidr] = now;
    if (one.does == action::what::detach) {
        detached_[one.nic.id] = now;
        full_until_.reset();
    }
    serve(now);
    deliver();
}

void manager::failed(action const& one, cloud_error const& why, time_point now) {
    observe(now);
    ++counters_.actions_failed;
    under_way_.reset();
    last_error_ = why.what();
    bool const grows = one.does == action::what::assign || one.does == action::what::attach;
    auto const record = enis_.find(one.nic.id);
    bool const of_ipv6 = grows && one.portions.front().of.family == net::family::ipv6;
    if (grows && of_ipv6 && record != enis_.end() &&
        (why.kind() == trouble::no_addresses || why.kind() == trouble::limit_exceeded)) {
        record->second.no_ipv6_until = now + pause;
    } else if (grows && why.kind() == trouble::no_addresses) {
        bool const asked_for_more = one.portions.front().count > 1;
        if (asked_for_more) one_each_until_ = now + remembers_changes;
        if (!asked_for_more) paused_until_ = now + pause;
    } else if (grows && why.kind() == trouble::limit_exceeded) {
        if (record != enis_.end()) record->second.full_until = now + pause;
        if (one.does == action::what::attach) full_until_ = now + pause;
        look_at_ = now;
    } else if (why.kind() != trouble::stopped) {
        if (why.kind() == trouble::not_found) {
            look_at_ = now;
            // It is gone, though it has come so shortly ago that the metadata were not believed.
            if (record != enis_.end()) record->second.attached.reset();
        }
        back_off(now, std::chrono::seconds{why.kind() == trouble::unauthorized ? 30 : 1});
    }
    // What was certainly not done is seen again at the next look; of all else the cloud may show the old state for a while.
    bool const certainly_not = why.kind() == trouble::throttled || why.kind() == trouble::unauthorized ||
                               why.kind() == trouble::stopped;
    for (net::prefix const& cidr : one.cidrs) given_up_[cidr] = now;
    if (one.does == action::what::detach) detached_[one.nic.id] = now;
    if (certainly_not && !grows) {
        for (net::prefix const& cidr : one.cidrs) given_up_.erase(cidr);
        detached_.erase(one.nic.id);
        look_at_ = now;
    }
    serve(now);
    deliver();
}

} // namespace cnix::ipamd
