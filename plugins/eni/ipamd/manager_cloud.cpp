// What the cloud shows, against what the manager knows.
#include <ipamd/manager.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace cnix::ipamd {

std::string_view name(eni_use use) noexcept {
    static constexpr std::array<std::string_view, 6> names{"used",     "setting up", "broken",
                                                           "excluded", "missing",    "unmanaged"};
    return names[static_cast<std::size_t>(use)];
}

eni_use manager::use_of(eni_record const& one) {
    if (!one.managed || one.efa_only) return eni_use::unmanaged;
    if (one.missing) return eni_use::missing;
    if (one.excluded) return eni_use::excluded;
    if (!one.broken.empty()) return eni_use::broken;
    return one.ready ? eni_use::used : eni_use::setting_up;
}

/// Whether pods are given its addresses follows from the record.
void manager::show(std::string const& id) {
    if (store_.interface(id)) store_.exclude(id, use_of(enis_.at(id)) != eni_use::used);
}

void manager::set_up(std::string const& eni, time_point now) {
    observe(now);
    if (auto const found = enis_.find(eni); found != enis_.end()) {
        found->second.ready = true;
        found->second.broken.clear();
        show(eni);
    }
    serve(now);
    deliver();
}
void manager::broken(std::string const& eni, std::string why, time_point now) {
    observe(now);
    if (auto const found = enis_.find(eni); found != enis_.end()) {
        found->second.ready = false;
        found->second.broken = why.empty() ? "unknown" : std::move(why);
        show(eni);
    }
    serve(now);
    deliver();
}
std::vector<eni::network_interface> manager::to_set_up() const {
    std::vector<eni::network_interface> all;
    for (auto const* const nic : store_.known())
        if (use_of(enis_.at(nic->id)) == eni_use::setting_up) all.push_back(with_cidrs(*nic));
    return all;
}

reconciled manager::take(cloud_node const& shown, time_point now) {
    observe(now);
    reconciled found;
    if (shown.enis.empty()) {
        ++counters_.reconciles_ignored;
        found.findings.push_back("the metadata shows no ENI at all, which cannot be; nothing was changed");
        return found;
    }
    ++counters_.reconciles;
    taken_ = true;
    look_at_.reset();
    forget_old(now);

    std::set<std::string_view> ids;
    for (cloud_eni const& one : shown.enis) ids.insert(one.nic.id);
    std::vector<std::string> gone;
    for (auto const& [id, one] : enis_)
        if (!ids.contains(id) && !(one.attached && now - *one.attached < remembers_changes))
            gone.push_back(id);
    for (std::string const& id : gone) miss_eni(id, now, found);
    // What is missing first, so that an address which has moved to another ENI is free to be that one's.
    for (bool const adds : {false, true})
        for (cloud_eni const& one : shown.enis)
            if (enis_.contains(one.nic.id))
                compare(one, adds, now, found);
            else if (adds && !detached_.contains(one.nic.id))
                add_eni(one, now, found);
    if (found.changed && cards().size() + written_cards_.size() > 2) touch_all();
    serve(now);
    deliver();
    return found;
}

/// Nothing while an action may still change it.
void manager::forget_old(time_point now) {
    if (under_way_) return;
    auto const is_old = [&](auto const& one) { return now - one.second >= remembers_changes; };
    std::erase_if(given_up_, is_old);
    std::erase_if(brought_, is_old);
    std::erase_if(detached_, is_old);
}

void manager::add_eni(cloud_eni const& one, time_point now, reconciled& found) {
    eni_record record;
    record.subnet_id = one.subnet_id;
    record.attachment_id = one.attachment_id;
    record.managed = one.managed;
    record.trunk = one.trunk;
    record.efa_only = one.efa_only;
    record.excluded = one.nic.excluded;
    record.ready = !settings_.set_up_first;
    record.since = std::min(one.created.value_or(now), now);
    bool const is_used = one.managed && !one.efa_only;
    if (!is_used) record.unmanaged_nic = one.nic;
    enis_[one.nic.id] = std::move(record);
    found.changed = true;
    ++counters_.enis_added;
    if (!is_used) return;
    auto nic = one.nic;
    nic.cidrs.clear();
    store_.add(std::move(nic));
    show(one.nic.id);
    for (net::prefix const& cidr : one.nic.cidrs)
        if (!given_up_.contains(cidr)) add_cidr(one.nic.id, cidr, found);
    found.new_enis.push_back(one.nic.id);
}

/// How many have addresses of it.
std::uint64_t manager::pods_of(std::string const& id, time_point now) const {
    std::uint64_t pods = 0;
    if (store_.interface(id))
        for (auto const family : {net::family::ipv4, net::family::ipv6})
            pods = std::max(pods, store_.count(id, family, now).assigned);
    return pods;
}

/// Of an ENI that no pod is to get addresses of any more, though some have. Its record says why.
void manager::quarantine(std::string const& id, std::uint64_t pods, reconciled& found) {
    show(id);
    ++counters_.quarantined_enis;
    counters_.quarantined_addresses += pods;
    found.changed = true;
}

/// The cloud does not show it.
void manager::miss_eni(std::string const& id, time_point now, reconciled& found) {
    eni_record& its = enis_.at(id);
    std::uint64_t const pods = pods_of(id, now);
    if (pods > 0) {
        if (its.missing) return;
        its.missing = now;
        quarantine(id, pods, found);
        found.findings.push_back("the cloud no longer shows the ENI " + id + ", of which " +
                                 std::to_string(pods) +
                                 " pods have addresses: it is kept for them, and given to no other pod");
        return;
    }
    if (store_.interface(id)) store_.remove(id);
    enis_.erase(id);
    ++counters_.enis_removed;
    found.changed = true;
    found.gone_enis.push_back(id);
    found.findings.push_back("the cloud no longer shows the ENI " + id +
                             ", of which no pod had an address: removed");
}

/// A known ENI as the cloud shows it. `adds`: what is new of it, else what is gone.
void manager::compare(cloud_eni const& one, bool adds, time_point now, reconciled& found) {
    std::string const& id = one.nic.id;
    eni_record& its = enis_.at(id);
    bool const is_used = one.managed && !one.efa_only;
    auto const* const known = store_.interface(id);
    auto const place = [](eni::network_interface nic) {
        nic.cidrs.clear();
        nic.excluded = false;
        return nic;
    };
    if (adds && (is_used != (known != nullptr) || (known && place(*known) != place(one.nic)))) {
        // Somebody else's now, or at another place: another ENI as far as pods are concerned.
        std::uint64_t const pods = pods_of(id, now);
        if (pods == 0) {
            if (known) store_.remove(id);
            enis_.erase(id);
            return add_eni(one, now, found);
        }
        if (!is_used) {
            if (!std::exchange(its.managed, false)) return;
            quarantine(id, pods, found);
            found.findings.push_back("the ENI " + id + " is no longer to be managed, and " +
                                     std::to_string(pods) +
                                     " pods have addresses of it: kept for them, and given to no other pod");
            return;
        }
        found.findings.push_back("the cloud shows the ENI " + id +
                                 " with another place, MAC address or subnet than " + std::to_string(pods) +
                                 " pods were set up for; nothing of it was changed");
        return;
    }
    if (adds) {
        its.subnet_id = one.subnet_id;
        if (!one.attachment_id.empty()) its.attachment_id = one.attachment_id;
        its.trunk = one.trunk;
        if (one.created) its.since = std::min(*one.created, now);
        if (its.missing) {
            found.findings.push_back("the cloud shows the ENI " + id + " again");
            found.changed = true;
            its.missing.reset();
        }
        if (known && !std::exchange(its.managed, true)) {
            found.findings.push_back("the ENI " + id + " is to be managed again");
            found.changed = true;
        }
        its.excluded = one.nic.excluded;
        show(id);
    }
    if (!known) return;
    std::set<net::prefix> const shown(one.nic.cidrs.begin(), one.nic.cidrs.end());
    if (adds) {
        for (net::prefix const& cidr : shown)
            if (!store_.has_cidr(id, cidr) && !given_up_.contains(cidr)) add_cidr(id, cidr, found);
        return;
    }
    for (auto const family : {net::family::ipv4, net::family::ipv6})
        for (net::prefix const& cidr : store_.cidrs(id, family))
            if (!shown.contains(cidr) && !brought_.contains(cidr)) remove_cidr(id, cidr, now, found);
}

void manager::remove_cidr(std::string const& id, net::prefix const& cidr, time_point now, reconciled& found) {
    auto const pods = store_.count(id, cidr, now).assigned;
    store_.withdraw(id, cidr);
    ++counters_.cidrs_removed;
    found.changed = true;
    if (pods == 0) return;
    counters_.quarantined_addresses += pods;
    found.findings.push_back("the cloud no longer shows " + cidr.str() + " of the ENI " + id + ", of which " +
                             std::to_string(pods) +
                             " pods have addresses: kept for them, and given to no other pod");
}

void manager::add_cidr(std::string const& id, net::prefix const& cidr, reconciled& found) {
    try {
        store_.add(id, cidr);
        ++counters_.cidrs_added;
        found.changed = true;
    } catch (cni::error const& e) {
        found.findings.push_back("the cloud shows " + cidr.str() + " of the ENI " + id +
                                 ", which is passed over: " + e.message());
    }
}

} // namespace cnix::ipamd
