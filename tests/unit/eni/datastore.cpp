#include <cnix/eni/datastore.hpp>

#include <doctest/doctest.h>

#include "datastore_fixture.hpp"

using namespace datastore_test;

TEST_CASE("assign is idempotent by network, container and interface") {
    eni::datastore store;
    store.add(eni_of(0, {"10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.14"}));
    auto const first = store.assign(key("a"), ipv4, {"default", "nginx"}, at(0));
    CHECK(first.fresh);
    CHECK(text_of(*first.assigned) == "eni-0: 10.0.0.11");
    CHECK(first.assigned->pod == eni::pod_metadata{"default", "nginx", 1});
    CHECK(first.assigned->since == at(0));
    auto const again = store.assign(key("a"), dual, {"other", "pod"}, at(5));
    CHECK_FALSE(again.fresh);
    CHECK(again.assigned == first.assigned);
    CHECK(again.assigned->since == at(0));
    CHECK(text_of(*store.assign(key("a", "eth1"), ipv4, {}, at(0)).assigned) == "eni-0: 10.0.0.12");
    CHECK(text_of(*store.assign({"other", "a", "eth0"}, ipv4, {}, at(0)).assigned) == "eni-0: 10.0.0.13");
    CHECK(store.find(key("a")) == first.assigned);
    CHECK(store.find(key("b")) == nullptr);
    CHECK(store.assignments().size() == 3);
}

TEST_CASE("an address cools after its release; then the one free longest is assigned") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"10.0.0.11", "10.0.0.12", "10.0.0.13"}));
    for (auto const* who : {"a", "b", "c"}) assign(store, who, ipv4, 0);
    store.release(key("b"), at(10));
    store.release(key("a"), at(11));
    CHECK(store.count(net::family::ipv4, at(12)) == eni::address_counts{3, 1, 2});
    CHECK(store.count(net::family::ipv4, at(12)).free() == 0); // what cools is not free
    CHECK(thrown([&] { assign(store, "d", ipv4, 12); }) ==
          "AssignPodIPAddress: no available IP/Prefix addresses: 1 of 3 IPv4 addresses are in use, 2 "
          "cooling, the first "
          "for 28 s more");
    CHECK(store.why_none(ipv4, at(39.9)));
    CHECK(store.count(net::family::ipv4, at(40)) == eni::address_counts{3, 1, 1});
    CHECK(assign(store, "d", ipv4, 40) == "eni-0: 10.0.0.12");
    CHECK(assign(store, "e", ipv4, 50) == "eni-0: 10.0.0.11");
    CHECK(thrown([&] { assign(store, "f", ipv4, 50); }) ==
          "AssignPodIPAddress: no available IP/Prefix addresses: 3 of 3 IPv4 addresses are in use");
}

TEST_CASE("without a cooldown an address is free at once, but still the last in line") {
    eni::datastore store{0s};
    store.add(eni_of(0, {"10.0.0.11", "10.0.0.12"}));
    assign(store, "a", ipv4, 0);
    store.release(key("a"), at(1));
    CHECK(assign(store, "a", ipv4, 1) == "eni-0: 10.0.0.12");
    CHECK(assign(store, "b", ipv4, 1) == "eni-0: 10.0.0.11");
}

TEST_CASE("what was never assigned comes first, in the order of cards, devices and addresses") {
    eni::datastore store{30s};
    store.add(eni_of(2, {"10.0.2.11"}));
    store.add(eni_of(1, {"10.0.1.12", "10.0.1.11"}));
    store.add(eni_of(0, {"10.9.0.11"}, 1));
    CHECK(assign(store, "a", ipv4, 0) == "eni-1: 10.0.1.11");
    store.release(key("a"), at(1));
    CHECK(assign(store, "a", ipv4, 100) == "eni-1: 10.0.1.12"); // the other one was used since
    CHECK(assign(store, "b", ipv4, 100) == "eni-2: 10.0.2.11");
    CHECK(assign(store, "c", ipv4, 100) ==
          "eni-1-0: 10.9.0.11"); // upstream: the next card when one is exhausted
    CHECK(assign(store, "d", ipv4, 100) == "eni-1: 10.0.1.11");
}

TEST_CASE("all 16 addresses of a delegated prefix are assigned") {
    eni::datastore store;
    store.add(eni_of(1, {"10.0.1.16/28"}));
    CHECK(assign(store, "0", ipv4, 0) == "eni-1: 10.0.1.16");
    for (int i = 1; i < 15; ++i) assign(store, std::to_string(i), ipv4, 0);
    CHECK(assign(store, "15", ipv4, 0) == "eni-1: 10.0.1.31");
    CHECK(store.count(net::family::ipv4, at(0)) == eni::address_counts{16, 16, 0});
}

TEST_CASE("of an IPv6 prefix the lowest address that is not remembered is assigned") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"2600:1f14:0:0:1::/80"}));
    CHECK(store.count(net::family::ipv6, at(0)) == eni::address_counts{std::uint64_t{1} << 48, 0, 0});
    CHECK(assign(store, "a", ipv6, 0) == "eni-0: 2600:1f14:0:0:1::");
    CHECK(assign(store, "b", ipv6, 0) == "eni-0: 2600:1f14::1:0:0:1");
    store.release(key("a"), at(0));
    CHECK(assign(store, "c", ipv6, 0) == "eni-0: 2600:1f14::1:0:0:2");
    CHECK(assign(store, "d", ipv6, 1000) == "eni-0: 2600:1f14::1:0:0:3");
}

TEST_CASE("of an IPv6 prefix a bounded number of released addresses is remembered") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"2600:1f14:0:0:1::/80"}));
    for (int i = 0; i < 3000; ++i) {
        assign(store, "a", ipv6, i);
        store.release(key("a"), at(i));
    }
    CHECK(store.state().releases.size() == eni::address_pool::remembered);
    CHECK(store.count(net::family::ipv6, at(2999)).cooling == 30);
    // Those that cool are remembered, however many they are.
    for (int i = 0; i < 1000; ++i) assign(store, std::to_string(i), ipv6, 5000);
    for (int i = 0; i < 1000; ++i) store.release(key(std::to_string(i)), at(5000));
    CHECK(store.count(net::family::ipv6, at(5001)).cooling == 1000);
    auto const cooling = store.state().releases;
    auto const next = store.assign(key("z"), ipv6, {}, at(5001)).assigned->holdings[0].addresses[0];
    for (auto const& one : cooling) CHECK(one.address != next);
}

TEST_CASE("both families come from one ENI") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"10.0.0.11"}));
    store.add(eni_of(1, {"10.0.1.11", "10.0.1.12", "2600::/80"}));
    CHECK(assign(store, "a", dual, 0) == "eni-1: 10.0.1.11 2600::");
    CHECK(store.allocations(*store.find(key("a"))) ==
          std::vector{eni::allocation{{ip("10.0.1.11"), ip("2600::")}, 1, 2}});
    CHECK(assign(store, "b", ipv6, 0) == "eni-1: 2600::1");
    CHECK(assign(store, "c", dual, 0) == "eni-1: 10.0.1.12 2600::2");
    CHECK(thrown([&] { assign(store, "d", dual, 0); }) ==
          "AssignPodIPAddress: no available IP/Prefix addresses: no ENI has a free address of both families");
    CHECK(assign(store, "d", ipv4, 0) == "eni-0: 10.0.0.11");
    CHECK(thrown([&] { assign(store, "e", dual, 0); }) ==
          "AssignPodIPAddress: no available IP/Prefix addresses: 3 of 3 IPv4 addresses are in use");
    store.release(key("a"), at(0));
    CHECK(store.count("eni-1", net::family::ipv4, at(1)) == eni::address_counts{2, 1, 1});
    CHECK(store.count("eni-1", net::family::ipv6, at(1)).cooling == 1);
    CHECK(assign(store, "e", dual, 31) == "eni-1: 10.0.1.11 2600::3");
}

TEST_CASE("an address of each network card, or of none") {
    eni::datastore store{30s};
    eni::wanted const each{.each_card = true};
    store.add(eni_of(0, {"10.0.0.11", "10.0.0.12"}));
    store.add(eni_of(1, {"10.0.1.11", "10.0.1.12"}));
    store.add(eni_of(0, {"10.1.0.11"}, 1));
    store.add(eni_of(0, {}, 2)); // has nothing for pods
    auto const given = store.assign(key("a"), each, {}, at(0));
    CHECK(text_of(*given.assigned) == "eni-0: 10.0.0.11; eni-1-0: 10.1.0.11");
    CHECK(given.assigned->pod.interfaces == 2);
    CHECK(store.allocations(*given.assigned) == std::vector{eni::allocation{{ip("10.0.0.11")}, 0, 254},
                                                            eni::allocation{{ip("10.1.0.11")}, 0, 10100}});
    auto const before = store.state();
    CHECK(store.why_none(each, at(0)) == "network card 1: 1 of 1 IPv4 addresses are in use");
    CHECK(thrown([&] { store.assign(key("b"), each, {}, at(0)); }) ==
          "AssignPodIPAddress: no available IP/Prefix addresses: network card 1: 1 of 1 IPv4 addresses are "
          "in use");
    CHECK(store.state() == before); // nothing of the first card is kept
    CHECK(text_of(store.release(key("a"), at(0))) == "eni-0: 10.0.0.11; eni-1-0: 10.1.0.11");
    CHECK(store.count(net::family::ipv4, at(0)) == eni::address_counts{5, 0, 2});
    CHECK(text_of(*store.assign(key("b"), each, {}, at(30)).assigned) ==
          "eni-0: 10.0.0.12; eni-1-0: 10.1.0.11");
}

TEST_CASE("each network card's state by itself, and put together again") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"10.0.0.11", "10.0.0.12"}));
    store.add(eni_of(0, {"10.1.0.11"}, 1));
    store.restore({{{key("lost"), {}, at(0), {{"", {ip("10.9.0.9")}}}}}, {{ip("10.9.0.8"), at(0)}}});
    store.assign(key("a"), {.each_card = true}, {}, at(0));
    assign(store, "b", ipv4, 0);
    store.release(key("b"), at(1));
    auto const zero = store.state(0), one = store.state(1);
    REQUIRE(zero.assignments.size() == 2);
    CHECK(text_of(zero.assignments[0]) == "eni-0: 10.0.0.11");
    CHECK(text_of(zero.assignments[1]) == ": 10.9.0.9");
    CHECK(zero.releases == std::vector{eni::release_record{ip("10.0.0.12"), at(1)}, {ip("10.9.0.8"), at(0)}});
    REQUIRE(one.assignments.size() == 1);
    CHECK(text_of(one.assignments[0]) == "eni-1-0: 10.1.0.11");
    CHECK(one.assignments[0].pod.interfaces == 2);
    CHECK(store.state(2) == eni::state{});
    eni::datastore other{30s};
    for (auto const& eni : store.interfaces()) other.add(eni);
    other.restore(zero);
    other.restore(one);
    CHECK(other.state() == store.state());
}

TEST_CASE("the key of an older daemon is released by the container") {
    eni::datastore store;
    store.add(eni_of(0, {"10.0.0.11", "10.0.0.12"}));
    store.restore({{{{"_migrated-from-cri", "a", "unknown"}, {}, {}, {{{}, {ip("10.0.0.11")}}}}}, {}});
    CHECK(text_of(*store.find(key("a"))) == "eni-0: 10.0.0.11");
    CHECK(text_of(store.release(key("a"), at(0))) == "eni-0: 10.0.0.11");
    CHECK(store.assignments().empty());
    assign(store, "a", ipv4, 0);
    CHECK(store.find(eni::migrated(key("a"))) == nullptr);
}

TEST_CASE("an unknown key cannot be released") {
    eni::datastore store;
    CHECK(thrown([&] { store.release(key("a"), at(0)); }) == "datastore: unknown pod (net/a/eth0)");
    store.add(eni_of(0, {"10.0.0.11"}));
    assign(store, "a", ipv4, 0);
    store.release(key("a"), at(0));
    try {
        store.release(key("a"), at(0));
        FAIL("it was released twice");
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::unknown_container);
    }
}

TEST_CASE("what was never used is taken back as if it had not been assigned") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"10.0.0.11", "2600::/80"}));
    assign(store, "a", dual, 0);
    store.release(key("a"), at(1));
    auto const before = store.state();
    auto const given = store.assign(key("b"), dual, {}, at(100));
    CHECK(text_of(*given.assigned) == "eni-0: 10.0.0.11 2600::1");
    CHECK(given.before == std::vector{eni::release_record{ip("10.0.0.11"), at(1)}});
    auto const taken = *given.assigned;
    eni::datastore elsewhere{30s}; // which knows no ENI, as an undo that looks at the checkpoint alone
    elsewhere.restore(store.state());
    CHECK(elsewhere.take_back(taken, given.before));
    CHECK(elsewhere.state() == before);
    CHECK(store.take_back(taken, given.before));
    CHECK(store.state() == before);
    CHECK(assign(store, "c", dual, 100) == "eni-0: 10.0.0.11 2600::1");
    CHECK_FALSE(store.take_back(taken, given.before));                        // the key has nothing any more
    CHECK_FALSE(store.take_back({key("c"), {}, at(99), taken.holdings}, {})); // or has it anew
    CHECK(text_of(*store.find(key("c"))) == "eni-0: 10.0.0.11 2600::1");
}

TEST_CASE("taken back in whatever order, the lowest comes first again") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"10.0.0.16/28"}));
    std::vector<eni::assignment> given;
    for (auto const* who : {"a", "b", "c"})
        given.push_back(*store.assign(key(who), ipv4, {}, at(0)).assigned);
    for (std::size_t const i : {0U, 2U, 1U}) CHECK(store.take_back(given[i], {}));
    for (auto const* who : {"c", "b", "a"}) assign(store, who, ipv4, 0);
    CHECK(text_of(*store.find(key("c"))) == "eni-0: 10.0.0.16");
    CHECK(text_of(*store.find(key("b"))) == "eni-0: 10.0.0.17");
    CHECK(text_of(*store.find(key("a"))) == "eni-0: 10.0.0.18");
    CHECK(store.count(net::family::ipv4, at(0)) == eni::address_counts{16, 3, 0});
}

TEST_CASE("ENIs, addresses and prefixes come and go, but not those in use") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"10.0.0.11"}));
    CHECK(thrown([&] { store.add(eni_of(0, {})); }) == "data store: duplicate ENI (eni-0)");
    CHECK(thrown([&] { store.add("eni-7", cidr("10.0.0.12")); }) ==
          "add ENI's IP to datastore: unknown ENI (eni-7)");
    store.add("eni-0", cidr("10.0.0.16/28"));
    for (auto const text : {"10.0.0.11", "10.0.0.16/28", "10.0.0.20", "10.0.0.0/27", "10.0.0.0/24"})
        CHECK(thrown([&] { store.add("eni-0", cidr(text)); }) ==
              "datastore: IP already in data store (" + cidr(text).str() + ")");
    auto const before = store.interfaces();
    CHECK(thrown([&] { store.add(eni_of(1, {"10.0.1.1", "10.0.0.17"})); }) ==
          "datastore: IP already in data store (10.0.0.17/32)");
    CHECK(thrown([&] { store.add(eni_of(1, {"10.0.1.1", "10.0.1.0/28"})); }) ==
          "datastore: IP already in data store (10.0.1.0/28)");
    CHECK(store.interfaces() == before);
    for (auto const text : {"10.0.0.33/28", "2600::/79"})
        CHECK(thrown([&] { store.add("eni-0", cidr(text)); }) ==
              "datastore: the prefix has host bits, or more than 2^48 addresses (" + std::string{text} + ")");

    assign(store, "a", ipv4, 0);
    assign(store, "b", ipv4, 0);
    CHECK(text_of(*store.find(key("b"))) == "eni-0: 10.0.0.16");
    CHECK(store.count("eni-0", cidr("10.0.0.16/28"), at(0)) == eni::address_counts{16, 1, 0});
    CHECK(thrown([&] { store.remove("eni-0"); }) == "datastore: ENI is used and can not be deleted (eni-0)");
    for (auto const text : {"10.0.0.11", "10.0.0.16/28"})
        CHECK(thrown([&] { store.remove("eni-0", cidr(text)); }) ==
              "datastore: IP is used and can not be deleted (" + cidr(text).str() + ")");
    for (auto const text : {"10.0.0.12", "10.0.0.16", "2600::"})
        CHECK(thrown([&] { store.remove("eni-0", cidr(text)); }) ==
              "datastore: unknown IP (" + cidr(text).str() + ")");
    CHECK(thrown([&] { store.remove("eni-1"); }) == "datastore: unknown ENI (eni-1)");
    CHECK(thrown([&] { store.remove("eni-1", cidr("10.0.0.11")); }) == "datastore: unknown ENI (eni-1)");

    store.release(key("a"), at(0));
    store.remove("eni-0", cidr("10.0.0.11"));
    CHECK(store.interfaces()[0].cidrs == std::vector{cidr("10.0.0.16/28")});
    store.add("eni-0", cidr("10.0.0.11")); // its cooldown was not forgotten
    CHECK(store.count("eni-0", cidr("10.0.0.11"), at(1)) == eni::address_counts{1, 0, 1});
    store.release(key("b"), at(0));
    store.remove("eni-0");
    CHECK(store.interfaces().empty());
    CHECK(thrown([&] { assign(store, "c", ipv4, 1); }) ==
          "AssignPodIPAddress: no available IP/Prefix addresses: no ENI has IPv4 addresses for pods");
}

TEST_CASE("an excluded ENI gives nothing, and its pods keep what they have") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"10.0.0.11"}));
    store.add(eni_of(1, {"10.0.1.11"}));
    assign(store, "a", ipv4, 0);
    store.exclude("eni-0", true);
    CHECK(store.count(net::family::ipv4, at(0)) == eni::address_counts{1, 0, 0});
    CHECK(text_of(*store.find(key("a"))) == "eni-0: 10.0.0.11");
    store.release(key("a"), at(0));
    CHECK(assign(store, "a", ipv4, 100) == "eni-1: 10.0.1.11");
    CHECK(store.why_none(ipv4, at(100)) == "1 of 1 IPv4 addresses are in use");
    store.exclude("eni-0", false);
    CHECK(assign(store, "b", ipv4, 100) == "eni-0: 10.0.0.11");
    CHECK(thrown([&] { store.exclude("eni-5", true); }) == "datastore: unknown ENI (eni-5)");
}

TEST_CASE("what no ENI has is kept, can be released, and is the ENI's that comes to have it") {
    eni::state const kept{{{key("a"), {"ns", "a", 1}, at(0), {{"", {ip("10.0.0.11"), ip("2600::5")}}}}},
                          {{ip("10.0.0.12"), at(0)}, {ip("10.0.0.13"), at(50)}}};
    eni::datastore store{30s};
    store.restore(kept);
    CHECK(store.state() == kept);
    CHECK(store.allocations(*store.find(key("a"))).empty());
    SUBCASE("released") {
        CHECK(text_of(store.release(key("a"), at(60))) == ": 10.0.0.11 2600::5");
        CHECK(store.state() ==
              eni::state{{},
                         {{ip("10.0.0.11"), at(60)},
                          {ip("10.0.0.13"), at(50)}, // .12 has cooled, and no one asks for it
                          {ip("2600::5"), at(60)}}});
    }
    SUBCASE("adopted") {
        store.add(eni_of(1, {"10.0.0.11", "10.0.0.12", "2600::/80"}));
        CHECK(text_of(*store.find(key("a"))) == "eni-1: 10.0.0.11 2600::5");
        CHECK(store.count(net::family::ipv4, at(10)) == eni::address_counts{2, 1, 1});
        store.add("eni-1", cidr("10.0.0.13"));
        CHECK(store.count(net::family::ipv4, at(60)) == eni::address_counts{3, 1, 1});
        CHECK(assign(store, "b", ipv4, 60) == "eni-1: 10.0.0.12");
        CHECK(store.why_none(ipv4, at(60)));
        CHECK(thrown([&] { store.remove("eni-1"); }) ==
              "datastore: ENI is used and can not be deleted (eni-1)");
    }
}

TEST_CASE("an address has one owner") {
    eni::datastore store;
    auto const owned = [](std::string_view who, std::string_view what) {
        return eni::assignment{key(who), {}, {}, {{"", {ip(what)}}}};
    };
    CHECK(thrown([&] { store.restore({{owned("a", "10.0.0.11"), owned("b", "10.0.0.11")}, {}}); }) ==
          "datastore: IP already in data store (10.0.0.11)");
    CHECK(store.state() == eni::state{});
    store.restore(
        {{owned("a", "10.0.0.11")}, {{ip("10.0.0.11"), at(0)}}}); // and is not given back at the same time
    CHECK(store.state().releases.empty());
    CHECK(thrown([&] { store.restore({{owned("b", "10.0.0.11")}, {}}); }) ==
          "datastore: IP already in data store (10.0.0.11)");
}

TEST_CASE("a clock that is set back") {
    eni::datastore store{30s};
    store.add(eni_of(0, {"10.0.0.11", "10.0.0.12"}));
    assign(store, "a", ipv4, 3600);
    assign(store, "b", ipv4, 3600);
    store.release(key("a"), at(3600));
    SUBCASE("before the release: the address cools once more, from when it is noticed") {
        CHECK(store.why_none(ipv4, at(0)) ==
              "1 of 2 IPv4 addresses are in use, 1 cooling, the first for 30 s more");
        CHECK(store.settle(at(0)));
        CHECK_FALSE(store.settle(at(1)));
        CHECK(store.why_none(ipv4, at(10)) ==
              "1 of 2 IPv4 addresses are in use, 1 cooling, the first for 20 s more");
        CHECK(thrown([&] { assign(store, "c", ipv4, 29); }) != "nothing");
        CHECK(assign(store, "c", ipv4, 30) == "eni-0: 10.0.0.11");
    }
    SUBCASE("an ADD that fails notices, too") {
        CHECK(thrown([&] { assign(store, "c", ipv4, 0); }) != "nothing");
        CHECK(store.state().releases == std::vector{eni::release_record{ip("10.0.0.11"), at(0)}});
    }
    SUBCASE("not as far: it cools longer by no more than the step") {
        CHECK(store.why_none(ipv4, at(3610)));
        CHECK(store.why_none(ipv4, at(3605)));
        CHECK_FALSE(store.settle(at(3605)));
        CHECK(assign(store, "c", ipv4, 3630) == "eni-0: 10.0.0.11");
    }
    SUBCASE("of an address that no ENI has") {
        eni::datastore other{30s};
        other.restore(store.state());
        CHECK(other.settle(at(0)));
        CHECK(other.state().releases == std::vector{eni::release_record{ip("10.0.0.11"), at(0)}});
    }
}

TEST_CASE("a value: a copy lives its own life") {
    eni::datastore store;
    store.add(eni_of(0, {"10.0.0.11"}));
    auto copy = store;
    assign(copy, "a", ipv4, 0);
    CHECK(store.assignments().empty());
    CHECK(assign(store, "b", ipv4, 0) == "eni-0: 10.0.0.11");
}
