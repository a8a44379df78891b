#pragma once
#include <cnix/backends/libnl.hpp>
#include <cnix/ns/setns.hpp>

#include <doctest/doctest.h>

#include "laws/netlink_laws.hpp"
#include "support/kernel_node.hpp"
#include <chrono>
#include <string>
#include <thread>

namespace cnix::test {

/// A fixture for netlink_laws: two fresh namespaces of the real kernel.
struct real_kernel {
    sys::fd pod_file;
    std::string pod_path = new_namespace(pod_file);
    ns::setns pod = ns::setns::open(pod_path);
    backends::libnl inside;
    sys::fd host_file;
    std::string host_path = new_namespace(host_file);
    backends::libnl host;

    bool can_filter_vlans() {
        static bool const can = [] {
            sys::fd back = sys::open("/proc/thread-self/ns/net", O_RDONLY);
            sys::fd probe;
            new_namespace(probe);
            backends::libnl kernel;
            bool const found =
                error_of([&] { kernel.add_bridge({.name = "b"_ifname, .vlan_filtering = true}); }) == 0;
            REQUIRE(::setns(back.get(), CLONE_NEWNET) == 0);
            return found;
        }();
        return can;
    }
    /// Carrier changes reach the operational state through a work queue (linkwatch).
    template <class Condition> bool becomes(Condition condition) {
        for (int i = 0; i < 500; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
        }
        return false;
    }
};

} // namespace cnix::test
