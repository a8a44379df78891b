#pragma once
#include <cnix/concepts/netlink_backend.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace cnix::test {

/// Those that some policy writes, or that what it writes changes (all/forwarding that of each interface).
constexpr inline std::array<std::string_view, 3> ipv4_sysctls{"arp_notify", "forwarding", "proxy_arp"};
constexpr inline std::array<std::string_view, 7> ipv6_sysctls{
    "accept_dad",   "accept_ra",  "addr_gen_mode",    "disable_ipv6",
    "enhanced_dad", "forwarding", "keep_addr_on_down"};

/// The network configuration of the current namespace, as lines with `prefix` in front that are the same if and only if the
/// configuration is. Left out: indices, which are never used twice, and what the kernel does by itself and in its own time (the
/// operational state, IPv6's link-local addresses and their routes).
template <netlink_backend Netlink> std::string network_state(std::string const& prefix = "") {
    Netlink kernel;
    auto const links = kernel.links();
    auto const name_of = [&](netlink::index index) -> std::string {
        for (netlink::link const& link : links)
            if (link.index == index) return link.name;
        return std::to_string(index);
    };
    auto const flag = [](bool on, char const* text) { return on ? std::string{text} : std::string{}; };

    std::vector<std::string> lines;
    auto const sysctl = [&](std::string const& path) {
        if (auto const value = kernel.sysctl(path)) lines.push_back(path + " = " + *value);
    };
    auto const sysctls_of = [&](std::string const& name) {
        for (auto const key : ipv4_sysctls) sysctl("net/ipv4/conf/" + name + "/" + std::string{key});
        for (auto const key : ipv6_sysctls) sysctl("net/ipv6/conf/" + name + "/" + std::string{key});
    };
    sysctl("net/ipv4/ip_forward");
    sysctls_of("all");
    sysctls_of("default");
    for (netlink::link const& link : links) {
        std::string const start = "link " + link.name + " ";
        lines.push_back(start + link.kind + " " + link.mac.str() + " mtu " + std::to_string(link.mtu) +
                        " group " + std::to_string(link.group) + flag(link.up, " up") +
                        flag(link.promiscuous, " promisc") + flag(link.vlan_filtering, " vlan_filtering") +
                        (link.master != 0 ? " master " + name_of(link.master) : "") + " alias \"" +
                        link.alias + '"');
        if (link.master != 0) {
            auto const port = kernel.port(link.index);
            lines.push_back(start + "port" + flag(port->hairpin, " hairpin") +
                            flag(port->isolated, " isolated"));
            try {
                for (auto const& vlan : kernel.port_vlans(link.index))
                    lines.push_back(start + "vlan " + std::to_string(vlan.vid) + flag(vlan.pvid, " pvid") +
                                    flag(vlan.untagged, " untagged"));
            } catch (std::system_error const& e) { // a kernel without CONFIG_BRIDGE_VLAN_FILTERING
                if (e.code() != std::errc::operation_not_supported) throw;
            }
        }
        int place = 0; // the first address of a subnet is the one that the others are secondary to
        for (auto const& [address, tentative, dad_failed] : kernel.addresses(link.index))
            if (!address.address().is_link_local())
                lines.push_back(start + "address " + (address.is_v4() ? std::to_string(place++) + " " : "") +
                                address.str());
        sysctls_of(link.name);
    }
    for (auto const family : {net::family::ipv4, net::family::ipv6}) {
        for (auto const& route : kernel.routes(family)) {
            if (route.dst.address().is_link_local() || route.dst.address().is_multicast()) continue;
            lines.push_back(
                "route " + route.dst.str() + (route.gateway ? " via " + route.gateway->str() : "") + " dev " +
                name_of(route.device) + " metric " + std::to_string(route.priority) + " table " +
                std::to_string(route.table) + " scope " + std::to_string(route.scope.value_or(0)) +
                " proto " + std::to_string(route.protocol) + " mtu " + std::to_string(route.mtu) +
                " advmss " + std::to_string(route.advmss));
        }
        for (auto const& rule : kernel.rules(family))
            lines.push_back("rule " + std::to_string(rule.priority) + " table " + std::to_string(rule.table) +
                            " family " + std::to_string(static_cast<int>(family)));
    }
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (std::string const& line : lines) text += prefix + line + '\n';
    return text;
}

} // namespace cnix::test
