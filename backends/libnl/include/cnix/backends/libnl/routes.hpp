#pragma once
#include <cnix/backends/libnl/links.hpp>

namespace cnix::backends::rtnl {

/// A next hop's gateway: RTA_GATEWAY, or RTA_VIA where it is of another family than the destination.
inline std::optional<net::address> gateway_of(attributes<RTA_MAX> const& found) {
    if (found.has(RTA_GATEWAY)) return found.address(RTA_GATEWAY);
    if (!found.has(RTA_VIA)) return std::nullopt;
    constexpr int family = sizeof(rtvia::rtvia_family);
    int const size = nla_len(found[RTA_VIA]) - family;
    if (size < 0) return std::nullopt;
    return net::address::from_bytes({static_cast<std::uint8_t const*>(nla_data(found[RTA_VIA])) + family,
                                     static_cast<std::size_t>(size)});
}

/// Appends the routes of a message: one a next hop.
inline void append_routes(nl_msg* received, std::vector<netlink::route_spec>& all) {
    auto const header = header_of<rtmsg>(received).value_or(rtmsg{});
    if (header.rtm_type != RTN_UNICAST || (header.rtm_flags & RTM_F_CLONED) != 0) return;
    auto const found = attributes<RTA_MAX>::of(nlmsg_hdr(received), header);
    netlink::route_spec route;
    route.table = found.number<std::uint32_t>(RTA_TABLE, header.rtm_table);
    if (route.table == RT_TABLE_LOCAL) return;
    auto const family = header.rtm_family == AF_INET ? net::family::ipv4 : net::family::ipv6;
    auto const dst = net::prefix::make(found.address(RTA_DST).value_or(net::prefix::any(family).address()),
                                       header.rtm_dst_len);
    if (!dst) return;
    route.dst = *dst;
    route.gateway = gateway_of(found);
    route.device = found.number<int>(RTA_OIF);
    route.priority = found.number<std::uint32_t>(RTA_PRIORITY);
    route.scope = header.rtm_scope;
    auto const metrics = attributes<RTAX_MAX>::in(found[RTA_METRICS]);
    route.mtu = metrics.number<std::uint32_t>(RTAX_MTU);
    route.advmss = metrics.number<std::uint32_t>(RTAX_ADVMSS);
    route.protocol = header.rtm_protocol;
    route.source = found.address(RTA_PREFSRC);
    route.onlink = (header.rtm_flags & RTNH_F_ONLINK) != 0;
    if (!found.has(RTA_MULTIPATH)) {
        all.push_back(route);
        return;
    }
    auto const* at = static_cast<char*>(nla_data(found[RTA_MULTIPATH]));
    auto left = static_cast<std::size_t>(nla_len(found[RTA_MULTIPATH]));
    while (left >= sizeof(rtnexthop)) {
        rtnexthop hop;
        std::memcpy(&hop, at, sizeof hop);
        if (hop.rtnh_len < sizeof hop || hop.rtnh_len > left) break;
        auto* const head = reinterpret_cast<nlattr*>(const_cast<char*>(at) + sizeof hop);
        auto const own = attributes<RTA_MAX>::among(head, static_cast<int>(hop.rtnh_len - sizeof hop));
        route.device = hop.rtnh_ifindex;
        route.gateway = gateway_of(own);
        route.onlink = (hop.rtnh_flags & RTNH_F_ONLINK) != 0;
        all.push_back(route);
        std::size_t const step = NLMSG_ALIGN(std::size_t{hop.rtnh_len});
        if (step >= left) break;
        at += step;
        left -= step;
    }
}

/// With a device, the routes out of it alone.
inline std::vector<netlink::route_spec> routes(socket& sock, net::family family, netlink::index device = 0) {
    rtmsg header{};
    header.rtm_family = address_family(family);
    header.rtm_type = RTN_UNICAST; // a filter, with NETLINK_GET_STRICT_CHK: leaves out the local table's
    request question{RTM_GETROUTE, NLM_F_DUMP, header};
    if (device != 0) question.number(RTA_OIF, device);
    auto const describe = [&] {
        return device == 0 ? std::string{"list the routes"}
                           : "list the routes of " + interface_text(sock, device);
    };
    std::vector<netlink::route_spec> all;
    for (message_ptr const& got : sock.dump(question, describe)) {
        auto const entry = header_of<rtmsg>(got.get());
        if (entry && entry->rtm_family == header.rtm_family) append_routes(got.get(), all);
    }
    if (device != 0)
        std::erase_if(all, [&](netlink::route_spec const& route) { return route.device != device; });
    return all;
}

/// The kernel's answer is the entry of the table that the lookup ended at.
inline netlink::reached reach(socket& sock, net::address const& address) {
    rtmsg header{};
    header.rtm_family = address_family(address.family());
    header.rtm_dst_len = address.is_v4() ? 32 : 128;
    header.rtm_flags = RTM_F_FIB_MATCH;
    request question{RTM_GETROUTE, 0, header};
    question.address(RTA_DST, address);
    answer const got = sock.exchange(question);
    netlink::reached found;
    if (got.error == ENETUNREACH || got.error == EHOSTUNREACH || got.error == EACCES || got.error == EINVAL)
        return found; // no route, or one of another type
    if (got.error != 0) sys::throw_errno(got.error, "look up the route to " + address.str());
    if (got.messages.empty()) return found;
    auto const entry = header_of<rtmsg>(got.messages.front().get()).value_or(rtmsg{});
    found.local = entry.rtm_type == RTN_LOCAL;
    std::vector<netlink::route_spec> routes;
    append_routes(got.messages.front().get(), routes);
    for (netlink::route_spec const& route : routes)
        if (route.dst == net::prefix::host(address)) found.host_route = route;
    return found;
}

inline request route_request(int type, int flags, netlink::route_spec const& route) {
    rtmsg header{};
    header.rtm_family = address_family(route.dst.family());
    header.rtm_dst_len = static_cast<std::uint8_t>(route.dst.length());
    header.rtm_table =
        route.table < 256 ? static_cast<std::uint8_t>(route.table) : std::uint8_t{RT_TABLE_UNSPEC};
    header.rtm_protocol = route.protocol;
    header.rtm_type = RTN_UNICAST;
    bool const removal = type == RTM_DELROUTE; // RT_SCOPE_NOWHERE: of any scope
    header.rtm_scope = route.scope     ? static_cast<std::uint8_t>(*route.scope)
                       : removal       ? std::uint8_t{RT_SCOPE_NOWHERE}
                       : route.gateway ? std::uint8_t{RT_SCOPE_UNIVERSE}
                                       : std::uint8_t{RT_SCOPE_LINK};
    if (route.onlink) header.rtm_flags = RTNH_F_ONLINK;
    request question{type, flags, header};
    question.u32(RTA_TABLE, route.table);
    question.address(RTA_DST, route.dst.address());
    if (route.gateway && route.gateway->family() == route.dst.family())
        question.address(RTA_GATEWAY, *route.gateway);
    else if (route.gateway) {
        std::array<std::uint8_t, sizeof(rtvia::rtvia_family) + 16> via{};
        std::uint16_t const family = address_family(route.gateway->family());
        std::memcpy(via.data(), &family, sizeof family);
        auto const bytes = route.gateway->bytes();
        std::memcpy(via.data() + sizeof family, bytes.data(), bytes.size());
        question.data(RTA_VIA, via);
    }
    if (route.device != 0) question.number(RTA_OIF, route.device);
    if (route.priority != 0) question.u32(RTA_PRIORITY, route.priority);
    if (removal) return question; // what follows is no part of a route's identity
    if (route.source) question.address(RTA_PREFSRC, *route.source);
    question.nest(RTA_METRICS, [&] {
        if (route.mtu != 0) question.u32(RTAX_MTU, route.mtu);
        if (route.advmss != 0) question.u32(RTAX_ADVMSS, route.advmss);
    });
    return question;
}

inline std::string route_text(socket& sock, netlink::route_spec const& route) {
    std::string text = "the route " + route.dst.str();
    if (route.gateway) text += " via " + route.gateway->str();
    if (route.device != 0) text += " dev " + interface_text(sock, route.device);
    if (route.table != RT_TABLE_MAIN) text += " table " + std::to_string(route.table);
    return text;
}

inline void add_route(socket& sock, netlink::route_spec const& route) {
    sock.change(route_request(RTM_NEWROUTE, NLM_F_CREATE, route),
                [&] { return "add " + route_text(sock, route); });
}

inline void replace_route(socket& sock, netlink::route_spec const& route) {
    sock.change(route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route),
                [&] { return "replace " + route_text(sock, route); });
}

inline bool delete_route(socket& sock, netlink::route_spec const& route) {
    return sock.remove(route_request(RTM_DELROUTE, 0, route), {ESRCH, ENODEV},
                       [&] { return "delete " + route_text(sock, route); });
}

} // namespace cnix::backends::rtnl
