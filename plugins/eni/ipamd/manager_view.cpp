// The manager as seen from outside.
#include <ipamd/manager.hpp>

#include <algorithm>

namespace cnix::ipamd {

snapshot manager::look(time_point now, bool addresses) const {
    snapshot all;
    all.now = now;
    all.known = taken_;
    all.targets = settings_.targets;
    all.most_enis = limits_ ? most_enis(limits_->enis, settings_.targets) : 0;
    all.places = places();
    all.prefixes = by_prefixes();
    all.ipv4 = store_.count(net::family::ipv4, now);
    all.ipv6 = store_.count(net::family::ipv6, now);
    all.of_first_card = supply_of(0, now);
    all.pods = store_.assignments().size();
    all.waiting_count = waiting_.size();
    if (under_way_) all.under_way = under_way_->text();
    all.growth = next(now).reason();
    all.last_error = last_error_;
    if (paused_until_ && *paused_until_ > now) all.paused_until = paused_until_;
    all.unsaved = gathering_.adds.size() + gathering_.removes.size();
    if (writing_) all.unsaved += writing_->second.adds.size() + writing_->second.removes.size();
    all.disk_error = disk_error_;
    all.counters = counters_;

    auto const described = [&](std::string const& id, eni::network_interface nic) {
        eni_record const& its = enis_.at(id);
        eni_view one{.nic = std::move(nic)};
        one.subnet_id = its.subnet_id;
        one.attachment_id = its.attachment_id;
        one.trunk = its.trunk;
        one.efa_only = its.efa_only;
        one.use = use_of(its);
        one.since = its.since;
        if (one.use == eni_use::setting_up) one.why = "its network is being set up";
        if (one.use == eni_use::broken) one.why = its.broken;
        if (one.use == eni_use::missing) one.why = "the cloud no longer shows it";
        return one;
    };
    for (eni::network_interface& nic : store_.interfaces()) {
        std::string const id = nic.id;
        eni_view one = described(id, std::move(nic));
        one.ipv4 = store_.count(id, net::family::ipv4, now);
        one.ipv6 = store_.count(id, net::family::ipv6, now);
        all.enis.push_back(std::move(one));
    }
    for (auto const& [id, its] : enis_)
        if (!store_.interface(id)) all.enis.push_back(described(id, its.unmanaged_nic));
    std::ranges::sort(all.enis, {}, [](eni_view const& one) {
        return std::tuple{one.nic.network_card, one.nic.device_number, one.nic.id};
    });
    if (addresses) append_addresses(all, now);
    return all;
}

void manager::append_addresses(snapshot& to, time_point now) const {
    struct place {
        eni_view* in;
        net::prefix cidr;
    };
    std::map<net::address, place> places; // by the first address
    for (eni_view& one : to.enis)
        if (one.use != eni_use::unmanaged)
            for (net::prefix const& cidr : one.nic.cidrs)
                places.insert_or_assign(cidr.first(), place{&one, cidr});
    auto const put = [&](address_view seen) {
        auto const after = places.upper_bound(seen.address);
        if (after != places.begin())
            if (auto const& [first, in] = *std::prev(after); in.cidr.contains(seen.address)) {
                seen.cidr = in.cidr;
                return in.in->addresses.push_back(std::move(seen));
            }
        if (seen.key) to.quarantined.push_back(std::move(seen)); // what is only remembered is of no interest
    };
    for (eni::assignment const& one : store_.assignments())
        for (eni::holding const& part : one.holdings)
            for (net::address const& address : part.addresses)
                put({.address = address, .key = one.key, .pod = one.pod, .assigned = one.since});
    for (auto const& [address, at] : store_.releases()) {
        address_view seen{.address = address, .released = at};
        if (eni::address_pool::is_cooling(at, now, store_.cooldown()))
            seen.cooling_until = at + store_.cooldown();
        put(std::move(seen));
    }
    for (eni_view& one : to.enis) std::ranges::sort(one.addresses, {}, &address_view::address);
    std::ranges::sort(to.quarantined, {}, &address_view::address);
    std::size_t ahead = 0;
    for (waiter const& one : waiting_) {
        to.waiting.push_back(
            {one.key, one.pod, one.since, one.deadline, explained(one, outlook_of(one, ahead, now), now)});
        ++ahead;
    }
}

} // namespace cnix::ipamd
