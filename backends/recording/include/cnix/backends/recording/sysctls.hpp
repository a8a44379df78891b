#pragma once
#include <cnix/backends/recording/kernel.hpp>

#include <array>
#include <optional>
#include <string_view>

namespace cnix::backends::recording {

struct sysctl_default {
    std::string_view name;
    std::string_view value;
};

/// Those that cnix, or a plugin like it, looks at, with Linux's values. Under net/ipv4/conf/INTERFACE/ and
/// net/ipv6/conf/INTERFACE/.
constexpr inline std::array<sysctl_default, 8> ipv4_interface_sysctls{{{"arp_notify", "0"},
                                                                       {"arp_ignore", "0"},
                                                                       {"arp_announce", "0"},
                                                                       {"forwarding", "0"},
                                                                       {"proxy_arp", "0"},
                                                                       {"route_localnet", "0"},
                                                                       {"rp_filter", "0"},
                                                                       {"src_valid_mark", "0"}}};
constexpr inline std::array<sysctl_default, 10> ipv6_interface_sysctls{{{"accept_dad", "1"},
                                                                        {"accept_ra", "1"},
                                                                        {"accept_redirects", "1"},
                                                                        {"addr_gen_mode", "0"},
                                                                        {"disable_ipv6", "0"},
                                                                        {"enhanced_dad", "1"},
                                                                        {"forwarding", "0"},
                                                                        {"keep_addr_on_down", "0"},
                                                                        {"ndisc_notify", "0"},
                                                                        {"proxy_ndp", "0"}}};
constexpr inline std::array<sysctl_default, 2> other_sysctls{
    {{"net/ipv4/ip_forward", "0"}, {"net/ipv4/tcp_early_demux", "1"}}};

/// The value of a sysctl nobody has written; nothing: there is no such sysctl.
inline std::optional<std::string_view> default_sysctl(network_namespace& space, std::string_view path) {
    auto const look = [](auto const& table, std::string_view name) -> std::optional<std::string_view> {
        for (sysctl_default const& entry : table)
            if (entry.name == name) return entry.value;
        return std::nullopt;
    };
    for (bool const is_v4 : {true, false}) {
        std::string_view const root = is_v4 ? "net/ipv4/conf/" : "net/ipv6/conf/";
        if (!path.starts_with(root)) continue;
        std::string_view const rest = path.substr(root.size());
        auto const slash = rest.find('/');
        if (slash == std::string_view::npos) return std::nullopt;
        std::string_view const name = rest.substr(0, slash);
        if (name != "all" && name != "default" && space.find(name) == nullptr) return std::nullopt;
        return is_v4 ? look(ipv4_interface_sysctls, rest.substr(slash + 1))
                     : look(ipv6_interface_sysctls, rest.substr(slash + 1));
    }
    return look(other_sysctls, path);
}

} // namespace cnix::backends::recording
