#pragma once
#include <cnix/backends/libnl/links.hpp>

#include <algorithm>
#include <linux/if_bridge.h>

namespace cnix::backends::rtnl {

inline std::optional<netlink::bridge_port> port(socket& sock, netlink::index index) {
    auto const describe = [&] { return "look up the bridge port of index " + std::to_string(index); };
    message_ptr const got = sock.get(get_link(index), describe);
    if (!got) sys::throw_errno(ENODEV, describe());
    auto const found = attributes<IFLA_MAX>::of(nlmsg_hdr(got.get()), ifinfomsg{});
    auto const info = attributes<IFLA_INFO_MAX>::in(found[IFLA_LINKINFO]);
    if (info.text(IFLA_INFO_SLAVE_KIND) != "bridge") return std::nullopt;
    auto const own = attributes<IFLA_BRPORT_MAX>::in(info[IFLA_INFO_SLAVE_DATA]);
    return netlink::bridge_port{.hairpin = own.number<std::uint8_t>(IFLA_BRPORT_MODE) != 0,
                                .isolated = own.number<std::uint8_t>(IFLA_BRPORT_ISOLATED) != 0};
}

inline void change_port(socket& sock, netlink::index index, netlink::bridge_port const& port) {
    ifinfomsg header{};
    header.ifi_index = index;
    request question{RTM_NEWLINK, 0, header};
    question.nest(IFLA_LINKINFO, [&] {
        question.text(IFLA_INFO_SLAVE_KIND, "bridge");
        question.nest(IFLA_INFO_SLAVE_DATA, [&] {
            question.u8(IFLA_BRPORT_MODE, port.hairpin);
            question.u8(IFLA_BRPORT_ISOLATED, port.isolated);
        });
    });
    sock.change(question, [&] { return "change the bridge port " + interface_text(sock, index); });
}

/// Of one port (RTM_GETVLAN, Linux 5.6); the older RTEXT_FILTER_BRVLAN lists those of every port of the node.
inline std::vector<netlink::port_vlan> port_vlans(socket& sock, netlink::index index) {
    br_vlan_msg header{};
    header.family = AF_BRIDGE;
    header.ifindex = static_cast<unsigned>(index);
    std::vector<netlink::port_vlan> all;
    auto const describe = [&] { return "list the VLANs of the bridge port " + interface_text(sock, index); };
    for (message_ptr const& got : sock.dump(request{RTM_GETVLAN, NLM_F_DUMP, header}, describe)) {
        auto const entry = header_of<br_vlan_msg>(got.get());
        if (!entry || entry->ifindex != header.ifindex) continue;
        int left = nlmsg_attrlen(nlmsg_hdr(got.get()), sizeof(br_vlan_msg));
        for (nlattr* at = nlmsg_attrdata(nlmsg_hdr(got.get()), sizeof(br_vlan_msg)); nla_ok(at, left) != 0;
             at = nla_next(at, &left)) {
            if (nla_type(at) != BRIDGE_VLANDB_ENTRY) continue;
            auto const found = attributes<BRIDGE_VLANDB_ENTRY_MAX>::in(at);
            auto const info = found.number<bridge_vlan_info>(BRIDGE_VLANDB_ENTRY_INFO);
            auto const last = found.number<std::uint16_t>(BRIDGE_VLANDB_ENTRY_RANGE, info.vid);
            for (unsigned vid = info.vid; vid <= last; ++vid)
                all.push_back({static_cast<std::uint16_t>(vid), (info.flags & BRIDGE_VLAN_INFO_PVID) != 0,
                               (info.flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0});
        }
    }
    std::sort(all.begin(), all.end());
    return all;
}

inline request port_vlan_request(int type, netlink::index index, netlink::port_vlan const& vlan) {
    ifinfomsg header{};
    header.ifi_family = AF_BRIDGE;
    header.ifi_index = index;
    bridge_vlan_info info{};
    info.vid = vlan.vid;
    if (vlan.pvid) info.flags |= BRIDGE_VLAN_INFO_PVID;
    if (vlan.untagged) info.flags |= BRIDGE_VLAN_INFO_UNTAGGED;
    request question{type, 0, header};
    question.nest(IFLA_AF_SPEC, [&] { question.data(IFLA_BRIDGE_VLAN_INFO, info); });
    return question;
}

inline void add_port_vlan(socket& sock, netlink::index index, netlink::port_vlan const& vlan) {
    sock.change(port_vlan_request(RTM_SETLINK, index, vlan), [&] {
        return "add the VLAN " + std::to_string(vlan.vid) + " to the bridge port " +
               interface_text(sock, index);
    });
}

inline bool delete_port_vlan(socket& sock, netlink::index index, netlink::port_vlan const& vlan) {
    // The kernel acknowledges the deletion of a VLAN that is not there (br_vlan_info ignores
    // nbp_vlan_delete's ENOENT).
    if (!find_link(sock, index)) return false;
    auto const all = port_vlans(sock, index);
    if (std::none_of(all.begin(), all.end(), [&](auto const& entry) { return entry.vid == vlan.vid; }))
        return false;
    return sock.remove(port_vlan_request(RTM_DELLINK, index, vlan), {ENODEV}, [&] {
        return "delete the VLAN " + std::to_string(vlan.vid) + " of the bridge port " +
               interface_text(sock, index);
    });
}

} // namespace cnix::backends::rtnl
