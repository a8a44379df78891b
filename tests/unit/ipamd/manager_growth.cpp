// What the cloud is asked for, and what not.
#include <ipamd/manager.hpp>

#include "manager_fixture.hpp"

using namespace manager_test;

namespace {
using log = std::vector<std::string>;
} // namespace

TEST_CASE("address targets: what is missing is asked for, what is too much is given back") {
    node one{{.targets = {.warm_ip = 2, .minimum_ip = 4}}};
    one.start();
    CHECK(one.log == log{"assign 4 IPv4 addresses to eni-0"});
    for (auto const* who : {"a", "b"}) one.add(who);
    CHECK(one.log.size() == 1);
    one.add("c");
    CHECK(one.log.back() == "assign 1 IPv4 address to eni-0");
    for (int i = 0; i < 7; ++i) one.add(std::to_string(i));
    CHECK(one.count() == eni::address_counts{12, 10, 0});
    CHECK(one.log.size() == 9);
    CHECK(one.log.back() == "assign 1 IPv4 address to eni-1");
    for (int i = 0; i < 7; ++i) one.remove(std::to_string(i)); // a pod of eni-1 is among them
    auto const asked = one.log.size();                         // while they cool two others are wanted
    CHECK(asked == 9);
    one.pass(30s);
    one.settle();
    CHECK(one.log.size() == asked + 1);
    CHECK(one.log.back() == "unassign 10.0.1.16, 10.0.1.17, 10.0.1.18 of eni-1");
    one.pass(29s);
    one.settle();
    CHECK(one.log.size() == asked + 1); // at most each 30 s
    one.pass(1s);
    one.settle();
    CHECK(one.log.back() == "detach eni-1");
    one.pass(30s);
    one.settle();
    CHECK(one.log.back() == "unassign 10.0.0.21, 10.0.0.22, 10.0.0.23, 10.0.0.24 of eni-0");
    CHECK(one.growth() == "2 of 5 addresses are free, which is enough"); // 3 in use, and 2
}

TEST_CASE("an ENI is given up when nobody needs it, one at a time, and not before it is a minute old") {
    node one;
    one.start();
    for (int i = 0; i < 12; ++i) one.add(std::to_string(i));
    CHECK(one.there.node.enis.size() == 3);
    for (int i = 0; i < 12; ++i) one.remove(std::to_string(i));
    one.pass(30s); // they have cooled, but the ENIs are young
    one.settle();
    CHECK(one.there.node.enis.size() == 3);
    one.pass(29s);
    one.settle();
    CHECK(one.there.node.enis.size() == 3);
    one.pass(1s);
    one.settle();
    CHECK(one.log.back() == "detach eni-2");
    one.pass(29s);
    one.settle();
    CHECK(one.there.node.enis.size() ==
          2); // which is needed for the warm target of one ENI's worth of available addresses
    one.pass(60s);
    one.settle();
    CHECK(one.log.back() == "detach eni-1");
    CHECK(one.there.node.enis.size() == 1); // the primary one has them
    one.pass(600s);
    one.settle();
    CHECK(one.count() == eni::address_counts{9, 0, 0});
}

TEST_CASE("an ENI with a pod, with a cooling address, or that is a trunk stays") {
    node one{{.targets = {.warm_eni = 0}}};
    one.there.node.enis = {eni_of(0, {"10.0.0.16"}), eni_of(1, {"10.0.1.16"}), eni_of(2, {"10.0.2.16"})};
    one.there.node.enis[2].trunk = true;
    one.start();
    CHECK(one.add("a") == "10.0.0.16");
    CHECK(one.add("b") == "10.0.1.16");
    one.pass(600s);
    one.settle();
    one.remove("b");
    one.pass(29s);
    one.settle();
    CHECK(one.log.empty());
    one.pass(1s);
    one.settle();
    CHECK(one.log == log{"detach eni-1"});
}

TEST_CASE("prefixes: one more with the first pod, and back when it is not needed") {
    node one{{.targets = {.warm_prefix = 1}, .prefixes = true}};
    one.start();
    CHECK(one.log == log{"assign 1 IPv4 prefix to eni-0"});
    CHECK(one.add("a") == "10.0.0.16");
    CHECK(one.log.back() == "assign 1 IPv4 prefix to eni-0");
    for (int i = 0; i < 16; ++i) one.add(std::to_string(i));
    CHECK(one.count() == eni::address_counts{48, 17, 0});
    for (int i = 0; i < 16; ++i) one.remove(std::to_string(i));
    one.pass(30s);
    one.settle();
    CHECK(one.log.back() == "unassign 10.0.0.48/28 of eni-0"); // one is in use, one is warm
    CHECK(one.count() == eni::address_counts{32, 1, 0});
    for (int i = 0; i < 200; ++i) one.add("b" + std::to_string(i), 60s);
    CHECK(one.count().total == 224);
    CHECK(one.there.node.enis.size() == 2); // 9 prefixes on each
}

TEST_CASE("an instance that takes no prefixes has addresses") {
    auto limits = m5_large();
    limits.prefixes = false;
    node one{{.targets = {.warm_prefix = 1}, .prefixes = true}, limits};
    one.start();
    CHECK(one.log == log{"assign 9 IPv4 addresses to eni-0"});
    CHECK_FALSE(one.pool.look(one.now).prefixes);
}

TEST_CASE("after prefixes were switched on or off, what is free of the other kind is given back") {
    node one{{.targets = {.warm_prefix = 1}, .prefixes = true}};
    one.there.node.enis = {eni_of(0, {"10.0.0.1", "10.0.0.2", "10.0.0.3"})};
    one.take();
    one.ask("a");
    one.settle();
    CHECK(one.log == log{"assign 1 IPv4 prefix to eni-0", "unassign 10.0.0.2, 10.0.0.3 of eni-0"});
    one.remove("a");
    one.pass(30s);
    one.settle();
    CHECK(one.log.back() == "unassign 10.0.0.1 of eni-0");
    CHECK(one.count() == eni::address_counts{16, 0, 0});

    node other{{.targets = {.warm_ip = 3}}};
    other.there.node.enis = {eni_of(0, {"10.0.0.16/28"})};
    other.start();
    CHECK(other.log == log{"unassign 10.0.0.16/28 of eni-0", "assign 3 IPv4 addresses to eni-0"});
}

TEST_CASE("a subnet without so many addresses is asked for one, and then for none for two minutes") {
    node one{{.targets = {.warm_ip = 5}}};
    one.there.refuses = trouble::no_addresses;
    one.take();
    one.ask("patient", 200s);
    one.ask("impatient", 60s);
    CHECK(one.step() == "assign 7 IPv4 addresses to eni-0");
    CHECK(one.answers.empty());
    CHECK(one.step() == "assign 1 IPv4 address to eni-0");
    CHECK(
        one.answer("impatient")
            .starts_with("throttled: AssignPodIPAddress: no available IP/Prefix addresses: throttled: no ENI "
                         "has IPv4 addresses for pods; assign 1 IPv4 address to eni-0 waits for 120 s "
                         "more: the cloud refuses"));
    CHECK(one.answer("patient") == "");
    CHECK(one.pool.look(one.now).paused_until == one.now + 120s);
    CHECK(one.step() == "");
    CHECK(one.add("late", 60s).starts_with("throttled: "));
    one.pass(119s);
    CHECK(one.step() == "");
    one.there.refuses.reset();
    one.pass(1s);
    one.settle();
    CHECK(one.answer("patient") == "10.0.0.16");
    CHECK(one.there.calls == 3);
}

TEST_CASE("throttling: pauses grow to a minute, and end with the first success") {
    node one{{.targets = {.warm_ip = 1}}};
    one.there.refuses = trouble::throttled;
    one.take();
    std::vector<long> pauses;
    auto last = one.now;
    while (pauses.size() < 9) {
        if (!one.step().empty()) {
            pauses.push_back((one.now - last) / 1s);
            last = one.now;
        }
        one.pass(1s);
    }
    CHECK(pauses == std::vector<long>{0, 1, 2, 4, 8, 16, 32, 60, 60});
    CHECK(one.add("a", 5s).starts_with("throttled: "));
    CHECK(one.pool.look(one.now).last_error == "the cloud refuses");
    one.ask("b", 70s);
    one.there.refuses.reset();
    one.pass(60s);
    one.settle();
    CHECK(one.answer("b") == "10.0.0.16");
    CHECK(one.pool.look(one.now).last_error == "");
}

TEST_CASE("the cloud away for an hour: few calls, pods have what is there, and all goes on after") {
    node one;
    one.start();
    one.there.refuses = trouble::unavailable;
    int const calls = one.there.calls;
    for (int i = 0; i < 9; ++i) CHECK(one.add(std::to_string(i)) != "");
    CHECK(one.add("late", 5s) == ""); // there will be another attempt before that
    for (int minute = 0; minute < 60; ++minute) {
        for (int i = 0; i < 12; ++i) {
            one.pass(5s);
            one.settle();
        }
        std::string const who = std::to_string(minute % 9);
        CHECK(one.remove(who) != "");
        CHECK(one.add(who, 31s) == "");
        one.pass(30s);
        one.settle();
        CHECK(one.answer(who).starts_with("10.0.0."));
    }
    CHECK(one.there.calls - calls < 110);
    CHECK(one.answer("late").starts_with(
        "throttled: AssignPodIPAddress: no available IP/Prefix addresses: throttled: 9 of 9 IPv4 "
        "addresses are in use; attach an ENI on network card 0"));
    CHECK(one.answer("late").ends_with("; the last call failed: the cloud refuses"));
    CHECK(one.count() == eni::address_counts{9, 9, 0});
    one.there.refuses.reset();
    one.pass(60s);
    one.settle();
    CHECK(one.count() == eni::address_counts{18, 9, 0});
}

TEST_CASE("an ENI or an instance that takes no more is not asked again at once, and looked at") {
    node one;
    one.start();
    one.add("a");
    for (int i = 0; i < 8; ++i) one.add(std::to_string(i));
    one.there.refuses = trouble::limit_exceeded;
    one.add("b");
    CHECK(one.log.back() == "attach an ENI on network card 0 with 9 IPv4 addresses");
    CHECK(one.pool.wants_look());
    one.pool.look_failed(one.now);
    one.pass(4s);
    CHECK_FALSE(one.pool.wants_look());
    one.pass(1s);
    CHECK(one.pool.wants_look());
    one.take();
    CHECK_FALSE(one.pool.wants_look());
    int const calls = one.there.calls;
    for (int i = 0; i < 20; ++i) one.add("c" + std::to_string(i));
    CHECK(one.there.calls == calls);
    CHECK(one.answer("c19").starts_with("exhausted: "));
    one.there.refuses.reset();
    one.pass(120s);
    one.settle();
    CHECK(one.there.node.enis.size() == 3);
}

TEST_CASE("what could not be given back is there again at the next look") {
    for (auto const why : {trouble::throttled, trouble::unavailable}) {
        node one{{.targets = {.warm_ip = 2}}};
        one.there.node.enis = {eni_of(0, {"10.0.0.1", "10.0.0.2", "10.0.0.3"})};
        one.there.refuses = why;
        one.take();
        CHECK(one.step() == "unassign 10.0.0.3 of eni-0");
        CHECK(one.count().total == 2);
        CHECK(one.pool.wants_look() == (why == trouble::throttled));
        one.take();
        // Whether a call that had no answer was done is seen when the metadata is certainly of after it.
        CHECK(one.count().total == (why == trouble::throttled ? 3 : 2));
        one.pass(60s);
        one.take();
        CHECK(one.count().total == 3);
    }
}

TEST_CASE("MAX_ENI and others' ENIs limit how many there are") {
    node one{{.targets = {.max_eni = 2}}};
    one.start();
    for (int i = 0; i < 20; ++i) one.add(std::to_string(i));
    CHECK(one.there.node.enis.size() == 2);
    CHECK(one.answer("19").find("the node has 2 of 2 ENIs") != std::string::npos);

    node other;
    other.there.node.enis.push_back(eni_of(1, {"10.0.1.5"}));
    other.there.node.enis.back().managed = false;
    other.there.node.enis.push_back(eni_of(2, {}));
    other.there.node.enis.back().efa_only = true;
    other.start();
    CHECK(other.count().total == 9);
    for (int i = 0; i < 20; ++i) other.add(std::to_string(i));
    CHECK(other.there.node.enis.size() == 3); // they take the instance's places
    CHECK(other.pool.look(other.now).enis.at(1).use == eni_use::unmanaged);
    CHECK(other.pool.look(other.now).enis.at(2).use == eni_use::unmanaged);
    CHECK(other.remove("3") == "10.0.0.19");
}

TEST_CASE("an excluded ENI has no pods, and is given up") {
    node one;
    one.there.node.enis.push_back(eni_of(1, {"10.0.1.16"}));
    one.there.node.enis.back().nic.excluded = true;
    one.start();
    for (int i = 0; i < 9; ++i) CHECK(one.add(std::to_string(i)).starts_with("10.0.0."));
    CHECK(one.add("a", 1s).starts_with("10.0.2.")); // the third ENI
    auto const asked = one.log.size();
    one.pass(60s);
    one.settle();
    CHECK(one.log.at(asked) == "detach eni-1");
    CHECK(one.log.back() == "attach an ENI on network card 0 with 9 IPv4 addresses"); // in its place
}

TEST_CASE("with as many addresses as pods may be on the node there are enough, but for those that cool") {
    node one{{.targets = {.max_pods = 9}}};
    one.start();
    for (int i = 0; i < 9; ++i) one.add(std::to_string(i));
    CHECK(one.there.calls == 1);
    CHECK(one.growth() == "there are as many addresses as pods may be on the node (9)");
    CHECK(one.add("a", 60s).starts_with("exhausted: "));
    one.remove("3");
    CHECK(one.there.calls == 1);
    CHECK(one.add("b", 10s) == "10.0.1.16"); // as pods wait
}

TEST_CASE("dual stack: each ENI has a prefix of IPv6") {
    node one{{.ipv6 = true}};
    one.take();
    one.ask("a", 5s, dual);
    one.settle();
    CHECK(one.log == log{"assign 1 IPv6 prefix to eni-0", "assign 9 IPv4 addresses to eni-0",
                         "attach an ENI on network card 0 with 9 IPv4 addresses and 1 IPv6 prefix"});
    CHECK(one.answer("a") == "10.0.0.16 2600::10:0:0:0");
    one.there.refuses = trouble::limit_exceeded;
    one.there.node.enis.push_back(eni_of(2, {"10.0.2.16"}));
    one.take();
    CHECK(one.step() == "assign 1 IPv6 prefix to eni-2");
    CHECK(one.step() == ""); // and not again at once
}

TEST_CASE("IPv6: the primary ENI's prefix is all there is") {
    node one{{.ipv4 = false, .ipv6 = true}};
    one.there.node.enis.push_back(eni_of(1, {}));
    one.take();
    for (int i = 0; i < 500; ++i) one.ask(std::to_string(i), 5s, {.ipv4 = false, .ipv6 = true});
    one.settle();
    CHECK(one.log == log{"assign 1 IPv6 prefix to eni-0"});
    CHECK(one.answer("499") == "2600::10:0:0:1f3");
    one.pass(600s);
    one.settle();
    CHECK(one.log.size() == 1);
}

TEST_CASE("further network cards have targets of one") {
    node one{{.multi_nic = true}, instance_limits{6, 10, 10, true, {3, 3}}};
    one.start();
    CHECK(one.log ==
          log{"assign 9 IPv4 addresses to eni-0", "attach an ENI on network card 1 with 1 IPv4 address"});
    CHECK(one.add("a", 5s, {.each_card = true}) == "10.0.0.16 10.1.0.16");
    CHECK(one.disk.at(0).assignments.at(0).holdings.size() == 1);
    CHECK(one.disk.at(1).assignments.at(0).holdings.size() == 1);
    CHECK(one.log.back() == "assign 1 IPv4 address to eni-1-0");
    CHECK(one.add("b") == "10.0.0.17");
    CHECK(one.disk.at(1).assignments.size() == 1);
}

TEST_CASE("an ENI's addresses are given out when its network is set up, and meanwhile none is attached") {
    node one{{.set_up_first = true}};
    one.take();
    one.ask("a", 5s);
    one.settle();
    CHECK(one.answer("a") == "");
    CHECK(one.pool.to_set_up().size() == 2);
    CHECK(one.log ==
          log{"assign 9 IPv4 addresses to eni-0", "attach an ENI on network card 0 with 9 IPv4 addresses"});
    CHECK(one.pool.look(one.now).enis.at(0).use == eni_use::setting_up);
    one.pool.set_up("eni-0", one.now);
    one.settle();
    CHECK(one.answer("a") == "10.0.0.16");
    CHECK(one.pool.to_set_up().at(0).id == "eni-1");
    CHECK(one.pool.to_set_up().at(0).cidrs.size() == 9);
    CHECK(one.log.size() == 2);
    one.pool.broken("eni-1", "no such interface", one.now);
    one.settle();
    CHECK(one.log.size() == 3); // another one, for this one is of no use
    CHECK(one.pool.look(one.now).enis.at(1).why == "no such interface");
    one.pool.set_up("eni-1", one.now);
    one.pool.set_up("eni-2", one.now);
    CHECK(one.count().total == 27);
    one.pass(60s);
    one.settle();
    CHECK(one.log.back() == "detach eni-2");
}

TEST_CASE("a reload of the targets") {
    node one{{.targets = {.warm_ip = 1}}};
    one.start();
    one.pool.retarget({.warm_ip = 4}, one.now);
    one.settle();
    CHECK(one.count().total == 4);
}
