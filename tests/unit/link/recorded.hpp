#pragma once
#include <cnix/backends/recording.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/spoof_check.hpp>

#include "laws/link_laws.hpp"
#include "support/network_state.hpp"
#include <string>

/// link::bridge over the recording backends.
namespace cnix::test {

namespace recording = backends::recording;
using recorded_bridge = link::bridge<recording::netlink, link::spoof_check<recording::nft>>;

/// A fresh node in memory, with three pods.
struct recorded_world {
    recorded_world() {
        recording::reset();
        recording::nft::reset();
        for (int i = 0; i < 3; ++i) pod(i);
        // A failed ADD does not take forwarding back, so it is no trace of one.
        recording::netlink host;
        for (auto family : {net::family::ipv4, net::family::ipv6}) host.set_sysctl(link::forwarding_sysctl(family), "1");
    }
    std::string pod(int n) const {
        std::string const path = "/run/netns/pod" + std::to_string(n);
        recording::kernel::self().pod(path);
        return path;
    }
    std::string state() const {
        std::string text = network_state<recording::netlink>();
        for (int i = 0; i < 3; ++i)
            text += recording::ns::open(pod(i)).run(
                [&] { return network_state<recording::netlink>("pod" + std::to_string(i) + ": "); });
        return text + recording::nft::ruleset().text();
    }
    void add_interface(std::string const& pod, std::string_view name) const {
        recording::ns::open(pod).run(
            [&] { recording::netlink{}.add_bridge({.name = net::interface_name::parse(name).value()}); });
    }
};

inline settings<recorded_bridge> bridge_settings(link::bridge_config config) {
    settings<recorded_bridge> all;
    all.config = std::move(config);
    return all;
}

inline net::prefix cidr(std::string_view text) { return net::prefix::parse(text).value(); }
inline net::address ip(std::string_view text) { return net::address::parse(text).value(); }

} // namespace cnix::test
