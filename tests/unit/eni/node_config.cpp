#include <cnix/eni/node_config.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace cnix;
using eni::node_config;

std::vector<std::string> faults(std::string_view text) {
    std::vector<std::string> all;
    auto const reading = config::read<node_config>(text, config::strict);
    for (auto const& one : reading.faults)
        all.push_back(std::string{one.path.view()} + ": " + std::string{one.message.view()});
    return all;
}
using all = std::vector<std::string>;

TEST_CASE("the least that is a configuration, and its defaults") {
    auto const config = eni::read_node_config(R"({"vpcCIDRs": ["10.0.0.0/16"]})", "node.json");
    CHECK(config.mtu == 9001);
    CHECK(config.mark() == 0x80);
    CHECK_FALSE(config.strict());
    auto const nat = config.nat(*net::interface_name::parse("ens5"), net::address::parse("10.0.1.10"));
    CHECK(nat.source == net::address::parse("10.0.1.10"));
    CHECK(nat.local == std::vector{*net::prefix::parse("10.0.0.0/16")});
    CHECK(nat.exclusions.empty());
    CHECK(nat.ports == snat_ports::prng);
    CHECK(nat.node_port);
    CHECK(nat.primary_interface.view() == "ens5");
    CHECK(nat.veth_prefix == "eni");
    CHECK(nat.mark == 0x80);
    CHECK(nat.unreachable.empty());
    CHECK(nat.marks());
}

TEST_CASE("the documentation's example") {
    auto const config = eni::load_node_config(CNIX_NODE_CONFIG);
    CHECK(config.vpcCIDRs.size() == 2);
    CHECK(config.externalServiceCIDRs == std::vector{*net::prefix::parse("198.51.100.0/24")});
}

TEST_CASE("every key reaches the Nat") {
    auto const config = eni::read_node_config(
        R"({"ipv6": true, "mtu": 1500, "vpcCIDRs": ["10.0.0.0/16"], "externalSNAT": true, "excludeSNATCIDRs": ["10.1.0.0/16"],
            "randomizeSNAT": "none", "nodePortSupport": false, "connmark": "256", "externalServiceCIDRs": ["192.0.2.0/24", "2001:db8::/32"],
            "vethPrefix": "pod", "enablePodENI": true, "podSGEnforcingMode": "strict", "tcpEarlyDemux": false, "ipv4Egress": true,
            "ipv6Egress": true})",
        "node.json");
    CHECK(config.strict());
    auto const nat = config.nat(*net::interface_name::parse("eth0"), net::address::parse("10.0.1.10"));
    CHECK(nat.ipv6);
    CHECK_FALSE(nat.source);
    CHECK(nat.exclusions == std::vector{*net::prefix::parse("10.1.0.0/16")});
    CHECK(nat.ports == snat_ports::kept);
    CHECK_FALSE(nat.node_port);
    CHECK_FALSE(nat.marks());
    CHECK(nat.mark == 0x100);
    CHECK(nat.veth_prefix == "pod");
    CHECK(nat.unreachable ==
          std::vector{*net::prefix::parse("169.254.172.0/22"), *net::prefix::parse("fd00::ac:0/118")});
}

TEST_CASE("numbers of marks") {
    auto const mark = [](char const* text) { return node_config{.connmark = text}.mark(); };
    CHECK(mark("0x80") == 0x80);
    CHECK(mark("128") == 0x80);
    CHECK(mark("0XffFFffFF") == 0xffffffff);
    CHECK(mark("4294967295") == 0xffffffff);
    for (char const* const bad : {"", "0", "0x", "0x0", "-1", "0x100000000", "4294967296", "80h", "ff", " 1",
                                  "1.0", "99999999999999999999999999"})
        CHECK_MESSAGE(!mark(bad), bad);
}

TEST_CASE("each bad value is told with its key") {
    std::string const vpc = R"("vpcCIDRs": ["10.0.0.0/16"], )";
    auto const told = [&](std::string const& key, std::string const& message) {
        CHECK(faults('{' + vpc + key + '}') == all{message});
    };
    CHECK(faults("{}") ==
          all{"$.vpcCIDRs: list the VPC's networks, in which pods are known by their own addresses; where "
              "nothing is to be translated, set `externalSNAT`"});
    CHECK(faults(R"({"externalSNAT": true})") == all{});
    CHECK(faults(R"({"ipv4": false, "ipv6": true})") == all{});
    told(R"("ipv4": false)", "$.ipv4: pods have addresses of one family at least; set `ipv4` or `ipv6`");
    told(R"("mtu": 575)", "$.mtu: it is 576 to 9001");
    told(R"("mtu": 9002)", "$.mtu: it is 576 to 9001");
    told(R"("mtu": 1279, "ipv6": true)", "$.mtu: it is 1280 to 9001");
    told(R"("excludeSNATCIDRs": ["10.1.0.0/16", "fd00::/8"])",
         "$.excludeSNATCIDRs[1]: IPv6 addresses are never translated; leave it out");
    for (std::string const everything : {"0.0.0.0/0", "::/0", "192.0.2.0/0"})
        told(R"("externalServiceCIDRs": ["192.0.2.0/24", ")" + everything + "\"]",
             "$.externalServiceCIDRs[1]: everything would leave by the primary ENI, and the cloud takes no "
             "other ENI's addresses from it; list the services' networks alone");
    told(R"("randomizeSNAT": "fully")", "$.randomizeSNAT: write \"prng\", \"hashrandom\" or \"none\"");
    told(R"("connmark": "0")",
         "$.connmark: write a number of 32 bits that is not 0, such as \"0x80\" or \"128\"");
    for (std::string const taken : {"0xffffffff", "0x4000", "0x8000", "0x4080", "32768"})
        told(R"("connmark": ")" + taken + '"',
             "$.connmark: the bits 0x4000 and 0x8000 are kube-proxy's; choose another, such as \"0x80\"");
    for (std::string const free : {"0x2000", "0x10000", "0xffff3fff"})
        CHECK(faults('{' + vpc + R"("connmark": ")" + free + "\"}") == all{});
    told(R"("podSGEnforcingMode": "lenient")", "$.podSGEnforcingMode: write \"strict\" or \"standard\"");
    for (std::string const prefix : {"", "enieni", "e/i", "e+", "e*", "e\\\"", "-e", "e'", "!e"})
        told(R"("vethPrefix": ")" + prefix + '"', "$.vethPrefix: write 1 to 4 letters and digits");
    told(R"("vethPrefix": "vlan")", "$.vethPrefix: `vlan` is what other interfaces are called");
    CHECK(faults(R"({"vpcCIDRs": ["10.0.0.0"]})").size() >= 1);
    CHECK(faults('{' + vpc + R"("exludeSNATCIDRs": []})").front().find("excludeSNATCIDRs") !=
          std::string::npos);
    static_assert(!config::read<node_config>(R"({"connmark": "x"})").ok());
}

TEST_CASE("an error names the file and all faults") {
    try {
        eni::read_node_config(R"({"mtu": 1, "connmark": "0"})", "/etc/cnix/eni-node.json");
        FAIL_CHECK("it was taken");
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::invalid_network_config);
        CHECK(e.message().starts_with("invalid configuration of the node /etc/cnix/eni-node.json: "));
        for (char const* const key : {"$.mtu", "$.connmark", "$.vpcCIDRs"})
            CHECK(e.message().find(key) != std::string::npos);
    }
    CHECK_THROWS_WITH_AS(eni::load_node_config("/nonexistent"),
                         "there is no configuration of the node /nonexistent: write it, with `vpcCIDRs` at "
                         "least, or name the file with `--config FILE`",
                         cni::error);
    CHECK_THROWS_AS(eni::load_node_config("/"), std::system_error);
}

} // namespace
