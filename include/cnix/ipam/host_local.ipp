#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/ipam/host_local/allocator.hpp>
#include <cnix/ipam/host_local/lease_directory.hpp>
#include <cnix/ipam/host_local/resolv_conf.hpp>
#include <cnix/prebuilt.hpp>
#include <cnix/sys/writable.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

namespace cnix::ipam {

CNIX_INLINE auto host_local::add(cni::attachment const& attachment, settings<host_local> const& settings,
                                 cni::rollback& undo) -> lease {
    auto const dns = read_dns(settings.config);
    auto const sets = valid_range_sets(settings);
    auto const requested = match(requested_addresses(settings), sets);
    std::string const data_dir{settings.config.data_directory()};

    auto const taken = [&] {
        auto leases = lease_directory::open_or_create(data_dir, attachment.network);
        return allocate(leases, sets, requested, attachment);
    }();
    std::string names;
    for (net::address const& address : taken) names += (names.empty() ? "" : ", ") + address.str();
    undo.on_failure("release the addresses " + names,
                    [data_dir, taken, id = static_cast<cni::attachment_id>(attachment)] {
                        if (auto const leases = lease_directory::open(data_dir, id.network))
                            for (net::address const& address : taken)
                                leases->release(address, {id.container.str(), id.interface.str()});
                    });
    return make_lease(taken, sets, settings.config, dns);
}

CNIX_INLINE void host_local::del(cni::attachment const& attachment, settings<host_local> const& settings) {
    auto const leases =
        lease_directory::open(std::string{settings.config.data_directory()}, attachment.network);
    if (!leases) return;
    held_addresses const held = leases->held_by(attachment);
    for (net::address const& address : held.own)
        leases->release(address, {attachment.container.str(), attachment.interface.str()});
    if (!held.own.empty()) return;
    for (net::address const& address : held.of_container)
        leases->release(address, {attachment.container.str(), {}});
}

CNIX_INLINE auto host_local::find(cni::attachment const& attachment, settings<host_local> const& settings)
    -> std::optional<lease> {
    auto const held = look_up(attachment, settings.config);
    if (held.empty()) return std::nullopt;
    return make_lease(held, all_range_sets(settings.config, settings.runtime).sets, settings.config, {});
}

CNIX_INLINE void host_local::check(cni::attachment const& attachment, settings<host_local> const& settings,
                                   cni::result const& previous, findings& found) {
    auto const held = look_up(attachment, settings.config);
    if (held.empty()) {
        found.push_back("host-local: Failed to find address added by container " +
                        attachment.container.str() + ": " +
                        network_path(settings.config, attachment.network) +
                        " has no file that names it and " + attachment.interface.str() +
                        ", so its address may be given to another; delete and recreate the container");
        return;
    }
    auto const [sets, faults] = all_range_sets(settings.config, settings.runtime);
    for (range_fault const& fault : faults) found.push_back(fault_text(fault));
    for (cni::ip const& ip : previous.ips) {
        net::address const address = ip.address.address();
        if (ranges::contains(held, address) ||
            !std::ranges::any_of(sets, [&](range_set const& set) { return contains(set, address); }))
            continue;
        found.push_back("host-local: address " + address.str() +
                        " of the result is not leased to container " + attachment.container.str() +
                        ", interface " + attachment.interface.str() + ": " +
                        network_path(settings.config, attachment.network) + '/' + address.str() +
                        " is missing or names another; delete and recreate the container");
    }
}

CNIX_INLINE void host_local::gc(cni::valid_attachments const& valid, settings<host_local> const& settings,
                                findings& found) {
    auto const leases = lease_directory::open(std::string{settings.config.data_directory()}, valid.network());
    if (!leases) return;
    for (net::address const& address : leases->addresses()) {
        try {
            lease_file const file = leases->read(address);
            if (file.state == lease_state::torn) leases->remove_torn(address);
            if (file.state != lease_state::owned) continue;
            auto const& [container, interface] = file.owner;
            bool const keep = interface.empty() ? valid.contains_container(container)
                                                : valid.contains(container, interface);
            if (!keep) leases->release(address, file.owner);
        } catch (std::exception const& e) {
            found.push_back("host-local: could not release " + address.str() + ": " + e.what());
        }
    }
}

CNIX_INLINE void host_local::status(settings<host_local> const& settings, findings& found) {
    try {
        read_dns(settings.config);
    } catch (std::exception const& e) {
        found.push_back(std::string{"host-local: could not "} + e.what());
    }
    std::string const data_dir{settings.config.data_directory()};
    auto const network = cni::network_name::parse(settings.request.network);
    auto const unwritable = sys::why_not_writable(network ? data_dir + '/' + network->str() : data_dir);
    if (unwritable)
        found.push_back("host-local: " + *unwritable +
                        "; make it writable, or set `dataDir` to a directory that is");

    auto const [sets, faults] = all_range_sets(settings.config, settings.runtime);
    for (range_fault const& fault : faults) found.push_back(fault_text(fault));
    if (faults.empty() && sets.empty()) found.push_back(std::string{no_ranges});
    if (!network || unwritable) return;
    try {
        auto const leases = lease_directory::look(data_dir, *network);
        auto const present = leases ? leases->addresses() : std::vector<net::address>{};
        for (range_set const& set : sets)
            if (!has_free_address(set, leases.get(), present))
                found.push_back(
                    "host-local: no IP addresses available in range set: " + str(set) +
                    ": delete containers, let the runtime collect garbage (GC), or give the network "
                    "another range");
    } catch (std::exception const& e) {
        found.push_back(std::string{"host-local: could not "} + e.what());
    }
}

CNIX_INLINE auto host_local::expected(settings<host_local> const& settings) -> lease {
    auto const sets = valid_range_sets(settings);
    auto const requested = match(requested_addresses(settings), sets);
    std::vector<net::address> addresses;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        auto const first = requested[i] ? requested[i] : first_usable(sets[i]);
        if (!first)
            throw cni::error{cni::code::try_again_later,
                             "no IP addresses available in range set: " + str(sets[i])};
        addresses.push_back(*first);
    }
    return make_lease(addresses, sets, settings.config, {});
}

CNIX_INLINE std::string host_local::network_path(host_local_config const& config,
                                                 cni::network_name const& network) {
    return std::string{config.data_directory()} + '/' + network.str();
}

CNIX_INLINE std::string host_local::fault_text(range_fault const& fault) {
    std::string const path{fault.path};
    return "host-local: " + (path.empty() ? path : '`' + path + "`: ") + std::string{fault.message};
}

CNIX_INLINE cni::dns host_local::read_dns(host_local_config const& config) {
    return config.resolvConf.empty() ? cni::dns{} : read_resolv_conf(std::string{config.resolvConf.view()});
}

CNIX_INLINE auto host_local::valid_range_sets(settings<host_local> const& settings)
    -> std::vector<range_set> {
    range_sets all = all_range_sets(settings.config, settings.runtime);
    std::string wrong;
    for (range_fault const& fault : all.faults) wrong += (wrong.empty() ? "" : "; ") + fault_text(fault);
    if (wrong.empty() && all.sets.empty()) wrong = no_ranges;
    if (cni::version const version = settings.request.version; !one_address_a_family(all.sets, version))
        wrong += (wrong.empty() ? "" : "; ") + std::string{too_many(version)};
    if (!wrong.empty()) throw cni::error{cni::code::invalid_network_config, wrong};
    return std::move(all.sets);
}

CNIX_INLINE std::vector<net::address> host_local::requested_addresses(settings<host_local> const& settings) {
    std::vector<net::address> all;
    auto const add = [&](requested_address const& one) {
        if (!ranges::contains(all, one.value)) all.push_back(one.value);
    };
    if (settings.cni_args.IP) add(*settings.cni_args.IP);
    for (requested_address const& one : settings.args.ips) add(one);
    for (requested_address const& one : settings.runtime.ips) add(one);
    return all;
}

CNIX_INLINE std::vector<std::optional<net::address>>
host_local::match(std::vector<net::address> const& requested, std::vector<range_set> const& sets) {
    std::vector<std::optional<net::address>> matched(sets.size());
    std::string left;
    for (net::address const& address : requested) {
        std::size_t i = 0;
        while (i < sets.size() && (matched[i] || !contains(sets[i], address))) ++i;
        if (i < sets.size())
            matched[i] = address;
        else
            left += (left.empty() ? "" : " ") + address.str();
    }
    if (!left.empty())
        throw cni::error{cni::code::invalid_network_config, "failed to allocate all requested IPs: " + left,
                         "each must lie in a range set of its own"};
    return matched;
}

CNIX_INLINE std::vector<net::address> host_local::look_up(cni::attachment const& attachment,
                                                          host_local_config const& config) {
    auto const leases = lease_directory::look(std::string{config.data_directory()}, attachment.network);
    if (!leases) return {};
    held_addresses held = leases->held_by(attachment);
    return held.own.empty() ? std::move(held.of_container) : std::move(held.own);
}

CNIX_INLINE auto host_local::make_lease(std::vector<net::address> const& addresses,
                                        std::vector<range_set> const& sets, host_local_config const& config,
                                        cni::dns const& dns) -> lease {
    lease made;
    std::vector<cni::ip> alone;
    for (net::address const& address : addresses)
        if (std::ranges::none_of(sets, [&](range_set const& set) { return contains(set, address); }))
            alone.push_back({net::prefix::host(address), std::nullopt, std::nullopt});
    for (range_set const& set : sets)
        for (address_range const& range : set)
            for (net::address const& address : addresses)
                if (range.addresses.contains(address))
                    made.ips.push_back(
                        {*net::prefix::make(address, range.subnet.length()), range.gateway, std::nullopt});
    made.ips.insert(made.ips.end(), alone.begin(), alone.end());
    for (host_local_route const& route : config.routes)
        if (route.dst)
            made.routes.push_back(
                {*route.dst, route.gw, route.mtu, route.advmss, route.priority, route.table, route.scope});
    made.dns = dns;
    return made;
}

} // namespace cnix::ipam
