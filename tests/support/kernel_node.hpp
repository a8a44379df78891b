#pragma once
#include <cnix/link/forwarding.hpp>
#include <cnix/sys/fd.hpp>

#include <doctest/doctest.h>

#include "support/network_state.hpp"
#include <array>
#include <sched.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace cnix::test {

/// Enters a new network namespace; a path that leads to it as long as `held` lives.
inline std::string new_namespace(sys::fd& held) {
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
    held = sys::open("/proc/thread-self/ns/net", O_RDONLY);
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(held.get());
}

/// A world for link_laws: a fresh node of the real kernel, the current namespace from then on, and three pods. All of it ends
/// with this object. For a test binary with an own_namespace.
template <netlink_backend Netlink, ns_policy Ns> struct kernel_node {
    std::array<sys::fd, 3> files{};
    std::array<std::string, 3> pods{new_namespace(files[0]), new_namespace(files[1]),
                                    new_namespace(files[2])};
    sys::fd host_file{};
    std::string host = new_namespace(host_file);

    kernel_node() { // a failed ADD does not take forwarding back, so it is no trace of one
        Netlink netlink;
        for (auto family : {net::family::ipv4, net::family::ipv6})
            netlink.set_sysctl(link::forwarding_sysctl(family), "1");
    }
    std::string pod(int n) const { return pods[static_cast<std::size_t>(n)]; }
    std::string state() const {
        std::string text = network_state<Netlink>();
        for (int i = 0; i < 3; ++i)
            text += Ns::open(pod(i)).run(
                [&] { return network_state<Netlink>("pod" + std::to_string(i) + ": "); });
        return text;
    }
    void add_interface(std::string const& netns, std::string_view name) const {
        Ns::open(netns).run(
            [&] { Netlink{}.add_bridge({.name = net::interface_name::parse(name).value()}); });
    }
};

} // namespace cnix::test
