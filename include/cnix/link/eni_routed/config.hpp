#pragma once
#include <cnix/concepts/settings.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/config/text.hpp>
#include <cnix/net/interface_name.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cnix::link {

/// MTU of both ends of a pod's interface where `mtu` says nothing or nonsense, and the highest that there is: that of the cloud's
/// network.
constexpr inline std::uint32_t eni_mtu = 9001;
/// The least: what IPv4 asks of every link is 68, what upstream allows 576.
constexpr inline std::uint32_t min_eni_mtu = 576;

/// Keys of the plugin's entry, upstream's (cmd/routed-eni-cni-plugin/cni.go, NetConf) and cnix's own.
///
/// In a file that is checked, nonsense is a fault. At work `mtu` and `podSGEnforcingMode` are taken as upstream takes them, which
/// refuses none: a node that upgrades keeps its pods.
struct eni_routed_config {
    config::text vethPrefix{"eni"};            ///< what the host ends' names begin with
    config::text mtu{"9001"};                  ///< a number as a string, as upstream has it
    config::text podSGEnforcingMode{"strict"}; ///< or "standard": of pods with a branch ENI
    config::text pluginLogFile{};              ///< upstream's; read and left
    config::text pluginLogLevel{};             ///< upstream's; read and left
    /// Upstream's result: the number of the route table in place of the MAC address of the pod's interface.
    bool compatResult = false;

    constexpr std::optional<std::uint32_t> valid_mtu() const {
        std::uint32_t value = 0;
        if (mtu.empty()) return std::nullopt;
        for (char const digit : mtu.view()) {
            if (digit < '0' || digit > '9' || value > eni_mtu) return std::nullopt;
            value = value * 10 + static_cast<std::uint32_t>(digit - '0');
        }
        if (value < min_eni_mtu || value > eni_mtu) return std::nullopt;
        return value;
    }
    constexpr std::uint32_t mtu_or_default() const { return valid_mtu().value_or(eni_mtu); }
    /// A DEL comes with whatever stood in the file: then upstream's default.
    constexpr std::string_view prefix() const {
        bool const usable = vethPrefix.empty() || net::interface_name::parse(vethPrefix.view());
        return vethPrefix.size() > 4 || !usable ? std::string_view{"eni"} : vethPrefix.view();
    }
    constexpr bool strict() const { return podSGEnforcingMode.view() != "standard"; }

    constexpr void check(config::checker& found) const {
        if (vethPrefix.size() > 4)
            found.fault("vethPrefix",
                        "conf.VethPrefix can be at most 4 characters long: an interface's name has 15 "
                        "bytes, of which the pod's digest takes 11");
        else if (!vethPrefix.empty() && !net::interface_name::parse(vethPrefix.view()))
            found.fault("vethPrefix", "an interface's name cannot begin so; write letters and digits");
    }
};

namespace detail {
/// Names that others give interfaces.
constexpr bool is_others_prefix(std::string_view prefix) {
    for (std::string_view const taken : {"eth", "lo", "vlan"})
        if (prefix == taken) return true;
    return false;
}
} // namespace detail

/// What is refused of a file only.
constexpr void check_eni_file(eni_routed_config const& conf, config::checker& found) {
    if (!conf.valid_mtu())
        found.fault("mtu", config::concat("write a number from 576 to 9001 in quotes: what `",
                                          conf.mtu.view(), "` is taken for on a node is 9001"));
    if (auto const mode = conf.podSGEnforcingMode.view(); mode != "strict" && mode != "standard")
        found.fault("podSGEnforcingMode", "write \"strict\" or \"standard\"");
    if (detail::is_others_prefix(conf.vethPrefix.view()))
        found.fault("vethPrefix",
                    "other interfaces of the node are called so; choose other letters, such as \"eni\"");
}

} // namespace cnix::link

BOOST_HANA_ADAPT_STRUCT(cnix::link::eni_routed_config, vethPrefix, mtu, podSGEnforcingMode, pluginLogFile,
                        pluginLogLevel, compatResult);
