#include <ipamd/kernel_events.hpp>
#include <cnix/sys/errors.hpp>

#include <array>
#include <cerrno>
#include <initializer_list>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace cnix::ipamd {
namespace {

sys::fd join(int protocol, std::initializer_list<int> groups) {
    sys::fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol)};
    if (!socket) return socket;
    sockaddr_nl own{};
    own.nl_family = AF_NETLINK;
    if (::bind(socket.get(), reinterpret_cast<sockaddr const*>(&own), sizeof own) != 0) return {};
    for (int const group : groups)
        if (::setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
            return {};
    return socket;
}

bool went_away(nlmsghdr const& message) {
    switch (message.nlmsg_type) {
    case RTM_DELRULE:
    case RTM_DELROUTE:
    case RTM_DELADDR:
    case RTM_DELLINK:
        return true;
    default:
        return false;
    }
}

/// How much is read at once: in a storm of changes the others' turn comes, too.
constexpr int most_reads = 64;

/// Whether any message is of the kind; a lost one (ENOBUFS) may have been.
template <class Kind> bool read(int socket, Kind kind) {
    bool found = false;
    alignas(nlmsghdr) std::array<char, 32 * 1024> buffer;
    for (int i = 0; i < most_reads; ++i) {
        auto size = ::recv(socket, buffer.data(), buffer.size(), 0);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == ENOBUFS) {
            found = true;
            continue;
        }
        if (size <= 0) return found;
        auto left = static_cast<unsigned>(size);
        for (auto const* one = reinterpret_cast<nlmsghdr const*>(buffer.data()); NLMSG_OK(one, left);
             one = NLMSG_NEXT(one, left))
            found |= kind(*one);
    }
    return found;
}

} // namespace

kernel_events::kernel_events()
    : routing_{join(NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_ROUTE,
                                    RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR})},
      firewall_{join(NETLINK_NETFILTER, {NFNLGRP_NFTABLES})} {
    if (!routing_) sys::throw_errno("listen to the kernel's changes of routes and rules");
}

bool kernel_events::read_routing() { return read(routing_.get(), went_away); }
bool kernel_events::read_firewall() {
    return firewall_ && read(firewall_.get(), [](nlmsghdr const&) { return true; });
}

} // namespace cnix::ipamd
