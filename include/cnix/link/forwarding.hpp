#pragma once
#include <cnix/link/pod_interface.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace cnix::link {

/// /proc/sys path that makes the node forward packets of the family.
inline std::string_view forwarding_sysctl(net::family family) {
    return family == net::family::ipv4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding";
}

/// Makes the node forward what the gateways get. Not taken back by a failed ADD: it is the whole node's, and others may rely
/// on it by then.
template <netlink_backend Netlink> void forward(Netlink& host, std::vector<cni::ip> const& ips) {
    for (auto const& gateway : first_gateways(ips)) {
        std::string const path{forwarding_sysctl(gateway.family())};
        if (auto const now = host.sysctl(path); now && *now != "1") host.set_sysctl(path, "1");
    }
}

} // namespace cnix::link
