#pragma once
#include <cnix/backends/libnl/socket.hpp>
#include <cnix/concepts/netlink_backend.hpp>

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/veth.h>

namespace cnix::backends::rtnl {

inline request get_link() { return {RTM_GETLINK, 0, ifinfomsg{}}; }
inline request get_link(netlink::index index) {
    ifinfomsg header{};
    header.ifi_index = index;
    request question{RTM_GETLINK, 0, header};
    question.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return question;
}

/// How an error text names an interface of which only the index is known.
inline std::string interface_text(socket& sock, netlink::index index) {
    answer const got = sock.exchange(get_link(index));
    if (got.error != 0 || got.messages.empty()) return "the interface of index " + std::to_string(index);
    nlmsghdr* const message = nlmsg_hdr(got.messages.front().get());
    return '"' + std::string{attributes<IFLA_MAX>::of(message, ifinfomsg{}).text(IFLA_IFNAME)} + '"';
}

inline netlink::link to_link(nl_msg* received) {
    auto const header = header_of<ifinfomsg>(received).value_or(ifinfomsg{});
    auto const found = attributes<IFLA_MAX>::of(nlmsg_hdr(received), header);
    auto const info = attributes<IFLA_INFO_MAX>::in(found[IFLA_LINKINFO]);
    netlink::link link;
    link.index = header.ifi_index;
    link.name = found.text(IFLA_IFNAME);
    link.kind = info.text(IFLA_INFO_KIND);
    link.mac = found.mac(IFLA_ADDRESS);
    link.mtu = found.number<std::uint32_t>(IFLA_MTU);
    link.up = (header.ifi_flags & IFF_UP) != 0;
    auto const state = found.number<std::uint8_t>(IFLA_OPERSTATE, IF_OPER_UNKNOWN);
    // A veth's is UNKNOWN until the kernel's link watch has looked at it, and then UP or LOWERLAYERDOWN.
    link.operational = state == IF_OPER_UP || (state == IF_OPER_UNKNOWN && link.kind != "veth");
    link.promiscuous = (header.ifi_flags & IFF_PROMISC) != 0;
    link.master = found.number<int>(IFLA_MASTER);
    link.peer = found.number<int>(IFLA_LINK);
    link.alias = found.text(IFLA_IFALIAS);
    link.group = found.number<std::uint32_t>(IFLA_GROUP);
    if (link.kind == "bridge")
        link.vlan_filtering =
            attributes<IFLA_BR_MAX>::in(info[IFLA_INFO_DATA]).number<std::uint8_t>(IFLA_BR_VLAN_FILTERING) !=
            0;
    if (link.kind == "vlan")
        link.vlan = attributes<IFLA_VLAN_MAX>::in(info[IFLA_INFO_DATA]).number<std::uint16_t>(IFLA_VLAN_ID);
    return link;
}

inline std::optional<netlink::link> find_link(socket& sock, net::interface_name const& name) {
    request question = get_link();
    question.text(IFLA_IFNAME, name);
    question.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    message_ptr const got = sock.get(question, [&] { return "look up the interface \"" + name.str() + '"'; });
    if (!got) return std::nullopt;
    return to_link(got.get());
}

inline std::optional<netlink::link> find_link(socket& sock, netlink::index index) {
    message_ptr const got =
        sock.get(get_link(index), [&] { return "look up the interface of index " + std::to_string(index); });
    if (!got) return std::nullopt;
    return to_link(got.get());
}

inline std::vector<netlink::link> links(socket& sock) {
    request question{RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}};
    question.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    std::vector<netlink::link> all;
    for (message_ptr const& got : sock.dump(question, [] { return std::string{"list the interfaces"}; }))
        all.push_back(to_link(got.get()));
    return all;
}

inline void add_bridge(socket& sock, netlink::bridge_spec const& bridge) {
    ifinfomsg header{};
    if (bridge.up) header.ifi_flags = header.ifi_change = IFF_UP;
    request question{RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, header};
    question.text(IFLA_IFNAME, bridge.name);
    if (bridge.mtu != 0) question.u32(IFLA_MTU, bridge.mtu);
    if (bridge.mac) question.mac(IFLA_ADDRESS, *bridge.mac);
    if (bridge.group != 0) question.u32(IFLA_GROUP, bridge.group);
    question.nest(IFLA_LINKINFO, [&] {
        question.text(IFLA_INFO_KIND, "bridge");
        question.nest(IFLA_INFO_DATA, [&] {
            if (bridge.vlan_filtering) question.u8(IFLA_BR_VLAN_FILTERING, 1);
        });
    });
    sock.change(question, [&] { return "add the bridge \"" + bridge.name.str() + '"'; });
}

inline void add_veth(socket& sock, netlink::veth_spec const& veth) {
    ifinfomsg header{};
    if (veth.host_up) header.ifi_flags = header.ifi_change = IFF_UP;
    request question{RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, header};
    auto const put_end = [&](netlink::veth_end const& end) {
        question.text(IFLA_IFNAME, end.name);
        // One of each is what an interface uses that is not told otherwise. Unasked, the kernel (since 5.15) makes one a CPU and takes them
        // away again, for which it waits (veth_init_queues in drivers/net/veth.c).
        question.u32(IFLA_NUM_TX_QUEUES, 1);
        question.u32(IFLA_NUM_RX_QUEUES, 1);
        if (veth.mtu != 0) question.u32(IFLA_MTU, veth.mtu); // the peer does not inherit it
        if (end.mac) question.mac(IFLA_ADDRESS, *end.mac);
        if (end.group != 0) question.u32(IFLA_GROUP, end.group);
    };
    put_end(veth.host);
    if (veth.master != 0) question.number(IFLA_MASTER, veth.master);
    question.nest(IFLA_LINKINFO, [&] {
        question.text(IFLA_INFO_KIND, "veth");
        question.nest(IFLA_INFO_DATA, [&] {
            question.nest(VETH_INFO_PEER, [&] {
                question.append(ifinfomsg{});
                put_end(veth.peer);
                if (veth.peer_netns >= 0) question.number(IFLA_NET_NS_FD, veth.peer_netns);
            });
        });
    });
    sock.change(question, [&] {
        return "add the veth \"" + veth.host.name.str() + "\" with its peer \"" + veth.peer.name.str() + '"';
    });
}

inline void add_vlan(socket& sock, netlink::vlan_spec const& vlan) {
    request question{RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{}};
    question.text(IFLA_IFNAME, vlan.name);
    question.number(IFLA_LINK, vlan.on);
    if (vlan.mac) question.mac(IFLA_ADDRESS, *vlan.mac);
    if (vlan.group != 0) question.u32(IFLA_GROUP, vlan.group);
    question.nest(IFLA_LINKINFO, [&] {
        question.text(IFLA_INFO_KIND, "vlan");
        question.nest(IFLA_INFO_DATA, [&] { question.u16(IFLA_VLAN_ID, vlan.id); });
    });
    sock.change(question, [&] {
        return "add the VLAN " + std::to_string(vlan.id) + " \"" + vlan.name.str() + "\" on " +
               interface_text(sock, vlan.on);
    });
}

inline void change_link(socket& sock, netlink::index index, netlink::link_change const& change) {
    if (change.addr_gen_mode && change.up.value_or(false)) {
        // do_setlink brings the interface up, with a link-local address, before it looks at the mode.
        change_link(sock, index, {.addr_gen_mode = change.addr_gen_mode});
        netlink::link_change rest = change;
        rest.addr_gen_mode.reset();
        return change_link(sock, index, rest);
    }
    ifinfomsg header{};
    header.ifi_index = index;
    auto const put_flag = [&](std::optional<bool> wanted, unsigned flag) {
        if (!wanted) return;
        header.ifi_change |= flag;
        if (*wanted) header.ifi_flags |= flag;
    };
    put_flag(change.up, IFF_UP);
    put_flag(change.promiscuous, IFF_PROMISC);
    request question{RTM_NEWLINK, 0, header};
    if (change.name) question.text(IFLA_IFNAME, *change.name);
    if (change.master) question.number(IFLA_MASTER, *change.master);
    if (change.mac) question.mac(IFLA_ADDRESS, *change.mac);
    if (change.mtu) question.u32(IFLA_MTU, *change.mtu);
    if (change.alias) question.bytes(IFLA_IFALIAS, *change.alias); // a zero would count as a byte of it
    if (change.group) question.u32(IFLA_GROUP, *change.group);
    if (change.addr_gen_mode) {
        question.nest(IFLA_AF_SPEC, [&] {
            question.nest(AF_INET6, [&] {
                question.u8(IFLA_INET6_ADDR_GEN_MODE, static_cast<std::uint8_t>(*change.addr_gen_mode));
            });
        });
    }
    if (change.vlan_filtering) {
        question.nest(IFLA_LINKINFO, [&] {
            question.text(IFLA_INFO_KIND, "bridge");
            question.nest(IFLA_INFO_DATA,
                          [&] { question.u8(IFLA_BR_VLAN_FILTERING, *change.vlan_filtering); });
        });
    }
    sock.change(question, [&] {
        std::string text = "set " + interface_text(sock, index);
        if (change.name) text += " name " + change.name->str() + ',';
        if (change.up) text += *change.up ? " up," : " down,";
        if (change.master) text += " master,";
        if (change.mac) text += " MAC address " + change.mac->str() + ',';
        if (change.promiscuous) text += " promiscuous mode,";
        if (change.mtu) text += " MTU " + std::to_string(*change.mtu) + ',';
        if (change.alias) text += " alias,";
        if (change.group) text += " group,";
        if (change.addr_gen_mode) text += " IPv6 address generation mode,";
        if (change.vlan_filtering) text += " VLAN filtering,";
        if (text.ends_with(',')) text.pop_back();
        return text;
    });
}

inline bool delete_link(socket& sock, netlink::index index) {
    ifinfomsg header{};
    header.ifi_index = index;
    return sock.remove(request{RTM_DELLINK, 0, header}, {ENODEV},
                       [&] { return "delete the interface " + interface_text(sock, index); });
}

} // namespace cnix::backends::rtnl
