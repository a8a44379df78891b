#pragma once
#include <cnix/backends/libnl/links.hpp>

#include <linux/neighbour.h>

namespace cnix::backends::rtnl {

inline std::vector<netlink::neighbour_spec> neighbours(socket& sock, netlink::index index) {
    request question{RTM_GETNEIGH, NLM_F_DUMP, ndmsg{}};
    question.number(NDA_IFINDEX, index); // the kernel's filter
    std::vector<netlink::neighbour_spec> all;
    auto const describe = [&] { return "list the neighbours of " + interface_text(sock, index); };
    for (message_ptr const& got : sock.dump(question, describe)) {
        auto const entry = header_of<ndmsg>(got.get()).value_or(ndmsg{});
        if (entry.ndm_ifindex != index || (entry.ndm_state & NUD_PERMANENT) == 0) continue;
        auto const found = attributes<NDA_MAX>::of(nlmsg_hdr(got.get()), entry);
        auto const address = found.address(NDA_DST);
        if (address) all.push_back({*address, found.mac(NDA_LLADDR), index});
    }
    return all;
}

inline request neighbour_request(int type, int flags, netlink::neighbour_spec const& neighbour) {
    ndmsg header{};
    header.ndm_family = address_family(neighbour.address.family());
    header.ndm_ifindex = neighbour.device;
    header.ndm_state = NUD_PERMANENT;
    request question{type, flags, header};
    question.address(NDA_DST, neighbour.address);
    if (type == RTM_NEWNEIGH) question.mac(NDA_LLADDR, neighbour.mac);
    return question;
}

inline void replace_neighbour(socket& sock, netlink::neighbour_spec const& neighbour) {
    sock.change(neighbour_request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, neighbour), [&] {
        return "set the neighbour " + neighbour.address.str() + " on " +
               interface_text(sock, neighbour.device);
    });
}

inline bool delete_neighbour(socket& sock, netlink::neighbour_spec const& neighbour) {
    return sock.remove(neighbour_request(RTM_DELNEIGH, 0, neighbour), {ENOENT, ENODEV}, [&] {
        return "delete the neighbour " + neighbour.address.str() + " of " +
               interface_text(sock, neighbour.device);
    });
}

} // namespace cnix::backends::rtnl
