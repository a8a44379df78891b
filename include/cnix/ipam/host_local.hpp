#pragma once
#include <cnix/cni/version.hpp>
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/ipam/host_local/config.hpp>

#include <optional>
#include <string>
#include <string_view>
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

    lease add(cni::attachment const& attachment, settings<host_local> const& settings, cni::rollback& undo);

    void del(cni::attachment const& attachment, settings<host_local> const& settings);

    std::optional<lease> find(cni::attachment const& attachment, settings<host_local> const& settings);

    void check(cni::attachment const& attachment, settings<host_local> const& settings,
               cni::result const& previous, findings& found);

    void gc(cni::valid_attachments const& valid, settings<host_local> const& settings, findings& found);

    void status(settings<host_local> const& settings, findings& found);

    static lease expected(settings<host_local> const& settings);

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

    static std::string network_path(host_local_config const& config, cni::network_name const& network);
    static std::string fault_text(range_fault const& fault);

    static cni::dns read_dns(host_local_config const& config);

    static std::vector<range_set> valid_range_sets(settings<host_local> const& settings);

    /// CNI_ARGS, `args.cni`, `runtimeConfig`, in this order, each address once.
    static std::vector<net::address> requested_addresses(settings<host_local> const& settings);

    /// Gives each set the first of the requested addresses that lies in it. Every one must find its set.
    static std::vector<std::optional<net::address>> match(std::vector<net::address> const& requested,
                                                          std::vector<range_set> const& sets);

    static std::vector<net::address> look_up(cni::attachment const& attachment,
                                             host_local_config const& config);

    /// In the order of the sets; an address in none of them (the ranges changed) comes last and stands alone.
    static lease make_lease(std::vector<net::address> const& addresses, std::vector<range_set> const& sets,
                            host_local_config const& config, cni::dns const& dns);
};
static_assert(ipam_policy<host_local>);

} // namespace cnix::ipam

#ifndef CNIX_PREBUILT
#include <cnix/ipam/host_local.ipp>
#endif
