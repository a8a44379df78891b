#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/version.hpp>
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/ipam/host_local/allocator.hpp>
#include <cnix/ipam/host_local/config.hpp>
#include <cnix/ipam/host_local/lease_directory.hpp>
#include <cnix/ipam/host_local/resolv_conf.hpp>
#include <cnix/sys/writable.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::ipam {

/// Addresses from ranges of the network configuration, kept in files of this host; a drop-in for the
/// reference host-local, on the same files (lease_directory).
///
/// Differences from the reference: ranges that cannot work are refused (a gateway outside its subnet, the
/// network's or broadcast address as an end); a requested address is no second one for an attachment that has
/// one in the set; a failed add gives back what it took, not what was there before; del and gc do not need
/// valid ranges; check compares with the result; a torn file does not block its address.
class host_local {
  public:
    using config = host_local_config;
    using runtime_config = host_local_runtime_config;
    using args = host_local_args;
    using cni_args = host_local_cni_args;
    using lease = cni::lease;
    static constexpr std::string_view type = "host-local";

    /// What depends on the configuration's version.
    static constexpr void check(host_local_config const& keys, entry_facts const& entry,
                                cnix::config::checker& found) {
        if (entry.has_ipam && keys.ranges.empty() && !keys.legacy_range() && entry.never_gets("ipRanges") &&
            !found.has_unknown_key("ipam"))
            found.fault("ipam", no_ranges);
        auto const version = cni::version::parse(entry.version);
        if (!version || *version >= cni::version::v0_3_0) return;
        if (!one_address_a_family(all_range_sets(keys, {}).sets, *version))
            found.fault(keys.ranges.empty() ? "ipam" : "ipam.ranges", too_many(*version).view());
    }

    lease add(cni::attachment const& attachment, settings<host_local> const& settings, cni::rollback& undo) {
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

    void del(cni::attachment const& attachment, settings<host_local> const& settings) {
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

    std::optional<lease> find(cni::attachment const& attachment, settings<host_local> const& settings) {
        auto const held = look_up(attachment, settings.config);
        if (held.empty()) return std::nullopt;
        return make_lease(held, all_range_sets(settings.config, settings.runtime).sets, settings.config, {});
    }

    void check(cni::attachment const& attachment, settings<host_local> const& settings,
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

    void gc(cni::valid_attachments const& valid, settings<host_local> const& settings, findings& found) {
        auto const leases =
            lease_directory::open(std::string{settings.config.data_directory()}, valid.network());
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

    void status(settings<host_local> const& settings, findings& found) {
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

    static lease expected(settings<host_local> const& settings) {
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

  private:
    static constexpr std::string_view no_ranges =
        "host-local: no IP ranges specified: give `subnet` or `ranges`, or declare the capability `ipRanges`";

    /// Results before 0.3.0 have one address of each family.
    static constexpr bool one_address_a_family(std::vector<range_set> const& sets, cni::version version) {
        int v4 = 0, v6 = 0;
        for (range_set const& set : sets) ++(set.front().subnet.is_v4() ? v4 : v6);
        return version >= cni::version::v0_3_0 || (v4 <= 1 && v6 <= 1);
    }
    static constexpr cnix::config::text too_many(cni::version version) {
        return cnix::config::concat("CNI version ", version.text(),
                                    " does not support more than 1 address per family");
    }

    static std::string network_path(host_local_config const& config, cni::network_name const& network) {
        return std::string{config.data_directory()} + '/' + network.str();
    }
    static std::string fault_text(range_fault const& fault) {
        std::string const path{fault.path};
        return "host-local: " + (path.empty() ? path : '`' + path + "`: ") + std::string{fault.message};
    }

    static cni::dns read_dns(host_local_config const& config) {
        return config.resolvConf.empty() ? cni::dns{}
                                         : read_resolv_conf(std::string{config.resolvConf.view()});
    }

    static std::vector<range_set> valid_range_sets(settings<host_local> const& settings) {
        range_sets all = all_range_sets(settings.config, settings.runtime);
        std::string wrong;
        for (range_fault const& fault : all.faults) wrong += (wrong.empty() ? "" : "; ") + fault_text(fault);
        if (wrong.empty() && all.sets.empty()) wrong = no_ranges;
        if (cni::version const version = settings.request.version; !one_address_a_family(all.sets, version))
            wrong += (wrong.empty() ? "" : "; ") + std::string{too_many(version)};
        if (!wrong.empty()) throw cni::error{cni::code::invalid_network_config, wrong};
        return std::move(all.sets);
    }

    /// CNI_ARGS, `args.cni`, `runtimeConfig`, in this order, each address once.
    static std::vector<net::address> requested_addresses(settings<host_local> const& settings) {
        std::vector<net::address> all;
        auto const add = [&](requested_address const& one) {
            if (!ranges::contains(all, one.value)) all.push_back(one.value);
        };
        if (settings.cni_args.IP) add(*settings.cni_args.IP);
        for (requested_address const& one : settings.args.ips) add(one);
        for (requested_address const& one : settings.runtime.ips) add(one);
        return all;
    }

    /// Gives each set the first of the requested addresses that lies in it. Every one must find its set.
    static std::vector<std::optional<net::address>> match(std::vector<net::address> const& requested,
                                                          std::vector<range_set> const& sets) {
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
            throw cni::error{cni::code::invalid_network_config,
                             "failed to allocate all requested IPs: " + left,
                             "each must lie in a range set of its own"};
        return matched;
    }

    static std::vector<net::address> look_up(cni::attachment const& attachment,
                                             host_local_config const& config) {
        auto const leases = lease_directory::look(std::string{config.data_directory()}, attachment.network);
        if (!leases) return {};
        held_addresses held = leases->held_by(attachment);
        return held.own.empty() ? std::move(held.of_container) : std::move(held.own);
    }

    /// In the order of the sets; an address in none of them (the ranges changed) comes last and stands alone.
    static lease make_lease(std::vector<net::address> const& addresses, std::vector<range_set> const& sets,
                            host_local_config const& config, cni::dns const& dns) {
        lease made;
        std::vector<cni::ip> alone;
        for (net::address const& address : addresses)
            if (std::ranges::none_of(sets, [&](range_set const& set) { return contains(set, address); }))
                alone.push_back({net::prefix::host(address), std::nullopt, std::nullopt});
        for (range_set const& set : sets)
            for (address_range const& range : set)
                for (net::address const& address : addresses)
                    if (range.addresses.contains(address))
                        made.ips.push_back({*net::prefix::make(address, range.subnet.length()), range.gateway,
                                            std::nullopt});
        made.ips.insert(made.ips.end(), alone.begin(), alone.end());
        for (host_local_route const& route : config.routes)
            if (route.dst)
                made.routes.push_back({*route.dst, route.gw, route.mtu, route.advmss, route.priority,
                                       route.table, route.scope});
        made.dns = dns;
        return made;
    }
};
static_assert(ipam_policy<host_local>);

} // namespace cnix::ipam
