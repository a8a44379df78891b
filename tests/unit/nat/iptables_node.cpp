#include <cnix/backends/iptables.hpp>
#include <cnix/backends/recording.hpp>
#include <cnix/backends/recording/iptables.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/nat/iptables.ipp>

#include <boost/algorithm/string/join.hpp>
#include <doctest/doctest.h>

#include <laws/node_nat_laws.hpp>
#include <set>
#include <string>

namespace {

using namespace cnix;
using recorded = backends::recording::iptables<backends::iptables>;
using policy = nat::iptables<recorded>;
using journal = backends::recording::journal;

/// All rules and own chains of all tables; their order is of no matter but where a test says so.
std::string state() {
    std::multiset<std::string> lines;
    for (auto const family : {net::family::ipv4, net::family::ipv6})
        for (auto const table : {ipt::table::nat, ipt::table::mangle, ipt::table::filter})
            for (auto const& line : recorded{}.save(family, table))
                if (line.starts_with("-A ") || line.find(" - [") != line.npos)
                    lines.insert(std::string{ipt::program(family)} + ' ' + std::string{ipt::text(table)} +
                                 ' ' + line + "\n");
    return boost::algorithm::join(lines, "");
}
findings check(node_nat const& wanted) {
    findings found;
    policy{}.check_node(wanted, found);
    return found;
}

struct fresh {
    fresh() {
        recorded::reset();
        journal::clear();
    }
    node_nat usual = laws::node_nats().front();
};

TEST_CASE_FIXTURE(fresh, "laws") { laws::node_nat_laws<policy>{state}.all(); }

TEST_CASE_FIXTURE(
    fresh, "the chains and rules of upstream, one restore a table, none where nothing is to be changed") {
    usual.exclusions = {*net::prefix::parse("10.1.0.9/16")};
    policy{}.set_up_node(usual);
    CHECK(journal::text() == R"(iptables-restore --noflush --wait <<'END'
*nat
-N AWS-SNAT-CHAIN-0
-A AWS-SNAT-CHAIN-0 -d 10.1.0.0/16 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN
-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 10.0.1.10 --random-fully
-N AWS-CONNMARK-CHAIN-0
-A AWS-CONNMARK-CHAIN-0 -d 10.1.0.0/16 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN
-A AWS-CONNMARK-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN
-A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80
-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0
-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
COMMIT
END
iptables-restore --noflush --wait <<'END'
*mangle
-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80
-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
-A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
COMMIT
END
)");
    journal::clear();
    policy{}.set_up_node(usual);
    CHECK(journal::text() == "");

    usual.source = {};
    policy{}.set_up_node(usual);
    CHECK_MESSAGE(recorded{}.save(net::family::ipv4, ipt::table::nat).size() == 6,
                  "external SNAT: nothing in nat");
    CHECK(journal::text().find("*mangle") == std::string::npos);
    usual.node_port = false;
    policy{}.set_up_node(usual);
    CHECK(state() == "");
}

TEST_CASE_FIXTURE(fresh, "what reaches node-local pods is refused before all else") {
    recorded{}.restore(net::family::ipv4, ipt::table::filter, "-A FORWARD -j ACCEPT\n");
    usual.unreachable = {*net::prefix::parse("169.254.172.0/22"), *net::prefix::parse("fd00::ac:0/118")};
    policy{}.set_up_node(usual);
    auto const filter = recorded{}.save(net::family::ipv4, ipt::table::filter);
    CHECK(filter[filter.size() - 3] ==
          R"(-A FORWARD -d 169.254.172.0/22 -m conntrack --ctstate NEW -m comment --comment )"
          R"("Block Node Local Pod access via IPv4" -j REJECT --reject-with icmp-port-unreachable)");
    CHECK(filter[filter.size() - 2] == "-A FORWARD -j ACCEPT");
    CHECK(
        state().find(R"(ip6tables filter -A FORWARD -d fd00::ac:0/118 -m conntrack --ctstate NEW -m comment )"
                     R"(--comment "Block Node Local Pod access via IPv6" -j REJECT --reject-with )"
                     R"(icmp6-port-unreachable)") != std::string::npos);
    recorded{}.restore(net::family::ipv4, ipt::table::filter, "-I FORWARD 1 -j ACCEPT\n");
    auto const before = state();
    policy{}.set_up_node(usual);
    CHECK_MESSAGE(state() == before, "whoever came before it since has a reason");
}

TEST_CASE_FIXTURE(fresh, "upstream's own rules, whose networks stand the other way round, are as good") {
    usual.local.push_back(*net::prefix::parse("10.2.0.0/16"));
    policy{}.set_up_node(usual);
    recorded{}.restore(net::family::ipv4, ipt::table::nat,
                       R"(-D AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
-I AWS-SNAT-CHAIN-0 1 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
-D AWS-SNAT-CHAIN-0 -d 10.2.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
-I AWS-SNAT-CHAIN-0 1 -d 10.2.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
)");
    auto const before = state();
    CHECK(check(usual) == findings{});
    policy{}.set_up_node(usual);
    CHECK(state() == before);
}

TEST_CASE_FIXTURE(fresh, "chains of upstream's old versions go, each of which led to the next") {
    std::string const old = R"(-N AWS-SNAT-CHAIN-0
-N AWS-SNAT-CHAIN-1
-N AWS-SNAT-CHAIN-2
-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
-A AWS-SNAT-CHAIN-0 ! -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-1
-A AWS-SNAT-CHAIN-1 ! -d 10.1.0.0/16 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j AWS-SNAT-CHAIN-2
-A AWS-SNAT-CHAIN-2 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 10.0.1.10 --random-fully
-N AWS-CONNMARK-CHAIN-0
-N AWS-CONNMARK-CHAIN-1
-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -m state --state NEW -j AWS-CONNMARK-CHAIN-0
-A AWS-CONNMARK-CHAIN-0 ! -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN, VPC CIDR" -j AWS-CONNMARK-CHAIN-1
-A AWS-CONNMARK-CHAIN-1 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80
-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
)";
    policy{}.set_up_node(usual);
    auto const wanted = state();
    policy{}.remove_node();
    recorded{}.restore(net::family::ipv4, ipt::table::nat, old);
    CHECK(boost::algorithm::join(check(usual), "\n").find("chain AWS-SNAT-CHAIN-2") != std::string::npos);
    policy{}.set_up_node(usual);
    CHECK(state() == wanted);
    CHECK(check(usual) == findings{});
    policy{}.remove_node();
    CHECK(state() == "");
}

TEST_CASE_FIXTURE(fresh, "the mark is restored last, whoever has come behind") {
    policy{}.set_up_node(usual);
    recorded{}.restore(net::family::ipv4, ipt::table::nat,
                       "-N docker\n-A PREROUTING -m addrtype --dst-type LOCAL -j docker\n");
    CHECK(check(usual) ==
          findings{
              "iptables: not the last of its chain in table nat: -A PREROUTING -m comment --comment \"AWS, "
              "CONNMARK\" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80"});
    policy{}.set_up_node(usual);
    CHECK(check(usual) == findings{});
    auto const nat = recorded{}.save(net::family::ipv4, ipt::table::nat);
    std::vector<std::string> prerouting;
    for (auto const& line : nat)
        if (line.starts_with("-A PREROUTING")) prerouting.push_back(line);
    REQUIRE(prerouting.size() == 3);
    CHECK(prerouting[1].ends_with("-j docker"));
    CHECK(prerouting[2].find("--restore-mark") != std::string::npos);
    policy{}.remove_node();
    CHECK(state() == "iptables nat -A PREROUTING -m addrtype --dst-type LOCAL -j docker\n"
                     "iptables nat :docker - [0:0]\n");
}

TEST_CASE_FIXTURE(fresh, "check names what is missing, what is wrong, and what is there twice") {
    policy{}.set_up_node(usual);
    std::string const jump = R"(POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0)";
    recorded{}.restore(net::family::ipv4, ipt::table::nat, "-A " + jump + '\n');
    CHECK(check(usual) == findings{"iptables: not wanted any more in table nat: -A " + jump});
    policy{}.set_up_node(usual);
    CHECK(check(usual) == findings{});
    recorded{}.restore(net::family::ipv4, ipt::table::nat, "-D " + jump + '\n');
    CHECK(check(usual) == findings{"iptables: missing in table nat: -A " + jump});
    recorded{}.restore(net::family::ipv4, ipt::table::nat,
                       "-F AWS-CONNMARK-CHAIN-0\n-A AWS-CONNMARK-CHAIN-0 -j RETURN\n");
    auto const found = check(usual);
    REQUIRE(found.size() == 3);
    CHECK(found[1] == "iptables: missing in table nat: -A AWS-CONNMARK-CHAIN-0 -d 10.0.0.0/16 -m comment "
                      "--comment \"AWS CONNMARK CHAIN\" -j RETURN");
    CHECK(found[2] == "iptables: missing as the last rule in table nat: -A AWS-CONNMARK-CHAIN-0 -m comment "
                      "--comment \"AWS, CONNMARK\" -j CONNMARK --set-xmark 0x80/0x80");
}

/// An iptables that knows no --random-fully.
struct old_iptables : recorded {
    void restore(net::family family, ipt::table table, std::string_view commands) {
        ++restores;
        if (commands.find("--random-fully") != commands.npos)
            throw cni::error{cni::code::internal, "unknown option \"--random-fully\""};
        recorded::restore(family, table, commands);
    }
    static inline int restores = 0;
};

TEST_CASE_FIXTURE(fresh, "an old iptables gets --random") {
    using old = nat::iptables<old_iptables>;
    old{}.set_up_node(usual);
    auto const before = state();
    CHECK(before.find("--to-source 10.0.1.10 --random\n") != std::string::npos);
    CHECK(before.find("--random-fully") == std::string::npos);
    findings found;
    old{}.check_node(usual, found);
    CHECK(found == findings{});
    journal::clear();
    old{}.set_up_node(usual);
    CHECK(journal::text() == "");
    policy{}.set_up_node(usual); // iptables was updated
    CHECK(state().find("--random-fully") != std::string::npos);
}

TEST_CASE_FIXTURE(fresh, "what is refused is tried again, and told in the program's words") {
    struct refusing : recorded {
        void restore(net::family, ipt::table, std::string_view) {
            throw cni::error{cni::code::internal, "cnix: iptables: no"};
        }
    };
    CHECK_THROWS_WITH(nat::iptables<refusing>{}.set_up_node(usual), "cnix: iptables: no");
    policy{}.set_up_node(usual);
    CHECK_THROWS_WITH(nat::iptables<refusing>{}.remove_node(), "cnix: iptables: no");
}

TEST_CASE_FIXTURE(fresh, "what is refused since others changed the table meanwhile is no refusal") {
    static int others;
    struct raced : recorded {
        void restore(net::family family, ipt::table table, std::string_view commands) {
            if (others == 0) return recorded::restore(family, table, commands);
            node_nat other = laws::node_nats().front();
            other.exclusions = {*net::prefix::parse("10.9.0." + std::to_string(others--) + "/32")};
            policy{}.set_up_node(other);
            throw cni::error{cni::code::internal, "cnix: iptables: no"};
        }
    };
    policy{}.set_up_node(usual);
    auto const expected = state();
    policy{}.remove_node();
    others = 7;
    nat::iptables<raced>{}.set_up_node(usual);
    CHECK(others == 0);
    CHECK(state() == expected);
}

} // namespace
