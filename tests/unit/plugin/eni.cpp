#include <cnix/link/eni_routed.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/plugin.hpp>

#include <doctest/doctest.h>

#include "../ipam/remote_fixture.hpp"
#include "../link/recorded.hpp"
#include "support/eni_tables.hpp"
#include <string>

/// Whole plugins of the ENI design, for daemons of each generation: a DEL by whatever is known.
namespace {

using namespace cnix;
namespace recording = backends::recording;

template <class Generation>
using plugin_of = plugin<link::eni_routed<recording::netlink>, ipam::remote<remote_test::client<Generation>>,
                         nat::none, recording::ns>;

template <class Generation> struct node : test::with_enis<recording::netlink, test::recorded_world> {
    using plugin = plugin_of<Generation>;
    remote_test::node<Generation> daemon{};
    recording::netlink host{};
    std::string before = state();

    cni::request request(cni::verb verb, std::string const& more = "", bool with_pod = true) {
        cni::request one;
        one.verb = verb;
        one.container_id = "c1";
        one.netns = with_pod ? "/run/netns/pod0" : "";
        one.interface = "eth0";
        one.network = "aws-cni";
        one.version = cni::version::v1_0_0;
        one.args =
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=nginx;K8S_POD_INFRA_CONTAINER_ID=c1";
        one.config = R"({"cniVersion":"1.0.0","name":"aws-cni","type":"eni","ipam":{"spool":")" +
                     daemon.root + R"(/spool"})" + more + '}';
        return one;
    }
    std::string add(std::string const& more = "") {
        std::string printed;
        plugin::add(request(cni::verb::add, more), [&](std::string text) { printed = std::move(text); });
        return printed;
    }
    void del(std::string const& more = "", bool with_pod = true) {
        plugin::del(request(cni::verb::del, more, with_pod));
    }
    static std::string previous(std::string const& result) { return R"(,"prevResult":)" + result; }

    void daemon_is_away() {
        remote_test::now.del = [](rpc::del_request const&, rpc::target const& to) -> rpc::del_reply {
            throw remote_test::away(to);
        };
    }
    /// As after the end of the pod's namespace, and as upstream makes them: rules without a protocol number.
    void pod_is_gone() {
        for (auto const& link : host.links())
            if (link.name.starts_with("eni")) host.delete_link(link.index);
        recording::ns::open("/run/netns/pod0").run([] {
            while (recording::netlink{}.delete_rule({.priority = 1, .table = 0})) {
            }
        });
        for (auto rule : host.rules(net::family::ipv4))
            if (rule.protocol == eni::protocol) {
                host.delete_rule(rule);
                rule.protocol = 0;
                host.add_rule(rule);
            }
    }
    void nothing_is_left() { CHECK(test::difference(before, state()) == ""); }
};

TEST_CASE_TEMPLATE("DEL of each generation", Generation, rpc::v1_7, rpc::v1_10, rpc::v1_20) {
    node<Generation> here;
    auto const result = here.add();
    CHECK(here.host.rules(net::family::ipv4).size() == 3 + 2);
    SUBCASE("the daemon tells the addresses, the pod is gone") {
        here.pod_is_gone();
        here.del("", false);
    }
    SUBCASE("the daemon is away, the pod is there") {
        here.daemon_is_away();
        here.del();
    }
    SUBCASE("the daemon is away and the pod gone, prevResult tells") {
        here.daemon_is_away();
        here.pod_is_gone();
        here.del(here.previous(result), false);
    }
    here.nothing_is_left();
    CHECK(here.daemon.waiting() == (remote_test::now.del ? 1U : 0U));
    if (!remote_test::now.del) CHECK(remote_test::now.held.empty());
}

TEST_CASE("DEL of a pod with two network cards") {
    node<rpc::v1_20> here;
    remote_test::now.add = [](rpc::add_request const&, rpc::target const&) -> rpc::add_reply {
        return {.success = true,
                .allocations = {{net::address::v4(0x0a000237), {}, 1, 2},
                                {net::address::v4(0x0a090037), {}, 1, 10101}}};
    };
    auto const result = here.add(R"(,"runtimeConfig":{"io.kubernetes.cri.pod-annotations":
        {"k8s.amazonaws.com/nicConfig":"multi-nic-attachment"}})");
    CHECK(here.host.rules(net::family::ipv4).size() == 3 + 4);
    here.pod_is_gone();
    SUBCASE("by prevResult") {
        here.daemon_is_away();
        here.del(here.previous(result), false);
    }
    SUBCASE("by the daemon's answer, of what prevResult lacks") {
        remote_test::now.del = [](rpc::del_request const&, rpc::target const&) -> rpc::del_reply {
            return {.success = true,
                    .allocations = {{net::address::v4(0x0a000237), {}, 1, 2},
                                    {net::address::v4(0x0a090037), {}, 1, 10101}}};
        };
        here.del(here.previous(R"({"cniVersion":"1.0.0","ips":[{"address":"10.0.2.55/32"}]})"), false);
    }
    here.nothing_is_left();
}

} // namespace
