#pragma once
#include <cnix/concepts/netlink_backend.hpp>
#include <cnix/concepts/settings.hpp>
#include <cnix/link/bridge/config.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <string>
#include <vector>

/// The host end of a veth pair as a port of the bridge: hairpin, isolation and VLANs.
namespace cnix::link {

/// The VLAN table that the configuration asks of a pod's port; nothing: it is left as the kernel made it.
inline std::optional<std::vector<netlink::port_vlan>> wanted_vlans(bridge_config const& config) {
    auto const trunk = trunk_vlans(config);
    if (config.vlan == 0 && trunk.empty()) return std::nullopt;
    // Untagged frames belong to `vlan`, and without it to VLAN 1, as on a port that nobody configured.
    auto const native = static_cast<std::uint16_t>(config.vlan != 0 ? config.vlan : 1);
    std::vector<netlink::port_vlan> vlans;
    for (auto const vid : trunk)
        if (vid != native) vlans.push_back({.vid = vid});
    vlans.push_back({.vid = native, .pvid = true, .untagged = true});
    std::ranges::sort(vlans);
    return vlans;
}

/// Makes the port's VLAN table the wanted one. With preserveDefaultVlan, what the kernel put there stays beside it.
template <netlink_backend Netlink>
void configure_vlans(Netlink& host, netlink::index port, bridge_config const& config) {
    auto const wanted = wanted_vlans(config);
    if (!wanted) return;
    if (!config.preserveDefaultVlan)
        for (auto const& vlan : host.port_vlans(port)) host.delete_port_vlan(port, vlan);
    for (auto const& vlan : *wanted) host.add_port_vlan(port, vlan);
}

/// A new port has neither hairpin mode nor isolation.
template <netlink_backend Netlink>
void configure_port(Netlink& host, netlink::index port, bridge_config const& config) {
    if (config.hairpinMode || config.portIsolation)
        host.change_port(port, {.hairpin = config.hairpinMode, .isolated = config.portIsolation});
    configure_vlans(host, port, config);
}

/// Appends what of the port differs from the configuration.
template <netlink_backend Netlink>
void check_port(Netlink& host, netlink::link const& port, std::optional<netlink::link> const& bridge,
                bridge_config const& config, findings& found) {
    std::string const subject = "the host end " + port.name;
    if (!port.up) found.push_back(subject + " is down");
    if (bridge && port.master != bridge->index) {
        found.push_back(subject + " is not a port of the bridge " + bridge->name);
        return; // it then has none of a port's attributes
    }
    if (port.up && !port.operational && !config.disableContainerInterface)
        found.push_back(subject + " has no link: its operational state is not up");
    if (config.mtu > 0 && port.mtu != static_cast<std::uint32_t>(config.mtu))
        found.push_back("the MTU of " + subject + " is " + std::to_string(port.mtu) + ", and should be " +
                        std::to_string(config.mtu));
    auto const actual = host.port(port.index);
    if (!actual) return;
    auto const compare = [&](std::string_view what, bool is, bool should) {
        if (is != should)
            found.push_back(std::string{what} + " of " + subject + " is " + (is ? "on" : "off") +
                            ", and should be " + (should ? "on" : "off"));
    };
    compare("hairpin mode", actual->hairpin, config.hairpinMode);
    compare("port isolation", actual->isolated, config.portIsolation);
    if (auto const wanted = wanted_vlans(config)) {
        auto const vlans = host.port_vlans(port.index);
        for (auto const& vlan : *wanted)
            if (!ranges::contains(vlans, vlan))
                found.push_back("VLAN " + std::to_string(vlan.vid) + " of " + subject +
                                " is missing, or tagged otherwise");
        for (auto const& vlan : vlans)
            if (!config.preserveDefaultVlan && !ranges::contains(*wanted, vlan.vid, &netlink::port_vlan::vid))
                found.push_back(subject + " is in VLAN " + std::to_string(vlan.vid) + ", and should not be");
    }
}

} // namespace cnix::link
