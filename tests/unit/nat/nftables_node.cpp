#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/backends/recording/nft_ruleset.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/nat/nftables.hpp>

#include <doctest/doctest.h>

#include <laws/node_nat_laws.hpp>

namespace {

using namespace cnix;
using recorded = backends::recording::nft;
using policy = nat::nftables<recorded>;
using journal = backends::recording::journal;

std::string state() { return recorded::ruleset().text(); }

struct fresh {
    fresh() {
        recorded::reset();
        journal::clear();
    }
    node_nat usual = laws::node_nats().front();
};

TEST_CASE_FIXTURE(fresh, "laws") { laws::node_nat_laws<policy>{state}.all(); }

TEST_CASE_FIXTURE(fresh, "golden table, one transaction, none where nothing is to be changed") {
    usual.exclusions = {*net::prefix::parse("192.0.2.7/32")};
    usual.unreachable = {*net::prefix::parse("169.254.172.0/22")};
    policy{}.set_up_node(usual);
    CHECK(state() == R"(table inet cnix {
  chain node-mark { type filter hook prerouting priority -150; }
    iifname "eth0" fib daddr . iif type local ct mark set ct mark | 0x00000080
    iifname "eni*" ct mark & 0x00000080 == 0x00000080 meta mark set meta mark | 0x00000080
    iifname "eni*" ct mark & 0x00000080 != 0x00000080 meta mark set meta mark & 0xffffff7f
    iifname "vlan*" ct mark & 0x00000080 == 0x00000080 meta mark set meta mark | 0x00000080
    iifname "vlan*" ct mark & 0x00000080 != 0x00000080 meta mark set meta mark & 0xffffff7f
  chain node-outbound { type filter hook prerouting priority -90; }
    iifname != "eni*" return
    ct state != new return
    fib daddr type local return
    ip daddr 10.0.0.0/16 return
    ip daddr 192.0.2.7 return
    meta nfproto ipv4 ct mark set ct mark | 0x00000080 meta mark set meta mark | 0x00000080
  chain node-reject { type filter hook forward priority 0; }
    ip daddr 169.254.172.0/22 ct state new reject with icmp port-unreachable
  chain node-snat { type nat hook postrouting priority 101; }
    ip daddr 10.0.0.0/16 return
    ip daddr 192.0.2.7 return
    oifname != "vlan*" fib daddr type != local snat ip to 10.0.1.10 fully-random
}
)");
    auto const once = journal::text();
    CHECK(once.find("nft -f -") == once.rfind("nft -f -"));
    journal::clear();
    policy{}.set_up_node(usual);
    CHECK(journal::text() == "");
}

TEST_CASE_FIXTURE(fresh, "external SNAT leaves the marks of NodePort, and no marks without it") {
    usual.source = {};
    policy{}.set_up_node(usual);
    CHECK(state().find("node-mark") != std::string::npos);
    CHECK(state().find("node-snat") == std::string::npos);
    CHECK(state().find("node-outbound") == std::string::npos);
    usual.node_port = false;
    policy{}.set_up_node(usual);
    CHECK(state() == "");
}

TEST_CASE_FIXTURE(
    fresh,
    "the last pod takes its table's rest away, though somebody has taken parts out, and the node stays") {
    settings<policy> masquerading;
    masquerading.config.ipMasq = true;
    auto const pod = laws::attachment("mynet", "c1");
    auto const its = laws::result({"10.22.0.5/16"});
    for (bool const with_node : {false, true}) {
        if (with_node) policy{}.set_up_node(usual);
        auto const before = state();
        cni::rollback undo;
        policy{}.add(pod, masquerading, its, undo);
        undo.commit();
        recorded{}.run("delete chain inet cnix postrouting\n");
        policy{}.del(laws::with_addresses(pod, its), masquerading);
        CHECK(state() == before);
    }
}

TEST_CASE_FIXTURE(fresh, "a table in which somebody has something else stays") {
    recorded{}.run("add table inet cnix\nadd chain inet cnix site\n");
    auto const before = state();
    policy{}.set_up_node(usual);
    CHECK_THROWS_AS(policy{}.remove_node(), cni::error);
    CHECK(state().find("site") != std::string::npos);
    recorded{}.run("delete chain inet cnix site\n");
    policy{}.remove_node();
    CHECK(state() == "");
}

TEST_CASE_FIXTURE(fresh, "check names chains that are missing, not wanted, or have other rules") {
    policy{}.set_up_node(usual);
    recorded{}.run("flush chain inet cnix node-snat\n");
    findings found;
    policy{}.check_node(usual, found);
    CHECK(found == findings{"nftables: chain inet cnix node-snat has other rules than cnix gave it: none"});
    recorded{}.run("delete chain inet cnix node-snat\n");
    found.clear();
    policy{}.check_node(usual, found);
    CHECK(found == findings{"nftables: chain inet cnix node-snat is missing"});
    policy{}.set_up_node(usual);
    usual.source = {};
    found.clear();
    policy{}.check_node(usual, found);
    CHECK(found == findings{"nftables: chain inet cnix node-outbound is not wanted any more",
                            "nftables: chain inet cnix node-snat is not wanted any more"});
}

} // namespace
