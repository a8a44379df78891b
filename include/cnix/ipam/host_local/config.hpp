#pragma once
#include <cnix/config/checker.hpp>
#include <cnix/config/read.hpp>
#include <cnix/config/schema.hpp>
#include <cnix/ipam/host_local/ranges.hpp>
#include <cnix/net/address.hpp>
#include <cnix/net/prefix.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace cnix::ipam {

/// An address asked for. A prefix length may follow it and is dropped, as the reference does.
struct requested_address {
    static constexpr std::string_view form = "an IP address such as 10.1.0.5 or fd00::5";
    static constexpr bool empty_is_absent = true;
    static constexpr std::optional<requested_address> parse(std::string_view text) noexcept {
        if (auto const with_length = net::prefix::parse(text))
            return requested_address{with_length->address()};
        if (auto const alone = net::address::parse(text)) return requested_address{*alone};
        return std::nullopt;
    }

    net::address value;
};

/// What the kernel cuts greater values to (ip_metrics_convert in net/ipv4/metrics.c), bytes.
constexpr inline std::uint32_t max_route_mtu = 65535 - 15;
/// See max_route_mtu.
constexpr inline std::uint32_t max_route_advmss = 65535 - 40;

/// An element of `routes`.
struct host_local_route {
    std::optional<net::prefix> dst; ///< required
    std::optional<net::address> gw;
    std::uint32_t mtu = 0;      ///< 0: the interface's
    std::uint32_t advmss = 0;   ///< 0: the kernel's choice
    std::uint32_t priority = 0; ///< the metric
    std::optional<std::uint32_t> table;
    std::optional<std::uint8_t> scope;
};

/// Where leases are unless `dataDir` says otherwise: the reference's.
constexpr inline std::string_view default_data_directory = "/var/lib/cni/networks";

/// The `ipam` object of a network configuration.
struct host_local_config {
    config::text type;
    /// The first range set, of one range, if `subnet` is given; else these four mean nothing.
    std::optional<net::prefix> subnet;
    std::optional<net::address> rangeStart;
    std::optional<net::address> rangeEnd;
    std::optional<net::address> gateway;
    /// Further range sets. An attachment gets one address of each set.
    std::vector<std::vector<host_local_range>> ranges;
    std::vector<host_local_route> routes;
    config::text dataDir;    ///< empty: default_data_directory
    config::text resolvConf; ///< path of a resolv.conf(5) for the result's `dns`; empty: none

    /// What can be said without the range sets of `runtimeConfig`.
    constexpr void check(config::checker& found) const {
        range_faults faults;
        config::detail::frame const in_ranges{nullptr, "ranges"};
        std::vector<range_set> sets;
        sets.reserve(ranges.size() + 1);
        if (auto const legacy = legacy_range()) {
            sets.emplace_back();
            if (auto const range = resolve(*legacy, {nullptr, ""}, faults)) sets.back().push_back(*range);
        }
        for (std::size_t i = 0; i < ranges.size(); ++i)
            sets.push_back(resolve(ranges[i], {&in_ranges, {}, i}, faults));
        refuse_overlaps(sets, "ranges", faults);
        for (auto const& [path, message] : faults) found.fault(path, message);
        for (std::size_t i = 0; i < routes.size(); ++i) {
            host_local_route const& route = routes[i];
            if (!route.dst)
                found.fault(config::path("routes", i),
                            "a route needs `dst`, the network it leads to, such as 0.0.0.0/0");
            if (route.gw && route.gw->is_unspecified())
                found.fault(config::path("routes", i, "gw"),
                            "no gateway has this address; leave `gw` out for the network's own");
            if (route.mtu > max_route_mtu)
                found.fault(config::path("routes", i, "mtu"),
                            config::concat("the kernel takes at most ", max_route_mtu, " bytes"));
            if (route.advmss > max_route_advmss)
                found.fault(config::path("routes", i, "advmss"),
                            config::concat("the kernel takes at most ", max_route_advmss, " bytes"));
        }
        auto const holds_nul = [](std::string_view path) { return path.find('\0') != path.npos; };
        if (holds_nul(dataDir)) found.fault("dataDir", "a path has no NUL in it");
        if (holds_nul(resolvConf)) found.fault("resolvConf", "a path has no NUL in it");
        if (!data_directory().starts_with('/'))
            found.fault("dataDir", "`dataDir` must be an absolute path, such as /var/lib/cni/networks");
    }

    constexpr std::string_view data_directory() const {
        return dataDir.empty() ? default_data_directory : dataDir.view();
    }

    constexpr std::optional<host_local_range> legacy_range() const {
        if (!subnet) return std::nullopt;
        return host_local_range{subnet, rangeStart, rangeEnd, gateway};
    }
};

/// Of `runtimeConfig`: the capabilities ipRanges and ips.
struct host_local_runtime_config {
    std::vector<std::vector<host_local_range>> ipRanges; ///< range sets before those of the configuration
    std::vector<requested_address> ips;

    constexpr void check(config::checker& found) const {
        range_faults faults;
        config::detail::frame const in_runtime{nullptr, "ipRanges"};
        std::vector<range_set> sets;
        for (std::size_t i = 0; i < ipRanges.size(); ++i)
            sets.push_back(resolve(ipRanges[i], {&in_runtime, {}, i}, faults));
        refuse_overlaps(sets, "ipRanges", faults);
        for (auto const& [path, message] : faults) found.fault(path, message);
    }
};

/// Of `args.cni`.
struct host_local_args {
    std::vector<requested_address> ips;
};

/// Of CNI_ARGS.
struct host_local_cni_args {
    std::optional<requested_address> IP;
};

/// What the keys of all sources amount to.
struct range_sets {
    std::vector<range_set> sets; ///< without those that have a fault
    range_faults faults;
};

/// All range sets in force, in the order their addresses are handed out: those of the runtime, the range of
/// the four keys, those of `ranges`.
constexpr range_sets all_range_sets(host_local_config const& config,
                                    host_local_runtime_config const& runtime) {
    range_sets all;
    config::detail::frame const in_runtime{nullptr, "ipRanges"}, in_ranges{nullptr, "ranges"};
    auto const add = [&](range_set set) {
        if (!set.empty()) all.sets.push_back(std::move(set));
    };
    for (std::size_t i = 0; i < runtime.ipRanges.size(); ++i)
        add(resolve(runtime.ipRanges[i], {&in_runtime, {}, i}, all.faults));
    if (auto const legacy = config.legacy_range()) {
        range_set set;
        if (auto const range = resolve(*legacy, {nullptr, ""}, all.faults)) set.push_back(*range);
        add(std::move(set));
    }
    for (std::size_t i = 0; i < config.ranges.size(); ++i)
        add(resolve(config.ranges[i], {&in_ranges, {}, i}, all.faults));
    refuse_overlaps(all.sets, "ranges", all.faults);
    return all;
}

} // namespace cnix::ipam

BOOST_HANA_ADAPT_STRUCT(cnix::ipam::host_local_range, subnet, rangeStart, rangeEnd, gateway);
BOOST_HANA_ADAPT_STRUCT(cnix::ipam::host_local_route, dst, gw, mtu, advmss, priority, table, scope);
BOOST_HANA_ADAPT_STRUCT(cnix::ipam::host_local_config, type, subnet, rangeStart, rangeEnd, gateway, ranges,
                        routes, dataDir, resolvConf);
BOOST_HANA_ADAPT_STRUCT(cnix::ipam::host_local_runtime_config, ipRanges, ips);
BOOST_HANA_ADAPT_STRUCT(cnix::ipam::host_local_args, ips);
BOOST_HANA_ADAPT_STRUCT(cnix::ipam::host_local_cni_args, IP);

#ifdef CNIX_PREBUILT
extern template void
cnix::config::detail::reader::list(frame const&, std::vector<std::vector<cnix::ipam::host_local_range>>&);
extern template void cnix::config::detail::reader::list(frame const&,
                                                        std::vector<cnix::ipam::host_local_route>&);
extern template void cnix::config::detail::reader::list(frame const&,
                                                        std::vector<cnix::ipam::requested_address>&);
#endif
