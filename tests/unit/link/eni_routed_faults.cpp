#include <cnix/backends/recording/faults.hpp>
#include <cnix/link/eni_routed.hpp>

#include <doctest/doctest.h>

#include "faults.hpp"
#include "support/eni_leases.hpp"
#include <functional>
#include <regex>
#include <string>
#include <vector>

/// An ADD, and a DEL, in which one call to the kernel fails, for every call that they make.
namespace {

using namespace cnix;
using namespace cnix::net::literals;
using test::eni_lease;
using test::recorded_world;
namespace recording = backends::recording;
using routed = link::eni_routed<recording::netlink>;

cni::attachment pod_one() {
    auto one = laws::attachment("aws-cni", "c1");
    one.netns = "/run/netns/pod0";
    return one;
}

settings<routed> keys(char const* mode = "strict") {
    settings<routed> all;
    all.config.podSGEnforcingMode = config::text{mode};
    all.cni_args = {.K8S_POD_NAME = config::text{"nginx"}, .K8S_POD_NAMESPACE = config::text{"default"}};
    return all;
}

void add(cni::attachment const& one, eni::lease const& lease, cni::rollback& undo, char const* mode,
         bool prepared = false) {
    auto pod = recording::ns::open(one.netns);
    cni::result result;
    routed link;
    if (prepared) link.prepare(one, keys(mode), pod, undo);
    link.add(one, keys(mode), pod, lease, result, undo);
}

struct scenario {
    char const* name;
    eni::lease lease;
    char const* mode = "strict";
    std::function<void()> before = [] {};
};

/// The trunk ENI is made by `with_trunk`, as the first interface of the node.
eni::lease branch_lease() {
    auto lease = eni_lease(-1, {{"10.0.5.55"}});
    recorded_world here;
    recording::netlink host;
    host.add_veth({.host = {.name = "eth2"_ifname}, .peer = {.name = "cloud"_ifname}});
    lease.branch = eni::branch{.vlan = 7,
                               .mac = net::mac::parse("02:00:00:00:00:07").value(),
                               .gateway = net::address::parse("10.0.5.1").value(),
                               .trunk = host.find_link("eth2"_ifname)->index};
    return lease;
}
void with_trunk() {
    recording::netlink{}.add_veth({.host = {.name = "eth2"_ifname}, .peer = {.name = "cloud"_ifname}});
}
void with_former_pod() {
    auto one = laws::attachment("aws-cni", "former");
    one.netns = "/run/netns/pod1";
    cni::rollback undo;
    add(one, eni_lease(1, {{"10.0.2.77"}}), undo, "strict");
    undo.commit();
}

std::vector<scenario> scenarios() {
    return {{"primary ENI", eni_lease(0, {{"10.0.1.55"}})},
            {"second ENI", eni_lease(1, {{"10.0.2.55"}})},
            {"IPv6", eni_lease(1, {{"fd00::55"}})},
            {"both families", eni_lease(1, {{"10.0.2.55", "fd00::55"}})},
            {"two ENIs", eni_lease(1, {{"10.0.2.55"}, {"10.9.0.55"}})},
            {"branch ENI, strict", branch_lease(), "strict", with_trunk},
            {"branch ENI, standard", branch_lease(), "standard", with_trunk}};
}

/// Sysctls of a host end, which a kernel without IPv6 has not.
std::regex const dispensable{"sysctl -qw net/ipv6/conf/[^/]+/(accept_ra|accept_redirects|forwarding)=[01]"};

TEST_CASE("whatever call fails, a failed ADD leaves the node as it was") {
    for (auto const& [name, lease, mode, prepare] : scenarios()) {
        for (bool const prepared : {false, true}) {
            INFO(name, prepared ? ", prepared" : "");
            test::whatever_call_fails(
                prepare, [&](cni::rollback& undo) { add(pod_one(), lease, undo, mode, prepared); },
                dispensable);
        }
    }
}

TEST_CASE("whatever call of an undo fails once, the node is as it was") {
    for (auto const& [name, lease, mode, prepare] : scenarios()) {
        INFO(name);
        unsigned calls = 0;
        for (unsigned n = 0; n <= calls; ++n) { // 0: none, to count them
            INFO("call ", n);
            recorded_world here;
            prepare();
            auto const before = here.state();
            cni::rollback undo;
            add(pod_one(), lease, undo, mode);
            recording::faults::clear();
            recording::faults::fail_call(n, ENOBUFS);
            CHECK(undo.undo() == std::vector<std::string>{});
            if (n == 0) calls = recording::faults::calls();
            recording::faults::clear();
            CHECK(test::difference(before, here.state()) == "");
        }
        CHECK(calls > 4);
    }
}

TEST_CASE("whatever call of a DEL fails, the next one leaves nothing") {
    for (auto const& [name, lease, mode, prepare] : scenarios()) {
        INFO(name);
        recorded_world here;
        prepare();
        auto const before = here.state();
        auto const deleted = [&](bool with_pod) {
            auto pod = recording::ns::open("/run/netns/pod0");
            routed{}.del(pod_one(), keys(mode), with_pod ? &pod : nullptr);
        };
        for (bool const with_pod : {true, false}) {
            unsigned calls = 0;
            for (unsigned n = 0; n <= calls; ++n) { // 0: none, to count them
                INFO("call ", n, with_pod ? "" : " without the pod");
                recorded_world again;
                prepare();
                cni::rollback undo;
                add(pod_one(), lease, undo, mode);
                undo.commit();
                recording::faults::clear();
                recording::faults::fail_call(n, EIO);
                try {
                    deleted(with_pod);
                } catch (std::exception const&) {
                    CHECK(n != 0);
                }
                if (n == 0) calls = recording::faults::calls();
                recording::faults::clear();
                deleted(with_pod);
                // What is in the pod goes with it, if nobody can enter it.
                if (with_pod || lease.allocations.size() == 1)
                    CHECK(test::difference(before, again.state()) == "");
            }
            CHECK(calls > 8);
        }
    }
}

TEST_CASE("a former pod's host end goes, whatever fails afterwards") {
    recorded_world here;
    with_former_pod();
    cni::rollback undo;
    recording::faults::clear();
    add(pod_one(), eni_lease(1, {{"10.0.2.55"}}), undo, "strict");
    CHECK(undo.undo() == std::vector<std::string>{});
    CHECK(here.state().find("enic440f455693") == std::string::npos);
}

} // namespace
