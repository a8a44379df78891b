#include <cnix/backends/iptables.hpp>
#include <cnix/nat/iptables.hpp>

#include <boost/algorithm/string/join.hpp>

#include <laws/node_nat_laws.hpp>
#include <set>
#include <support/iptables_flavour.hpp>
#include <support/own_namespace.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;
using policy = nat::iptables<backends::iptables>;

test::own_namespace const own{"iptables-save", "ip6tables-save"};

/// All rules and own chains; their order is of no matter here.
std::string state() {
    std::multiset<std::string> lines;
    for (std::string const program : {"iptables-save", "ip6tables-save"}) {
        auto const text = test::output_of({program});
        for (std::size_t begin = 0; begin < text.size();) {
            auto const end = std::min(text.find('\n', begin), text.size());
            auto const line = text.substr(begin, end - begin);
            if (line.starts_with("-A ") || line.find(" - [") != line.npos)
                lines.insert(program + ' ' + line.substr(0, line.find(" - [")));
            begin = end + 1;
        }
    }
    return boost::algorithm::join(lines, "\n");
}

void golden() {
    auto wanted = laws::node_nats().front();
    wanted.exclusions = {*net::prefix::parse("10.1.0.0/16"), *net::prefix::parse("0.0.0.0/0")};
    wanted.unreachable = {*net::prefix::parse("169.254.172.0/22")};
    policy{}.set_up_node(wanted);
    // eni.md of the reference, 4.2, and as iptables-save prints it
    for (
        std::string const line : {
            R"(-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0)",
            R"(-A AWS-SNAT-CHAIN-0 -d 10.1.0.0/16 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN)",
            R"(-A AWS-SNAT-CHAIN-0 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN)",
            R"(-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN)",
            R"(-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL )"
            R"(-j SNAT --to-source 10.0.1.10 --random-fully)",
            R"(-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL )"
            R"(--limit-iface-in -j CONNMARK --set-xmark 0x80/0x80)",
            R"(-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark )"
            R"(--nfmask 0x80 --ctmask 0x80)",
            R"(-A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark )"
            R"(--nfmask 0x80 --ctmask 0x80)",
            R"(-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0)",
            R"(-A AWS-CONNMARK-CHAIN-0 -d 10.1.0.0/16 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN)",
            R"(-A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN)",
            R"(-A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80)",
            R"(-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 )"
            R"(--ctmask 0x80)",
            R"(-A FORWARD -d 169.254.172.0/22 -m conntrack --ctstate NEW -m comment --comment )"
            R"("Block Node Local Pod access via IPv4" -j REJECT --reject-with icmp-port-unreachable)",
        })
        CHECK_MESSAGE(('\n' + state() + '\n').find("iptables-save " + line + '\n') != std::string::npos,
                      line);
    policy{}.remove_node();
}

TEST_CASE("laws") { laws::node_nat_laws<policy>{state, 3}.all(); }

TEST_CASE("the rules as iptables-save prints them") { golden(); }

TEST_CASE("what another wrote in its own spelling is as good") {
    auto const wanted = laws::node_nats().front();
    test::output_of({"iptables-restore", "--noflush"}, R"(*nat
:AWS-SNAT-CHAIN-0 - [0:0]
:AWS-CONNMARK-CHAIN-0 - [0:0]
-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
-A AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 10.0.1.10 --random-fully
-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0
-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --mask 0x80
-A AWS-CONNMARK-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN
-A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80
COMMIT
*mangle
-A PREROUTING -m comment --comment "AWS, primary ENI" -i eth0 -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-mark 0x80/0x80
-A PREROUTING -m comment --comment "AWS, primary ENI" -i eni+ -j CONNMARK --restore-mark --mask 0x80
-A PREROUTING -m comment --comment "AWS, primary ENI" -i vlan+ -j CONNMARK --restore-mark --mask 0x80
COMMIT
)");
    findings found;
    policy{}.check_node(wanted, found);
    CHECK_MESSAGE(found.empty(), boost::algorithm::join(found, "; "));
    policy{}.remove_node();
    CHECK(state().find("AWS") == std::string::npos);
}

TEST_CASE("with iptables-legacy") { // the last test: from here on the kernel has the legacy tables
    if (!test::has_iptables_legacy()) {
        MESSAGE("skipped: the kernel or the node has no legacy iptables");
        return;
    }
    test::iptables_flavour const legacy{"/usr/sbin/xtables-legacy-multi"};
    laws::node_nat_laws<policy>{state, 5}.all();
    golden();
}

} // namespace
