#pragma once
#include <cnix/config/checker.hpp>
#include <cnix/net/interface_name.hpp>
#include <cnix/net/mac.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace cnix::link {

/// Linux: ETH_MIN_MTU and ETH_MAX_MTU (include/uapi/linux/if_ether.h) bound a veth's MTU.
constexpr inline int min_mtu = 68;
/// See min_mtu.
constexpr inline int max_mtu = 65535;

/// Linux: IPV6_MIN_MTU (include/uapi/linux/ipv6.h, RFC 8200 section 5). An interface with less loses its IPv6 addresses.
constexpr inline int min_ipv6_mtu = 1280;

/// IEEE 802.1Q: 0 and 4095 are reserved.
constexpr inline int max_vlan = 4094;

/// An element of `vlanTrunk`: one VLAN, or all from minID to maxID.
struct vlan_trunk {
    std::optional<int> minID = {};
    std::optional<int> maxID = {};
    std::optional<int> id = {};
};

/// The keys of link::bridge in the plugin's entry (docs/policies/bridge.md).
struct bridge_config {
    net::interface_name bridge = net::interface_name::parse("cni0").value();
    bool isGateway = false;
    bool isDefaultGateway = false; ///< implies isGateway
    bool forceAddress = false;
    int mtu = 0; ///< bytes; 0: the kernel's choice
    bool hairpinMode = false;
    bool promiscMode = false;
    int vlan = 0; ///< 0: none
    std::optional<std::vector<vlan_trunk>> vlanTrunk = {};
    bool preserveDefaultVlan = false;
    bool macspoofchk = false;
    bool enabledad = false;
    bool disableContainerInterface = false;
    bool portIsolation = false;

    constexpr bool gateway() const noexcept { return isGateway || isDefaultGateway; }
    constexpr bool vlans() const noexcept { return vlan != 0 || vlanTrunk; }

    constexpr void check(config::checker& found) const;
};

/// The VLANs of `vlanTrunk`, each once, in order.
inline std::set<std::uint16_t> trunk_vlans(bridge_config const& config) {
    std::set<std::uint16_t> vids;
    if (!config.vlanTrunk) return vids;
    for (vlan_trunk const& trunk : *config.vlanTrunk) {
        if (trunk.minID && trunk.maxID)
            for (int vid = *trunk.minID; vid <= *trunk.maxID; ++vid)
                vids.insert(static_cast<std::uint16_t>(vid));
        if (trunk.id) vids.insert(static_cast<std::uint16_t>(*trunk.id));
    }
    return vids;
}

constexpr void bridge_config::check(config::checker& found) const {
    if (mtu != 0 && (mtu < min_mtu || mtu > max_mtu))
        found.fault("mtu", config::concat("an MTU of ", mtu, " is impossible; it is ", min_mtu, " to ",
                                          max_mtu, " bytes, or 0 for the kernel's choice"));
    if (hairpinMode && promiscMode)
        found.fault("promiscMode",
                    "cannot set hairpin mode and promiscuous mode at the same time; leave one of them out");
    if (vlan < 0 || vlan > max_vlan)
        found.fault("vlan",
                    config::concat("invalid VLAN ID ", vlan, " (must be between 0 and ", max_vlan, ")"));
    else if (vlan != 0 && gateway()) {
        int const digits = vlan > 999 ? 4 : vlan > 99 ? 3 : vlan > 9 ? 2 : 1;
        if (bridge.view().size() + 1 + static_cast<std::size_t>(digits) > net::interface_name::max_size)
            found.fault("bridge",
                        config::concat("`", bridge.view(), ".", vlan,
                                       "`, the gateway's interface, would be longer than ",
                                       net::interface_name::max_size, " bytes; use a shorter bridge name"));
    }
    if (!vlanTrunk) return;
    auto const bad = [](std::optional<int> const& vid) { return vid && (*vid < 1 || *vid > max_vlan); };
    for (std::size_t i = 0; i < vlanTrunk->size(); ++i) {
        vlan_trunk const& trunk = (*vlanTrunk)[i];
        auto const trunk_path = config::path("vlanTrunk", i);
        if (bad(trunk.minID))
            found.fault(config::path("vlanTrunk", i, "minID"),
                        config::concat("incorrect trunk minID parameter", "; a VLAN ID is 1 to ", max_vlan));
        if (bad(trunk.maxID))
            found.fault(config::path("vlanTrunk", i, "maxID"),
                        config::concat("incorrect trunk maxID parameter", "; a VLAN ID is 1 to ", max_vlan));
        if (bad(trunk.id))
            found.fault(config::path("vlanTrunk", i, "id"),
                        config::concat("incorrect trunk id parameter", "; a VLAN ID is 1 to ", max_vlan));
        if (trunk.minID && !trunk.maxID)
            found.fault(trunk_path, "minID and maxID should be configured simultaneously, maxID is missing");
        if (!trunk.minID && trunk.maxID)
            found.fault(trunk_path, "minID and maxID should be configured simultaneously, minID is missing");
        if (!trunk.minID && !trunk.maxID && !trunk.id)
            found.fault(trunk_path, "an empty trunk; give `id`, or `minID` and `maxID`");
        if (trunk.minID && trunk.maxID && *trunk.minID > *trunk.maxID)
            found.fault(trunk_path, "minID is greater than maxID in trunk parameter");
    }
}

/// Capability `mac`.
struct bridge_runtime_config {
    std::optional<net::mac> mac = {};
};
/// `args.cni`
struct bridge_args {
    std::optional<net::mac> mac = {};
};
/// CNI_ARGS
struct bridge_cni_args {
    std::optional<net::mac> MAC = {};
};

} // namespace cnix::link

BOOST_HANA_ADAPT_STRUCT(cnix::link::vlan_trunk, minID, maxID, id);
BOOST_HANA_ADAPT_STRUCT(cnix::link::bridge_config, bridge, isGateway, isDefaultGateway, forceAddress, mtu,
                        hairpinMode, promiscMode, vlan, vlanTrunk, preserveDefaultVlan, macspoofchk,
                        enabledad, disableContainerInterface, portIsolation);
BOOST_HANA_ADAPT_STRUCT(cnix::link::bridge_runtime_config, mac);
BOOST_HANA_ADAPT_STRUCT(cnix::link::bridge_args, mac);
BOOST_HANA_ADAPT_STRUCT(cnix::link::bridge_cni_args, MAC);
