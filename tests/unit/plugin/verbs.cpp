#include <cnix/plugin.hpp>

#include <doctest/doctest.h>

#include "fakes.hpp"
#include <string>
#include <vector>

/// What the engine asks of the slots, in which order, and what it makes of their failures.
namespace {

using namespace cnix;
using fakes::conf;
using fakes::now;
using fakes::request;
using strings = std::vector<std::string>;
using plugin = cnix::plugin<fakes::link, fakes::ipam, fakes::nat, fakes::ns>;
using any_plugin = cnix::plugin<fakes::link, fakes::any_ipam, fakes::nat, fakes::ns>;

struct fresh {
    fresh() { fakes::reset(); }
};

/// The error of a verb; "" and code 0 if there is none.
struct failure {
    cni::code code{};
    std::string message{};
    std::string details{};
};
template <class Verb> failure error_of(Verb&& verb) {
    try {
        verb();
    } catch (cni::error const& e) {
        return {e.code(), e.message(), e.details()};
    }
    return {};
}
template <class Plugin = plugin> failure add(cni::request const& asked) {
    return error_of([&] { fakes::added<Plugin>(asked); });
}
template <class Plugin = plugin> failure del(cni::request const& asked) {
    return error_of([&] { Plugin::del(asked); });
}
failure check(cni::request const& asked) {
    return error_of([&] { plugin::check(asked); });
}
failure gc(cni::request const& asked) {
    return error_of([&] { plugin::gc(asked); });
}
failure status(cni::request const& asked) {
    return error_of([&] { plugin::status(asked); });
}

net::address ip(std::string_view text) { return net::address::parse(text).value(); }
std::vector<net::address> ips(std::initializer_list<std::string_view> texts) {
    std::vector<net::address> all;
    for (auto const text : texts) all.push_back(ip(text));
    return all;
}

std::string const with_ipam = R"("ipam": {"type": "fake"})";
std::string const previous_result =
    R"("prevResult": {"cniVersion": "1.1.0", "interfaces": [{"name": "br0"}, {"name": "eth0", "sandbox": "/run/netns/pod"},
       {"name": "net1", "sandbox": "/run/netns/pod"}],
       "ips": [{"address": "10.1.0.7/16", "interface": 1}, {"address": "10.8.0.7/16", "interface": 2},
               {"address": "fd00::7/64"}]})";

// ADD

TEST_CASE_FIXTURE(fresh, "ADD: IPAM, link, NAT") {
    CHECK(fakes::added<plugin>(request(cni::verb::add, conf())) == R"({
    "cniVersion": "1.1.0",
    "interfaces": [
        {
            "name": "br0"
        },
        {
            "name": "eth0",
            "sandbox": "/run/netns/pod"
        }
    ],
    "ips": [
        {
            "address": "10.1.0.5/16",
            "interface": 1
        }
    ]
})");
    CHECK(now.trace == strings{"ns.open", "ipam.add", "link.add", "nat.add"});
    CHECK(now.previous.ips.front().interface == 1U); // NAT sees what the link made
}

TEST_CASE_FIXTURE(fresh, "ADD: what fails is undone, in reverse") {
    SUBCASE("IPAM") {
        now.break_down("ipam.add");
        auto const error = add(request(cni::verb::add, conf()));
        CHECK(error.message == "ipam.add broke down");
        CHECK(now.trace == strings{"ns.open", "ipam.add"});
    }
    SUBCASE("link") {
        now.fail("link.add", "no link", cni::code::try_again_later);
        auto const error = add(request(cni::verb::add, conf()));
        CHECK(error.code == cni::code::try_again_later);
        CHECK(error.message == "no link");
        CHECK(now.trace == strings{"ns.open", "ipam.add", "link.add", "undo link", "undo ipam"});
    }
    SUBCASE("NAT") {
        now.break_down("nat.add");
        auto const error = add(request(cni::verb::add, conf()));
        CHECK(error.code == cni::code::internal);
        CHECK(error.message == "nat.add broke down");
        CHECK(now.trace == strings{"ns.open", "ipam.add", "link.add", "nat.add", "undo link", "undo ipam"});
    }
    SUBCASE("NAT, and an undo") {
        now.on["nat.add"] = [] { throw cni::error{cni::code{123}, "no NAT", "because"}; };
        now.break_down("undo link");
        auto const error = add(request(cni::verb::add, conf()));
        CHECK(error.code == cni::code{123});
        CHECK(error.message == "no NAT; could not delete the interface: undo link broke down");
        CHECK(error.details == "because");
        CHECK(now.did("undo ipam"));
    }
    SUBCASE("what is printed") {
        now.lease.ips.clear(); // 0.2.0 cannot tell of it
        auto asked = request(cni::verb::add, conf(""));
        asked.version = cni::version::v0_2_0;
        CHECK(add(asked).message == "cannot convert: no valid IP addresses");
        CHECK(now.trace == strings{"ns.open", "link.add", "nat.add", "undo nat", "undo link"});
    }
}

TEST_CASE_FIXTURE(fresh, "ADD: a lease without addresses is an error") {
    now.lease.ips.clear();
    CHECK(add(request(cni::verb::add, conf())).message ==
          "IPAM plugin returned missing IP config (`ipam.type` is fake)");
    CHECK(now.trace == strings{"ns.open", "ipam.add", "undo ipam"});
}

TEST_CASE_FIXTURE(fresh, "layer 2: without an IPAM") {
    for (std::string const none : {"", R"("ipam": {})", R"("ipam": {"type": ""})", R"("ipam": null)"}) {
        fakes::reset();
        auto const asked = [&](cni::verb verb, std::string const& more = "") {
            return request(verb, conf(none + (none.empty() || more.empty() ? "" : ", ") + more));
        };
        fakes::added<plugin>(asked(cni::verb::add));
        plugin::del(asked(cni::verb::del));
        plugin::check(asked(cni::verb::check, previous_result));
        plugin::status(asked(cni::verb::status));
        plugin::gc(asked(cni::verb::gc, R"("cni.dev/valid-attachments": [])"));
        CHECK(now.trace == strings{"ns.open", "link.add", "nat.add", "ns.find", "link.inspect", "nat.del",
                                   "link.del", "ns.open", "link.check", "nat.check", "link.status",
                                   "nat.status", "nat.gc", "link.gc"});
        CHECK(now.valid->surely_garbage(ip("10.1.0.5")) == false);
    }
}

TEST_CASE_FIXTURE(fresh, "ADD: an IPAM of any type is not asked for an interface that is there") {
    now.seen.present = true;
    auto const asked = request(cni::verb::add, conf(R"("ipam": {"type": "dhcp"})"));
    CHECK(add<any_plugin>(asked).message ==
          "the interface eth0 exists already in /run/netns/pod; DEL it first, or choose "
          "another CNI_IFNAME");
    CHECK(now.trace == strings{"ns.open", "link.inspect"});
    fakes::reset();
    CHECK(add<any_plugin>(asked).message == "");
    CHECK(now.trace == strings{"ns.open", "link.inspect", "ipam.add", "link.add", "nat.add"});
}

TEST_CASE_FIXTURE(fresh, "ADD: chained after another plugin") {
    now.lease.routes = {{.dst = net::prefix::any(net::family::ipv4)}};
    now.lease.dns.nameservers = {"10.1.0.1"};
    std::string const before = R"("prevResult": {"cniVersion": "0.4.0",
        "interfaces": [{"name": "lo", "sandbox": "/x"}, {"name": "host"}],
        "ips": [{"version": "4", "address": "10.9.0.2/24", "interface": 0}],
        "routes": [{"dst": "10.8.0.0/16"}], "dns": {"nameservers": ["10.9.0.1"]}})";
    CHECK(fakes::added<plugin>(request(cni::verb::add, conf(with_ipam + ", " + before, "1.0.0"))) == R"({
    "cniVersion": "1.0.0",
    "dns": {
        "nameservers": [
            "10.1.0.1"
        ]
    },
    "interfaces": [
        {
            "name": "lo",
            "sandbox": "/x"
        },
        {
            "name": "host"
        },
        {
            "name": "br0"
        },
        {
            "name": "eth0",
            "sandbox": "/run/netns/pod"
        }
    ],
    "ips": [
        {
            "address": "10.9.0.2/24",
            "interface": 0
        },
        {
            "address": "10.1.0.5/16",
            "interface": 3
        }
    ],
    "routes": [
        {
            "dst": "10.8.0.0/16"
        },
        {
            "dst": "0.0.0.0/0"
        }
    ]
})");
    now.lease.dns = {};
    CHECK(fakes::added<plugin>(request(cni::verb::add, conf(with_ipam + ", " + before))).find("10.9.0.1") !=
          std::string::npos);
    now.trace.clear();
    auto const error = add(request(cni::verb::add, conf(with_ipam + R"(, "prevResult": {"ips": 7})")));
    CHECK(error.code == cni::code::decoding_failure);
    CHECK(error.message.find("$.prevResult.ips") != std::string::npos);
    CHECK(now.trace == strings{"ns.open"});
}

TEST_CASE_FIXTURE(fresh, "ADD: dns of the configuration takes the place of the IPAM's") {
    now.lease.dns = {.nameservers = {"10.1.0.1"}, .domain = "ipam"};
    auto const printed = [](std::string const& more) {
        auto const text = fakes::added<plugin>(request(cni::verb::add, conf(with_ipam + more)));
        auto const at = text.find("\"dns\"");
        return at == text.npos ? "" : text.substr(at, text.find('}', at) - at);
    };
    CHECK(printed("").find("10.1.0.1") != std::string::npos);
    CHECK(printed(R"(, "dns": {})").find("10.1.0.1") != std::string::npos);
    CHECK(printed(R"(, "dns": {"domain": "conf"})").find("conf") != std::string::npos);
    CHECK(printed(R"(, "dns": {"domain": "conf"})").find("10.1.0.1") == std::string::npos);
    CHECK(printed(R"(, "dns": {"nameservers": []})") == "");
}

// DEL

TEST_CASE_FIXTURE(fresh, "DEL: NAT, link, IPAM") {
    CHECK(del(request(cni::verb::del, conf())).message == "");
    CHECK(now.trace ==
          strings{"ns.find", "ipam.find", "ipam.find c1", "link.inspect", "nat.del", "link.del", "ipam.del"});
}

TEST_CASE_FIXTURE(fresh, "DEL: without a pod") {
    now.pod_exists = false;
    CHECK(del(request(cni::verb::del, conf())).message == "");
    CHECK(now.trace == strings{"ns.find", "ipam.find", "ipam.find c1", "link.inspect without a pod",
                               "nat.del", "link.del without a pod", "ipam.del"});
    now.trace.clear();
    now.pod_exists = true;
    auto asked = request(cni::verb::del, conf());
    asked.netns.clear();
    CHECK(del(asked).message == "");
    CHECK(now.did("link.del without a pod"));
}

TEST_CASE_FIXTURE(fresh, "DEL: where the addresses are known from") {
    now.found = cni::lease{.ips = {{.address = *net::prefix::parse("10.1.0.6/16")}}};
    now.seen = {.present = true, .addresses = ips({"10.1.0.8"}), .other_addresses = ips({"10.2.0.8"})};
    SUBCASE("the previous result, but not those of other interfaces") {
        del(request(cni::verb::del, conf(with_ipam + ", " + previous_result)));
        CHECK(now.addresses == ips({"10.1.0.7", "fd00::7"}));
        CHECK_FALSE(now.did("ipam.find"));
        CHECK_FALSE(now.did("link.inspect"));
    }
    SUBCASE("the IPAM") {
        del(request(cni::verb::del, conf()));
        CHECK(now.addresses == ips({"10.1.0.6"}));
        CHECK_FALSE(now.did("link.inspect"));
    }
    SUBCASE("the IPAM, with a previous result that has none, or cannot be read") {
        for (char const* const previous :
             {"{}", "null", R"({"ips": []})", R"({"ips": 7})", R"({"cniVersion": "9.0.0"})"}) {
            now.addresses.clear();
            CHECK(del(request(cni::verb::del, conf(with_ipam + R"(, "prevResult": )" + previous))).message ==
                  "");
            CHECK(now.addresses == ips({"10.1.0.6"}));
        }
    }
    SUBCASE("the pod, if the IPAM cannot tell") {
        now.found.reset();
        del(request(cni::verb::del, conf()));
        CHECK(now.addresses == ips({"10.1.0.8"}));
        CHECK(now.other_addresses == ips({"10.2.0.8"}));
    }
    SUBCASE("the pod, if the IPAM fails") {
        now.break_down("ipam.find");
        CHECK(del(request(cni::verb::del, conf())).message == "");
        CHECK(now.addresses == ips({"10.1.0.8"}));
    }
    SUBCASE("nowhere") {
        now.found.reset();
        now.break_down("link.inspect");
        CHECK(del(request(cni::verb::del, conf())).message == "");
        CHECK(now.addresses.empty());
        CHECK(now.did("ipam.del"));
    }
}

TEST_CASE_FIXTURE(fresh, "DEL: every step runs whatever fails, and all errors are told") {
    SUBCASE("NAT") {
        now.fail("nat.del", "no NAT", cni::code::try_again_later);
        auto const error = del(request(cni::verb::del, conf()));
        CHECK(error.code == cni::code::try_again_later);
        CHECK(error.message == "no NAT");
        CHECK(now.did("link.del"));
        CHECK(now.did("ipam.del"));
    }
    SUBCASE("NAT and IPAM") {
        now.on["nat.del"] = [] { throw cni::error{cni::code::internal, "no NAT", "because"}; };
        now.fail("ipam.del", "no IPAM", cni::code{123});
        auto const error = del(request(cni::verb::del, conf()));
        CHECK(error.code == cni::code::internal); // of the first
        CHECK(error.message == "no NAT (because); no IPAM");
        CHECK(now.did("link.del"));
    }
    SUBCASE("an address that the interface may still use is not released") {
        now.break_down("link.del");
        now.break_down("nat.del");
        CHECK(del(request(cni::verb::del, conf())).message == "nat.del broke down; link.del broke down");
        CHECK_FALSE(now.did("ipam.del"));
    }
}

TEST_CASE_FIXTURE(fresh, "DEL: another IPAM's address is not released, and that is told") {
    now.seen.addresses = ips({"10.1.0.8"});
    auto const asked = request(cni::verb::del, conf(R"("ipam": {"type": "dhcp"})"));
    auto const error = del(asked);
    CHECK(error.code == cni::code::invalid_network_config);
    CHECK(error.message ==
          "the address was not released: `ipam.type` is \"dhcp\", and this plugin's is \"fake\"; DEL with "
          "`bridge-delegate`, or the plugin that ADDed it");
    CHECK(now.trace == strings{"ns.find", "link.inspect", "nat.del", "link.del"});
    CHECK(now.addresses == ips({"10.1.0.8"}));
    fakes::reset();
    CHECK(del<any_plugin>(asked).message == "");
    CHECK(now.did("ipam.del"));
}

// CHECK

TEST_CASE_FIXTURE(fresh, "CHECK: all findings of all slots in one error") {
    auto const asked = request(cni::verb::check, conf(with_ipam + ", " + previous_result));
    CHECK(check(asked).message == "");
    CHECK(now.trace == strings{"ns.open", "ipam.check", "link.check", "nat.check"});
    CHECK(now.addresses == ips({"10.1.0.7", "fd00::7"}));
    CHECK(now.previous.ips.size() == 3);
    now.trace.clear();
    now.finds = {{"ipam.check", "no lease"}, {"link.check", "no link"}, {"nat.check", "no rule"}};
    now.break_down("link.check"); // after it has found something
    auto const error = check(asked);
    CHECK(error.code == cni::code::internal);
    CHECK(error.message == "no lease; no link; link.check broke down; no rule");
    CHECK(now.trace == strings{"ns.open", "ipam.check", "link.check", "nat.check"});
}

TEST_CASE_FIXTURE(fresh, "CHECK: needs a previous result and a pod") {
    auto const error = check(request(cni::verb::check, conf()));
    CHECK(error.code == cni::code::invalid_network_config);
    CHECK(error.message == "Required prevResult missing");
    CHECK(now.trace == strings{"ns.open"});
    now.pod_exists = false;
    CHECK(check(request(cni::verb::check, conf(with_ipam + ", " + previous_result))).code ==
          cni::code::invalid_netns);
}

// GC

std::string const valid_list =
    R"("cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}, {"containerID": "c2", "ifname": "eth0"}])";

TEST_CASE_FIXTURE(fresh, "GC: every slot gets the list") {
    CHECK(gc(request(cni::verb::gc, conf(with_ipam + ", " + valid_list))).message == "");
    CHECK(now.did("ipam.gc"));
    CHECK(now.did("link.gc"));
    CHECK(now.did("nat.gc"));
    REQUIRE(now.valid);
    CHECK(now.valid->contains("c1", "eth0"));
    CHECK(now.valid->contains("c2", "eth0"));
    CHECK_FALSE(now.valid->contains("c1", "eth1"));
}

TEST_CASE_FIXTURE(fresh, "GC: without a list nothing is garbage") {
    auto const error = gc(request(cni::verb::gc, conf()));
    CHECK(error.code == cni::code::invalid_network_config);
    CHECK(error.message ==
          "GC needs the list `cni.dev/valid-attachments`; without it every attachment would be garbage");
    CHECK(now.trace.empty());
    CHECK(gc(request(cni::verb::gc, conf(R"("cni.dev/valid-attachments": [])"))).message == "");
}

TEST_CASE_FIXTURE(fresh, "GC: what fails in a slot does not keep the others from it") {
    now.break_down("nat.gc");
    now.break_down("ipam.gc");
    auto const error = gc(request(cni::verb::gc, conf(with_ipam + ", " + valid_list)));
    CHECK(error.code == cni::code::internal);
    CHECK(error.message == "nat.gc broke down; ipam.gc broke down");
    CHECK(now.did("link.gc"));
}

TEST_CASE_FIXTURE(fresh, "GC: no address is released while an interface may use it") {
    auto const asked = request(cni::verb::gc, conf(with_ipam + ", " + valid_list));
    std::string link_failure;
    SUBCASE("the link says what it could not do") {
        link_failure = now.finds["link.gc"] = "could not delete veth1";
    }
    SUBCASE("the link throws") {
        now.break_down("link.gc");
        link_failure = "link.gc broke down";
    }
    CHECK(gc(asked).message ==
          link_failure + "; no address was released: interfaces that may use them are left");
    CHECK_FALSE(now.did("ipam.gc"));
    CHECK(error_of([&] { any_plugin::gc(asked); }).message == link_failure);
    CHECK(now.did("ipam.gc")); // a delegate has its own list
}

TEST_CASE_FIXTURE(fresh, "GC: another IPAM's addresses are not released, and that is told") {
    auto const asked = request(cni::verb::gc, conf(R"("ipam": {"type": "dhcp"}, )" + valid_list));
    CHECK(gc(asked).message ==
          "no address was released: `ipam.type` is \"dhcp\", and this plugin's is \"fake\"");
    CHECK(now.trace == strings{"nat.gc", "link.gc"});
    any_plugin::gc(asked);
    CHECK(now.did("ipam.gc"));
}

TEST_CASE_FIXTURE(fresh, "ADD: a result that cannot be printed is taken back") {
    auto const error = error_of([] {
        plugin::add(request(cni::verb::add, conf(with_ipam)),
                    [](std::string const&) { throw cni::error{cni::code::io_failure, "nobody reads"}; });
    });
    CHECK(error.code == cni::code::io_failure);
    CHECK(error.message == "nobody reads");
    CHECK(now.did("undo nat"));
    CHECK(now.did("undo link"));
    CHECK(now.did("undo ipam"));
}

TEST_CASE_FIXTURE(fresh, "GC: an address is surely garbage only if all valid ones are known") {
    auto const asked = request(cni::verb::gc, conf(with_ipam + ", " + valid_list));
    auto const found = [](std::string const& address) {
        return [=] { now.found = cni::lease{.ips = {{.address = *net::prefix::parse(address)}}}; };
    };
    now.on["ipam.find c1"] = found("10.1.0.1/16");
    now.on["ipam.find c2"] = found("10.1.0.2/16");
    SUBCASE("all are known") {
        gc(asked);
        CHECK(now.valid->surely_garbage(ip("10.1.0.3")));
        CHECK_FALSE(now.valid->surely_garbage(ip("10.1.0.1")));
        CHECK_FALSE(now.valid->surely_garbage(ip("10.1.0.2")));
    }
    SUBCASE("one is not known") {
        now.on["ipam.find c2"] = [] { now.found.reset(); };
        gc(asked);
        CHECK_FALSE(now.valid->surely_garbage(ip("10.1.0.3")));
    }
    SUBCASE("one cannot be asked for") {
        now.break_down("ipam.find c2");
        CHECK(gc(asked).message == "");
        CHECK_FALSE(now.valid->surely_garbage(ip("10.1.0.3")));
    }
}

// STATUS

TEST_CASE_FIXTURE(fresh, "STATUS: every slot is asked; not available is code 50") {
    CHECK(status(request(cni::verb::status, conf())).message == "");
    CHECK(now.trace == strings{"ipam.status", "link.status", "nat.status"});
    now.finds["ipam.status"] = "no address is left";
    now.break_down("link.status");
    now.finds["nat.status"] = "no nftables";
    auto const error = status(request(cni::verb::status, conf()));
    CHECK(error.code == cni::code::plugin_not_available);
    CHECK(error.message == "no address is left; link.status broke down; no nftables");
}

TEST_CASE_FIXTURE(fresh, "STATUS: the slots are told what addresses an ADD gives") {
    CHECK(status(request(cni::verb::status, conf())).message == ""); // it cannot tell
    CHECK(now.told_expected.empty());
    now.expected = now.lease;
    CHECK(status(request(cni::verb::status, conf())).message == "");
    REQUIRE(now.told_expected.size() == 1);
    CHECK(now.told_expected == now.lease.ips);
    CHECK(status(request(cni::verb::status, conf(""))).message == "");
    CHECK(now.told_expected.empty());
    now.told_expected = now.lease.ips;
    any_plugin::status(request(cni::verb::status, conf()));
    CHECK(now.told_expected.empty());
}

// The pod's namespace

TEST_CASE_FIXTURE(fresh, "the plugin's own namespace is refused before anything is done") {
    now.own_netns = true;
    std::string const text = conf(with_ipam + ", " + previous_result);
    auto const refused = [](failure const& error) {
        CHECK(error.code == cni::code::invalid_netns);
        CHECK(error.message == "plugin's netns and netns from CNI_NETNS should not be the same");
        CHECK(error.details == "CNI_NETNS is /run/netns/pod; CNI_NETNS_OVERRIDE=1 allows it");
        CHECK(now.trace.size() == 1);
        now.trace.clear();
    };
    refused(add(request(cni::verb::add, text)));
    refused(check(request(cni::verb::check, text)));
    refused(del(request(cni::verb::del, text)));
    auto asked = request(cni::verb::add, text);
    asked.netns_override = true;
    CHECK(add(asked).message == "");
    asked.verb = cni::verb::check;
    CHECK(check(asked).message == "");
    asked.verb = cni::verb::del;
    CHECK(del(asked).message == "");
}

TEST_CASE_FIXTURE(fresh, "ADD: a namespace that is not there") {
    now.pod_exists = false;
    CHECK(add(request(cni::verb::add, conf())).code == cni::code::invalid_netns);
    CHECK(now.trace == strings{"ns.open"});
}

// An Ipam by itself

using alone = ipam_plugin<fakes::ipam>;

TEST_CASE_FIXTURE(fresh, "an IPAM plugin: each verb is the Ipam's") {
    std::string const text = conf(with_ipam + ", " + valid_list + ", " + previous_result);
    now.lease.ips.front().gateway = ip("10.1.0.1");
    CHECK(fakes::added<alone>(request(cni::verb::add, text)) == R"({
    "cniVersion": "1.1.0",
    "ips": [
        {
            "address": "10.1.0.5/16",
            "gateway": "10.1.0.1"
        }
    ]
})");
    alone::check(request(cni::verb::check, text));
    CHECK(now.previous.ips.size() == 3);
    alone::check(request(cni::verb::check, conf())); // without a previous result
    alone::del(request(cni::verb::del, text));
    alone::status(request(cni::verb::status, text));
    CHECK(now.trace == strings{"ipam.add", "ipam.check", "ipam.check", "ipam.del", "ipam.status"});
    alone::gc(request(cni::verb::gc, text));
    CHECK(now.did("ipam.gc"));
    now.finds["ipam.check"] = "no lease";
    CHECK(error_of([&] { alone::check(request(cni::verb::check, text)); }).message == "no lease");
    now.finds["ipam.status"] = "full";
    CHECK(error_of([&] { alone::status(request(cni::verb::status, text)); }).code ==
          cni::code::plugin_not_available);
}

TEST_CASE_FIXTURE(fresh, "an IPAM plugin: needs an IPAM to be configured, and its own") {
    auto const error = error_of([] { fakes::added<alone>(request(cni::verb::add, conf(""))); });
    CHECK(error.code == cni::code::invalid_network_config);
    CHECK(error.message == "IPAM config missing 'ipam' key");
    CHECK(error_of([] { alone::del(request(cni::verb::del, conf(""))); }).message == error.message);
    CHECK(error_of([] {
              fakes::added<alone>(request(cni::verb::add, conf(R"("ipam": {"type": "dhcp"})")));
          }).code == cni::code::invalid_network_config);
    CHECK(now.trace.empty());
}

} // namespace
