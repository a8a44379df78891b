#include <cnix/config/read.hpp>
#include <cnix/ipam/remote.hpp>

#include "remote_fixture.hpp"
#include <laws/ipam_laws.hpp>
#include <memory>
#include <thread>

using namespace remote_test;
using strings = std::vector<std::string>;

namespace {

TEST_CASE("remote keeps the laws of an Ipam, as far as its daemon's protocol can") {
    laws::ipam_laws<node<>::ipam>{[] {
        auto const here = std::make_shared<node<>>();
        laws::ipam_subject<node<>::ipam> subject{here->keys};
        subject.trace = [here] {
            std::string text;
            for (auto const& [key, one] : now.held) text += key + '=' + one.ipv4->str() + '\n';
            return text + std::to_string(here->waiting());
        };
        subject.finds = false;       // it cannot be asked
        subject.gives_again = true;  // the same addresses, which
        subject.keeps_first = false; // nobody can tell from new ones
        subject.checks = false;
        subject.collects = false;
        return subject;
    }}.all();
}

TEST_CASE_FIXTURE(node<>, "what the daemon is asked, and where") {
    CHECK(add().ips == std::vector<cni::ip>{{*net::prefix::parse("10.0.2.9/32")}});
    CHECK(now.last.endpoint.str() == "unix:///var/run/aws-node/ipamd.sock");
    CHECK(now.last.within <= std::chrono::seconds{5});
    CHECK(now.last.within > std::chrono::seconds{4});
    CHECK(now.added.pod.name == "nginx");
    CHECK(now.added.pod.name_space == "default");
    CHECK(now.added.pod.infra_container == "c1");
    CHECK(now.added.pod.container == "c1");
    CHECK(now.added.pod.network == "net");
    CHECK(now.added.pod.interface == "eth0");
    CHECK(now.added.netns == "/var/run/netns/pod");
    CHECK_FALSE(now.added.multi_nic);

    keys.config.endpoint = rpc::endpoint::parse("127.0.0.1:50051");
    keys.config.deadline = 9;
    keys.runtime.pod_annotations = {{"k8s.amazonaws.com/nicConfig", "multi-nic-attachment"}};
    del();
    CHECK(now.deleted.uid == "5e6f");
    CHECK(now.deleted.reason == "PodDeleted");
    CHECK(now.last.endpoint.str() == "127.0.0.1:50051");
    CHECK(now.last.within == std::chrono::seconds{9});
    add();
    CHECK(now.added.multi_nic);
    CHECK_FALSE(std::filesystem::exists(root + "/spool")); // never touched while all is well
}

TEST_CASE("older generations listen elsewhere") {
    node<rpc::v1_7> here;
    here.add();
    CHECK(now.last.endpoint.str() == "127.0.0.1:50051");
}

TEST_CASE("the keys of its configuration") {
    auto const read = [](std::string_view text) {
        return config::read<ipam::remote_config>(text, config::strict);
    };
    auto const all = read(
        R"({"type": "remote", "endpoint": "unix:///a", "deadline": 120, "spool": "/s", "policyAgent": "[::1]:2"})");
    CHECK(all.ok());
    CHECK(all.value.endpoint->path() == "/a");
    CHECK(all.value.policyAgent->port() == 2);
    CHECK(all.value.within() == std::chrono::seconds{120});
    CHECK(all.value.spool_directory() == "/s");
    CHECK(read("{}").value.spool_directory() == "/var/run/aws-node/cnix-spool");
    for (auto const* bad :
         {R"({"deadline": 0})", R"({"deadline": 121})", R"({"deadline": -1})", R"({"deadline": "5"})",
          R"({"spool": "s"})", R"({"spool": "/s\u0000"})", R"({"endpoint": "localhost:1"})",
          R"({"policyAgent": "/run/x"})", R"({"socket": "x"})"}) {
        CAPTURE(bad);
        CHECK_FALSE(read(bad).ok());
    }
    CHECK(read(R"({"deadline": 0})").value.within() == std::chrono::seconds{1}); // a DEL goes on with it
    CHECK(read(R"({"deadline": 4000000000})").value.within() == std::chrono::seconds{120});

    auto const runtime = [](std::string_view text) {
        auto const keys = config::read<ipam::remote_runtime_config>(text);
        CHECK(keys.ok());
        return keys.value.multi_nic();
    };
    CHECK(runtime(
        R"({"io.kubernetes.cri.pod-annotations": {"a": "b", "k8s.amazonaws.com/nicConfig": "multi-nic-attachment"}})"));
    CHECK_FALSE(runtime(R"({"io.kubernetes.cri.pod-annotations": {"k8s.amazonaws.com/nicConfig": "none"}})"));
    CHECK_FALSE(runtime(R"({"io.kubernetes.cri.pod-annotations": {}})"));
    CHECK_FALSE(runtime("{}"));
}

void ask_for_each_card(auto& node) {
    node.keys.runtime.pod_annotations = {{"k8s.amazonaws.com/nicConfig", "multi-nic-attachment"}};
}
/// The lease of an answer.
template <class Generation = rpc::v1_20> ipam::remote_lease leased(rpc::add_reply reply) {
    node<Generation> here;
    if (reply.allocations.size() > 1) ask_for_each_card(here);
    reply.success = true;
    now.add = [&](auto const&, auto const&) { return reply; };
    return here.add();
}
auto ip(std::string_view text) { return net::address::parse(text); }

TEST_CASE("what the daemon answers") {
    auto const both = leased({.allocations = {{ip("10.0.2.5"), ip("fd00::5"), 1, 2}}});
    CHECK(both.ips ==
          std::vector<cni::ip>{{*net::prefix::parse("10.0.2.5/32")}, {*net::prefix::parse("fd00::5/128")}});
    CHECK(both.allocations == std::vector<eni::allocation>{{{*ip("10.0.2.5"), *ip("fd00::5")}, 1, 2}});
    CHECK_FALSE(both.branch);

    CHECK(leased({.allocations = {{ip("10.0.2.5"), {}, 0, 254}}}).allocations[0].table == eni::main_table);
    CHECK(leased({.allocations = {{ip("10.0.2.5"), {}, 0, 1}}}).allocations[0].table == eni::main_table);
    CHECK(leased({.allocations = {{ip("10.0.2.5"), {}, 0, 0}}}).allocations[0].table == eni::main_table);
    auto const two = leased({.allocations = {{ip("10.0.2.5"), {}, 0, 254}, {ip("10.0.9.5"), {}, 1, 10101}}});
    CHECK(two.allocations.size() == 2);
    CHECK(two.allocations[1].table == 10101);
    CHECK(two.ips.size() == 2);
    // of other network cards, by today's formula and by upstream's former one
    for (int const table : {10100, 17, 4})
        CHECK(leased({.allocations = {{ip("10.0.2.5"), {}, 0, 254}, {ip("10.0.9.5"), {}, table % 2, table}}})
                  .allocations[1]
                  .table == static_cast<unsigned>(table));

    // Tables are not on the wire before v1.20.
    CHECK(leased<rpc::v1_10>({.allocations = {{ip("10.0.2.5"), {}, 3, 0}}}).allocations[0].table == 4);
    CHECK(leased<rpc::v1_7>({.allocations = {{ip("10.0.2.5"), {}, 0, 0}}}).allocations[0].table ==
          eni::main_table);
}

TEST_CASE("a branch ENI") {
    auto const lease = leased({.allocations = {{ip("10.0.2.5"), {}, -1, 0}},
                               .vlan = 101,
                               .branch_mac = net::mac::parse("02:42:ac:11:00:02"),
                               .branch_gateway = ip("10.0.2.1"),
                               .trunk = 3});
    CHECK(lease.branch == eni::branch{101, *net::mac::parse("02:42:ac:11:00:02"), *ip("10.0.2.1"), 3});
    CHECK(lease.allocations == std::vector<eni::allocation>{{{*ip("10.0.2.5")}, -1, 201}});
}

TEST_CASE("answers that make no sense are refused, and what was given is given back") {
    rpc::add_reply const branch{.allocations = {{ip("10.0.2.5"), {}, -1, 0}},
                                .vlan = 101,
                                .branch_mac = net::mac::parse("02:42:ac:11:00:02"),
                                .branch_gateway = ip("10.0.2.1"),
                                .trunk = 3};
    auto const changed = [&](auto change) {
        auto reply = branch;
        change(reply);
        return reply;
    };
    struct {
        rpc::add_reply reply;
        std::string_view why;
    } const nonsense[]{
        {{}, "there is no address in it"},
        {{.allocations = {{}}}, "an interface has no address"},
        {{.allocations = {{ip("fd00::5"), {}, 1, 2}}}, "fd00::5 in the field of the other family"},
        {{.allocations = {{{}, ip("10.0.2.5"), 1, 2}}}, "10.0.2.5 in the field of the other family"},
        {{.allocations = {{ip("0.0.0.0"), {}, 1, 2}}}, "0.0.0.0 cannot be a pod's"},
        {{.allocations = {{ip("127.0.0.1"), {}, 1, 2}}}, "127.0.0.1 cannot be a pod's"},
        {{.allocations = {{ip("224.0.0.1"), {}, 1, 2}}}, "224.0.0.1 cannot be a pod's"},
        {{.allocations = {{ip("0.1.2.3"), {}, 1, 2}}}, "0.1.2.3 cannot be a pod's"},
        {{.allocations = {{ip("169.254.1.1"), {}, 1, 2}}}, "169.254.1.1 cannot be a pod's"},
        {{.allocations = {{ip("240.0.0.1"), {}, 1, 2}}}, "240.0.0.1 cannot be a pod's"},
        {{.allocations = {{ip("255.255.255.255"), {}, 1, 2}}}, "255.255.255.255 cannot be a pod's"},
        {{.allocations = {{{}, ip("fe80::1"), 1, 2}}}, "fe80::1 cannot be a pod's"},
        {{.allocations = {{{}, ip("::"), 1, 2}}}, ":: cannot be a pod's"},
        {{.allocations = {{{}, ip("::1"), 1, 2}}}, "::1 cannot be a pod's"},
        {{.allocations = {{{}, ip("ff02::1"), 1, 2}}}, "ff02::1 cannot be a pod's"},
        {{.allocations = {{ip("10.0.2.5"), {}, 1, 0}}},
         "table 0 is none of an ENI, whose device number is 1"},
        {{.allocations = {{ip("10.0.2.5"), {}, 1, 1}}}, "table 1 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, 1, 255}}}, "table 255 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, 1, 254}}}, "table 254 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, 1, 253}}}, "table 253 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, 1, 3}}}, "table 3 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, 0, 2}}}, "table 2 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, 0, 10100}}}, "table 10100 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, 0, -1}}}, "table -1 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, -1, 2}}}, "device number -1 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, 254, 2}}}, "device number 254 is none of an ENI"},
        {{.allocations = {{ip("10.0.2.5"), {}, 1, 2}, {ip("10.0.2.5"), {}, 2, 3}}},
         "the address 10.0.2.5 twice"},
        {{.allocations = {{ip("10.0.2.5"), {}, 0, 254}, {ip("10.0.9.5"), {}, 1, 10101}}},
         "and one was asked for"},
        {{.allocations = std::vector<rpc::allocation>(3000, {ip("10.0.2.5"), {}, 1, 2})},
         "it has 3000 interfaces"},
        {changed([](auto& it) { it.vlan = 4095; }), "there is no VLAN 4095"},
        {changed([](auto& it) { it.vlan = 153; }),
         "the VLAN 153 cannot be a branch ENI's: its routing table would be the kernel's own 253"},
        {changed([](auto& it) { it.vlan = 154; }), "would be the kernel's own 254"},
        {changed([](auto& it) { it.vlan = 155; }), "would be the kernel's own 255"},
        {changed([](auto& it) { it.vlan = -1; }), "there is no VLAN -1"},
        {changed([](auto& it) { it.branch_mac.reset(); }), "VLAN 101 has no MAC address"},
        {changed([](auto& it) { it.branch_mac = net::mac::parse("01:00:00:00:00:01"); }),
         "has no MAC address"},
        {changed([](auto& it) { it.branch_gateway.reset(); }), "has no gateway for the pod's addresses"},
        {changed([](auto& it) { it.branch_gateway = ip("fe80:ec2::1"); }),
         "has no gateway for the pod's addresses"},
        {changed([](auto& it) { it.branch_gateway = ip("224.0.0.1"); }),
         "has no gateway for the pod's addresses"},
        {changed([](auto& it) { it.allocations[0].ipv6 = ip("fd00::5"); }),
         "has no gateway for the pod's addresses"},
        {changed([](auto& it) { it.trunk = 0; }), "has no trunk interface"},
        {changed([](auto& it) { it.allocations.push_back({ip("10.0.2.6"), {}, 2, 3}); }),
         "has one interface, not 2"}};
    for (auto const& [reply, why] : nonsense) {
        CAPTURE(why);
        node<> here;
        if (reply.allocations.size() > 1 && why != "and one was asked for") ask_for_each_card(here);
        now.add = [answer = reply](auto const&, auto const&) mutable {
            answer.success = true;
            return answer;
        };
        auto const e = here.refused();
        CHECK(e.code() == cni::code::try_again_later);
        CHECK(e.message().starts_with(
            "add cmd: Error received from AddNetwork gRPC call: the answer of the address "
            "daemon at unix:///var/run/aws-node/ipamd.sock makes no sense: "));
        CHECK(e.message().find(why) != e.message().npos);
        CHECK(now.asked == strings{"add net/c1/eth0", "del net/c1/eth0 SetupNSFailed"});
    }
}

TEST_CASE_FIXTURE(node<>, "no address to be had") {
    now.free.clear();
    auto const e = refused();
    CHECK(e.code() == cni::code::try_again_later);
    CHECK(e.message().starts_with(
        "add cmd: failed to assign an IP address to container: the address daemon at unix:"));
    CHECK(e.message().find("exhausted") != e.message().npos);
    CHECK(waiting() == 0);
}

TEST_CASE_FIXTURE(node<>, "an ADD without the daemon leaves nothing") {
    now.add = [](auto const&, auto const& to) -> rpc::add_reply { throw away(to); };
    auto const e = refused();
    CHECK(e.code() == cni::code::try_again_later);
    CHECK(e.message() ==
          "add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = "
          "unix:///var/run/aws-node/ipamd.sock: connect: No such file or directory: the address "
          "daemon is away, or has not started yet");
    CHECK(now.asked == strings{"add net/c1/eth0"});
    CHECK(waiting() == 0);
}

TEST_CASE_FIXTURE(
    node<>, "an ADD with a daemon that is too slow spools the release, for it may have given an address") {
    keys.config.deadline = 1;
    now.add = [](auto const&, auto const& to) -> rpc::add_reply {
        std::this_thread::sleep_for(to.within);
        throw error(rpc::status::deadline_exceeded, to, "Deadline Exceeded");
    };
    auto const e = refused();
    CHECK(e.code() == cni::code::try_again_later);
    CHECK(e.message().find("Deadline Exceeded: the address daemon does not answer within ") !=
          e.message().npos);
    CHECK(now.asked == strings{"add net/c1/eth0"});
    REQUIRE(waiting() == 1);
    findings unreadable;
    CHECK(spool().entries(unreadable)[0].reason == "SetupNSFailed");

    now.add = nullptr; // and a later ADD of the same attachment takes it back
    add();
    CHECK(waiting() == 0);
}

TEST_CASE_FIXTURE(node<>, "an ADD that the daemon refuses, or that breaks off, is given back at once") {
    now.add = [](auto const&, auto const& to) -> rpc::add_reply {
        throw error(rpc::status::unknown, to, "IMDS does not answer");
    };
    CHECK(refused().message().ends_with("ipamd.sock: IMDS does not answer"));
    CHECK(now.asked == strings{"add net/c1/eth0", "del net/c1/eth0 SetupNSFailed"});
    CHECK(now.last.within <= keys.config.within());

    now.add = [](auto const&, auto const& to) -> rpc::add_reply {
        throw error(rpc::status::unavailable, to, "closed");
    };
    now.del = [](auto const&, auto const& to) -> rpc::del_reply { throw away(to); };
    refused();
    CHECK(waiting() == 1);
}

TEST_CASE_FIXTURE(node<>, "who listens there is no address daemon") {
    now.add = [](auto const&, auto const& to) -> rpc::add_reply {
        throw error(rpc::status::unimplemented, to);
    };
    now.del = [](auto const&, auto const& to) -> rpc::del_reply {
        throw error(rpc::status::unimplemented, to);
    };
    CHECK(refused().message().find("or one of other versions than v1.20 and later") != std::string::npos);
    CHECK(now.asked == strings{"add net/c1/eth0", "del net/c1/eth0 SetupNSFailed"});
    CHECK(waiting() == 0); // it gave nothing
}

TEST_CASE_FIXTURE(node<>, "a rollback without the daemon spools the release") {
    cni::rollback undo;
    ipam{}.add(attachment(), keys, undo);
    now.del = [](auto const&, auto const& to) -> rpc::del_reply { throw away(to); };
    CHECK(undo.undo().empty());
    CHECK(waiting() == 1);
}

TEST_CASE_FIXTURE(node<>, "DEL returns what was released") {
    add();
    auto const released = del();
    REQUIRE(released);
    CHECK(released->ips == std::vector<cni::ip>{{*net::prefix::parse("10.0.2.9/32")}});
    CHECK(released->allocations == std::vector<eni::allocation>{{{*ip("10.0.2.9")}, 1, 2}});
    CHECK_FALSE(del()); // datastore: unknown pod

    now.del = [](auto const&, auto const&) {
        return rpc::del_reply{.success = true,
                              .allocations = {{ip("fd00::1"), {}, 1, 2}, {ip("10.0.2.7"), {}, -1, 0}},
                              .vlan = 5};
    };
    CHECK(del()->allocations ==
          std::vector<eni::allocation>{{{*ip("10.0.2.7")}, -1, 105}}); // as far as it makes sense
    now.del = [](auto const&, auto const& to) -> rpc::del_reply {
        throw rpc::bad_reply{rpc::status::internal, "what?", to, {}, true};
    };
    CHECK_FALSE(del()); // done, but not told what
    CHECK(waiting() == 0);
    now.del = [](auto const&, auto const&) { return rpc::del_reply{}; };
    CHECK_THROWS_WITH_AS(del(),
                         "del cmd: failed to process delete request: the address daemon at "
                         "unix:///var/run/aws-node/ipamd.sock refused; its log says why",
                         cni::error);
}

TEST_CASE_FIXTURE(node<>, "a DEL that the daemon does not hear of is replayed by the next that it does") {
    add();
    add(attachment("c2"));
    add(attachment("c3"));
    for (auto const code :
         {rpc::status::unavailable, rpc::status::deadline_exceeded, rpc::status::internal}) {
        now.del = [code](auto const&, auto const& to) -> rpc::del_reply { throw error(code, to); };
        CHECK_FALSE(del());
        CHECK(waiting() == 1);
    }
    CHECK_FALSE(del(attachment("c2")));
    CHECK(waiting() == 2);
    CHECK(now.held.size() == 3);

    now.del = nullptr;
    now.asked.clear();
    CHECK(del(attachment("c3")));
    CHECK(now.asked.size() == 3);
    CHECK(now.held.empty());
    CHECK(waiting() == 0);
}

TEST_CASE_FIXTURE(node<>, "a DEL that can neither be told nor kept fails, so that the runtime repeats it") {
    keys.config.spool = "/proc/cnix";
    now.del = [](auto const&, auto const& to) -> rpc::del_reply { throw away(to); };
    try {
        del();
        FAIL("it succeeded");
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::try_again_later);
        CHECK(e.message().find("and the release cannot be kept for it: ") != e.message().npos);
    }
}

TEST_CASE_FIXTURE(node<>, "GC replays the network's releases, but of what is valid") {
    auto const keep = [&](std::string_view network, std::string_view container) {
        spool().put({{*cni::network_name::parse(network), *cni::container_id::parse(container),
                      *net::interface_name::parse("eth0")}});
    };
    keep("net", "c1");
    keep("net", "c2");
    keep("other", "c3");
    add(attachment("c2"));
    spool().put({attachment("c2"), "nginx", "default", "c2", "5e6f", "PodDeleted"});
    now.asked.clear();
    cni::valid_attachments valid{*cni::network_name::parse("net")};
    valid.insert(*cni::container_id::parse("c2"), *net::interface_name::parse("eth0"));
    CHECK(gc(valid).empty());
    CHECK(now.asked == strings{"del net/c1/eth0 "});
    CHECK(waiting() == 2);

    valid = cni::valid_attachments{*cni::network_name::parse("net")};
    now.del = [](auto const&, auto const&) { return rpc::del_reply{}; };
    CHECK(gc(valid) ==
          findings{"the address daemon was not told that container c2 is gone: it refused; its release "
                   "stays in " +
                   root + "/spool"});
    now.asked.clear();
    keep("net", "c1");
    now.del = [](auto const&, auto const& to) -> rpc::del_reply { throw away(to); };
    CHECK(gc(valid).size() == 1); // and it is not asked again and again
    CHECK(now.asked.size() == 1);
    now.del = nullptr;
    CHECK(gc(valid).empty());
    CHECK(waiting() == 1);
    CHECK(now.held.empty());
}

TEST_CASE_FIXTURE(node<>, "CHECK finds an attachment that is about to be released") {
    findings found;
    add();
    ipam{}.check(attachment(), keys, {}, found);
    CHECK(found.empty());
    spool().put({attachment("c2")});
    ipam{}.check(attachment(), keys, {}, found);
    CHECK(found.empty());
    spool().put({attachment()});
    ipam{}.check(attachment(), keys, {}, found);
    CHECK(found == findings{"the addresses of container c1 are about to be released: " + root +
                            "/spool holds its release; delete and recreate the container"});
}

TEST_CASE_FIXTURE(node<>, "STATUS asks the daemon's health") {
    CHECK(status().empty());
    CHECK(now.asked == strings{"health ", "health cnix.free-addresses"});
    CHECK(now.last.within == std::chrono::seconds{5});
    std::string const who = "the address daemon at unix:///var/run/aws-node/ipamd.sock";
    now.any_free = true;
    CHECK(status().empty());
    now.any_free = false;
    CHECK(status() == findings{who + " has no free address: delete pods, or let it have more of them"});
    now.any_free.reset();
    for (auto const health : {rpc::health::unknown, rpc::health::not_serving, static_cast<rpc::health>(9)}) {
        now.health = health;
        CHECK(status() == findings{who + " is not serving: it is starting, or ending"});
    }
    now.asked_health = [](rpc::target const& to) -> rpc::health { throw away(to); };
    CHECK(status() ==
          findings{who + " cannot be asked: rpc error: code = Unavailable desc = "
                         "unix:///var/run/aws-node/ipamd.sock: connect: No such file or directory: the "
                         "address daemon is away, or has not started yet"});
    now.asked_health = [](rpc::target const& to) -> rpc::health {
        throw error(rpc::status::unimplemented, to);
    };
    CHECK(status().empty());
}

TEST_CASE_FIXTURE(node<>, "the network policy agent hears of the pod if the daemon says so") {
    ipam{}.attached(attachment(), keys, add(), {});
    CHECK(now.asked.size() == 1);
    del();

    now.mode = "strict";
    auto const lease = add();
    CHECK(lease.network_policy_mode == "strict");
    ipam{}.attached(attachment(), keys, lease, {});
    CHECK(now.asked.back() == "enforce strict at unix:///var/run/aws-node/npa.sock");
    CHECK(now.enforced.name == "nginx");
    CHECK(now.enforced.name_space == "default");
    CHECK(now.enforced.interfaces == 1);

    now.policy = [](rpc::target const&) { return false; };
    CHECK_THROWS_WITH_AS(ipam{}.attached(attachment(), keys, lease, {}),
                         "add cmd: failed to setup network policy: the network policy agent at "
                         "unix:///var/run/aws-node/npa.sock: it refused",
                         cni::error);
    keys.config.policyAgent = rpc::endpoint::parse("127.0.0.1:50052");
    now.policy = [](rpc::target const& to) -> bool {
        CHECK(to.within == std::chrono::seconds{2});
        throw away(to);
    };
    CHECK_THROWS_AS(ipam{}.attached(attachment(), keys, lease, {}), cni::error);
    CHECK(del()); // whatever the agent says
    CHECK(now.asked.back() == "forget default.nginx");
}

TEST_CASE("before v1.10 there is no network policy agent") {
    node<rpc::v1_7> here;
    now.mode = "strict"; // of a daemon that is none of that generation
    node<rpc::v1_7>::ipam{}.attached(attachment(), here.keys, here.add(), {});
    here.del();
    CHECK(now.asked == strings{"add net/c1/eth0", "del net/c1/eth0 PodDeleted"});
}

} // namespace
