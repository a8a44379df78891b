#pragma once
#include <cnix/backends/recording.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/backends/recording/nft_ruleset.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/forwarding.hpp>
#include <cnix/link/spoof_check.hpp>

#include "laws/link_laws.hpp"
#include "support/network_state.hpp"
#include <regex>
#include <string>
#include <vector>

/// link::bridge over the recording backends.
namespace cnix::test {

namespace recording = backends::recording;
using namespace net::literals;
using recorded_bridge = link::bridge<recording::netlink, link::spoof_check<recording::nft>>;

/// A fresh node in memory, with three pods.
struct recorded_world {
    recorded_world() {
        recording::reset();
        for (int i = 0; i < 3; ++i) pod(i);
        // A failed ADD does not take forwarding back, so it is no trace of one.
        recording::netlink host;
        for (auto family : {net::family::ipv4, net::family::ipv6})
            host.set_sysctl(link::forwarding_sysctl(family), "1");
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

/// Verbs of the bridge for one pod.
struct recorded_node : recorded_world {
    recorded_bridge bridge{};
    recording::netlink host{};

    recorded_node() {
        for (auto family : {net::family::ipv4, net::family::ipv6})
            host.set_sysctl(link::forwarding_sysctl(family), "0");
        recording::journal::clear();
    }

    static cni::attachment pod_one(std::string_view network = "mynet", std::string_view container = "c1",
                                   int n = 0) {
        auto one = laws::attachment(network, container);
        one.netns = "/run/netns/pod" + std::to_string(n);
        return one;
    }
    cni::result add(cni::attachment const& one, settings<recorded_bridge> const& settings,
                    cni::lease const& lease) {
        auto pod = recording::ns::open(one.netns);
        cni::result result;
        static_cast<cni::lease&>(result) = lease;
        cni::rollback undo;
        bridge.add(one, settings, pod, lease, result, undo);
        undo.commit();
        return result;
    }
    cni::result add(link::bridge_config const& config, cni::lease const& lease) {
        return add(pod_one(), bridge_settings(config), lease);
    }
    std::string error_of_add(settings<recorded_bridge> const& settings, cni::lease const& lease) {
        try {
            add(pod_one(), settings, lease);
        } catch (std::exception const& e) {
            return e.what();
        }
        return "nothing was thrown";
    }
    std::string error_of_add(link::bridge_config const& config,
                             cni::lease const& lease = laws::lease({"10.1.0.2/16"})) {
        return error_of_add(bridge_settings(config), lease);
    }
    void del(cni::attachment const& one) {
        auto pod = recording::ns::find(one.netns);
        bridge.del(one, {}, pod ? &*pod : nullptr);
    }
    std::vector<std::string> findings_of(link::bridge_config const& config, cni::result const& previous) {
        auto pod = recording::ns::open("/run/netns/pod0");
        findings found;
        bridge.check(pod_one(), bridge_settings(config), pod, previous, found);
        return found;
    }
    netlink::index index_of(std::string_view name) {
        return host.find_link(net::interface_name::parse(name).value())->index;
    }
    void in_pod(auto f) {
        recording::ns::open("/run/netns/pod0").run([&] {
            recording::netlink inside;
            f(inside, inside.find_link("eth0"_ifname)->index);
        });
    }
    /// The commands, with what is random in angle brackets.
    static std::string script() {
        static std::regex const mac{"([0-9a-f]{2}:){5}[0-9a-f]{2}"};
        static std::regex const port_mac{"fe(:[0-9a-f]{2}){5}"};
        auto const text = std::regex_replace(recording::journal::text(), port_mac, "<port MAC>");
        return std::regex_replace(text, mac, "<MAC>");
    }
};

} // namespace cnix::test
