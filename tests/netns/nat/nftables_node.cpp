#include <cnix/backends/nftables.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/nat/nftables.hpp>

#include <laws/node_nat_laws.hpp>
#include <support/own_namespace.hpp>
#include <support/processes.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;
using policy = nat::nftables<backends::nftables>;

test::own_namespace const own{"nft"};

std::string ruleset() { return test::output_of({"nft", "list", "ruleset"}); }

TEST_CASE("laws") { laws::node_nat_laws<policy>{ruleset}.all(); }

TEST_CASE("golden table") {
    auto wanted = laws::node_nats().front();
    wanted.exclusions = {*net::prefix::parse("192.0.2.7/32")};
    wanted.unreachable = {*net::prefix::parse("169.254.172.0/22"), *net::prefix::parse("fd00::ac:0/118")};
    policy{}.set_up_node(wanted);
    CHECK(ruleset() == R"(table inet cnix {
	chain node-mark {
		type filter hook prerouting priority mangle; policy accept;
		iifname "eth0" fib daddr . iif type local ct mark set ct mark | 0x00000080
		iifname "eni*" ct mark & 0x00000080 == 0x00000080 meta mark set meta mark | 0x00000080
		iifname "eni*" ct mark & 0x00000080 != 0x00000080 meta mark set meta mark & 0xffffff7f
		iifname "vlan*" ct mark & 0x00000080 == 0x00000080 meta mark set meta mark | 0x00000080
		iifname "vlan*" ct mark & 0x00000080 != 0x00000080 meta mark set meta mark & 0xffffff7f
	}

	chain node-outbound {
		type filter hook prerouting priority dstnat + 10; policy accept;
		iifname != "eni*" return
		ct state != new return
		fib daddr type local return
		ip daddr 10.0.0.0/16 return
		ip daddr 192.0.2.7 return
		meta nfproto ipv4 ct mark set ct mark | 0x00000080 meta mark set meta mark | 0x00000080
	}

	chain node-snat {
		type nat hook postrouting priority srcnat + 1; policy accept;
		ip daddr 10.0.0.0/16 return
		ip daddr 192.0.2.7 return
		oifname != "vlan*" fib daddr type != local snat ip to 10.0.1.10 fully-random
	}

	chain node-reject {
		type filter hook forward priority filter; policy accept;
		ip daddr 169.254.172.0/22 ct state new reject with icmp port-unreachable
		ip6 daddr fd00::ac:0/118 ct state new reject with icmpv6 port-unreachable
	}
}
)");
    policy{}.remove_node();
    CHECK(ruleset() == "");
}

TEST_CASE("a chain whose hook another version chose is made anew") {
    auto const wanted = laws::node_nats().front();
    policy{}.set_up_node(wanted);
    auto const before = ruleset();
    test::output_of({"nft", "-f", "-"},
                    "delete chain inet cnix node-snat\nadd chain inet cnix node-snat { type nat hook "
                    "postrouting priority 50; }\n");
    findings found;
    policy{}.check_node(wanted, found);
    REQUIRE(found.size() == 2);
    CHECK(found[0] ==
          "nftables: chain inet cnix node-snat is hooked to \"postrouting\" as \"nat\" at priority 50");
    policy{}.set_up_node(wanted);
    CHECK(ruleset().size() == before.size());
    found.clear();
    policy{}.check_node(wanted, found);
    CHECK(found == findings{});
    policy{}.remove_node();
}

TEST_CASE("what stands in the table beside it stays, with the table") {
    test::output_of({"nft", "add", "table", "inet", "cnix"});
    test::output_of({"nft", "add", "chain", "inet", "cnix", "site"});
    auto const before = ruleset();
    policy{}.set_up_node(laws::node_nats().front());
    CHECK_THROWS_WITH_AS(policy{}.remove_node(),
                         "cnix: nftables: cannot delete table inet cnix: Device or resource busy",
                         cni::error);
    test::output_of({"nft", "delete", "chain", "inet", "cnix", "site"});
    policy{}.remove_node();
    CHECK(ruleset() == "");
}

TEST_CASE("set-ups, removals, and pods that come and go at once leave what the last of them wanted") {
    auto const nats = laws::node_nats();
    auto const pod = [](int i) { return laws::attachment("mynet", "c" + std::to_string(i)); };
    auto const its = [](int i) { return laws::result({"10.22.0." + std::to_string(i + 1) + "/16"}); };
    settings<policy> masquerading;
    masquerading.config.ipMasq = true;
    constexpr int rounds = 15;
    CHECK(test::failures_of(4, [&](int i) {
              for (int round = 0; round < rounds; ++round) {
                  if (i == 0) policy{}.set_up_node(nats[static_cast<std::size_t>(round) % nats.size()]);
                  if (i == 1) policy{}.remove_node();
                  if (i < 2) continue;
                  cni::rollback undo;
                  policy{}.add(pod(i), masquerading, its(i), undo);
                  undo.commit();
                  findings found;
                  policy{}.check(laws::with_addresses(pod(i), its(i)), masquerading, its(i), found);
                  if (!found.empty()) throw std::runtime_error{found.front()};
                  policy{}.del(laws::with_addresses(pod(i), its(i)), masquerading);
              }
          }) == 0);
    policy{}.set_up_node(nats.front());
    findings found;
    policy{}.check_node(nats.front(), found);
    CHECK(found == findings{});
    policy{}.remove_node();
    CHECK(ruleset() == "");
}

} // namespace
