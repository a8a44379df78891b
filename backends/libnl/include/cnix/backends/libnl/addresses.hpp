#pragma once
#include <cnix/backends/libnl/links.hpp>

#include <linux/if_addr.h>

namespace cnix::backends::rtnl {

inline std::vector<netlink::link_address> addresses(socket& sock, netlink::index index) {
    ifaddrmsg header{};
    header.ifa_index = static_cast<unsigned>(index); // the kernel's filter, with NETLINK_GET_STRICT_CHK
    std::vector<netlink::link_address> all;
    auto const describe = [&] { return "list the addresses of " + interface_text(sock, index); };
    for (message_ptr const& got : sock.dump(request{RTM_GETADDR, NLM_F_DUMP, header}, describe)) {
        auto const entry = header_of<ifaddrmsg>(got.get()).value_or(ifaddrmsg{});
        if (entry.ifa_index != static_cast<unsigned>(index)) continue;
        auto const found = attributes<IFA_MAX>::of(nlmsg_hdr(got.get()), entry);
        auto address = found.address(IFA_LOCAL); // of a point-to-point address, IFA_ADDRESS is the other end
        if (!address) address = found.address(IFA_ADDRESS);
        if (!address) continue;
        auto const prefix = net::prefix::make(*address, entry.ifa_prefixlen);
        if (!prefix) continue;
        auto const flags = found.number<std::uint32_t>(IFA_FLAGS, entry.ifa_flags);
        all.push_back({*prefix, (flags & IFA_F_TENTATIVE) != 0, (flags & IFA_F_DADFAILED) != 0});
    }
    return all;
}

inline request address_request(int type, int flags, netlink::index index, net::prefix const& prefix,
                               bool no_dad) {
    ifaddrmsg header{};
    header.ifa_family = address_family(prefix.family());
    header.ifa_prefixlen = static_cast<std::uint8_t>(prefix.length());
    header.ifa_index = static_cast<unsigned>(index);
    if (no_dad && prefix.is_v6()) header.ifa_flags = IFA_F_NODAD;
    request question{type, flags, header};
    question.address(IFA_LOCAL, prefix.address());
    question.address(IFA_ADDRESS, prefix.address());
    return question;
}

inline void add_address(socket& sock, netlink::index index, netlink::address_spec const& spec) {
    net::prefix const& prefix = spec.address;
    request question = address_request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, prefix, spec.no_dad);
    if (prefix.is_v4() && prefix.length() < 31) question.address(IFA_BROADCAST, prefix.last());
    sock.change(question,
                [&] { return "add the address " + prefix.str() + " to " + interface_text(sock, index); });
}

inline bool delete_address(socket& sock, netlink::index index, net::prefix const& prefix) {
    return sock.remove(address_request(RTM_DELADDR, 0, index, prefix, false), {EADDRNOTAVAIL, ENODEV}, [&] {
        return "delete the address " + prefix.str() + " of " + interface_text(sock, index);
    });
}

} // namespace cnix::backends::rtnl
