// What the cloud shows, against what pods have.
#include <ipamd/manager.hpp>

#include "manager_fixture.hpp"

using namespace manager_test;

namespace {
/// Changes nothing by itself, so that what is seen comes of what the cloud shows.
struct looking : node {
    explicit looking(std::vector<cloud_eni> enis) : node{{.changes = false}, std::nullopt} {
        there.node.enis = std::move(enis);
        take();
    }
};
bool says(reconciled const& found, std::string_view what) {
    return std::ranges::any_of(found.findings,
                               [&](auto const& one) { return one.find(what) != std::string::npos; });
}
} // namespace

TEST_CASE("an answer without any ENI changes nothing") {
    looking one{{eni_of(0, {"10.0.0.16", "10.0.0.17"})}};
    one.add("a");
    one.there.node.enis.clear();
    auto const found = one.take();
    CHECK(says(found, "no ENI at all"));
    CHECK_FALSE(found.changed);
    CHECK(one.count() == eni::address_counts{2, 1, 0});
    CHECK(one.pool.look(one.now).counters.reconciles_ignored == 1);
}

TEST_CASE("what is new is added, and what nobody has and the cloud no longer shows is removed") {
    looking one{{eni_of(0, {"10.0.0.16"})}};
    CHECK_FALSE(one.take().changed);
    one.there.node.enis = {eni_of(0, {"10.0.0.17"}), eni_of(1, {"10.0.1.16"})};
    auto const found = one.take();
    CHECK(found.changed);
    CHECK(found.new_enis == std::vector<std::string>{"eni-1"});
    CHECK(one.count().total == 2);
    CHECK(one.add("a") == "10.0.0.17");
    one.there.node.enis.pop_back();
    CHECK(one.take().gone_enis == std::vector<std::string>{"eni-1"});
    CHECK(one.count().total == 1);
}

TEST_CASE("an address in use that the cloud no longer shows is kept for its pod, and for nobody else") {
    looking one{{eni_of(0, {"10.0.0.16", "10.0.0.17"})}};
    CHECK(one.add("a") == "10.0.0.16");
    one.there.node.enis = {eni_of(0, {"10.0.0.17"})};
    auto const found = one.take();
    CHECK(says(found, "no longer shows 10.0.0.16/32 of the ENI eni-0, of which 1 pods have addresses"));
    CHECK(one.take().findings.empty()); // said once
    auto const seen = one.pool.look(one.now);
    REQUIRE(seen.quarantined.size() == 1);
    CHECK(seen.quarantined[0].address == ip("10.0.0.16"));
    CHECK(seen.quarantined[0].key == key("a"));
    CHECK(seen.quarantined[0].pod.name == "a");
    CHECK(seen.counters.quarantined_addresses == 1);
    CHECK(one.disk.at(0).assignments.size() == 1);
    CHECK(one.add("a") == "10.0.0.16"); // it is the same
    CHECK(one.add("b") == "10.0.0.17");
    CHECK(one.add("c").starts_with("exhausted: "));

    SUBCASE("it comes back") {
        one.there.node.enis = {eni_of(0, {"10.0.0.16", "10.0.0.17"})};
        CHECK(one.take().changed);
        CHECK(one.count() == eni::address_counts{2, 2, 0});
        CHECK(one.pool.look(one.now).quarantined.empty());
    }
    SUBCASE("it comes back on another ENI") {
        one.there.node.enis.push_back(eni_of(1, {"10.0.0.16"}));
        one.take();
        CHECK(one.pool.look(one.now).quarantined.empty());
        one.add("a");
        CHECK(one.answers.rbegin()->second.nics.at(0).id == "eni-1");
    }
    SUBCASE("its pod goes") {
        CHECK(one.remove("a") == "10.0.0.16");
        CHECK(one.pool.look(one.now).quarantined.empty());
        CHECK(one.count() == eni::address_counts{1, 1, 0});
        CHECK(one.disk.at(0).releases.size() == 1); // it cools, should it come back
    }
}

TEST_CASE("of a prefix that is gone only the addresses in use are kept") {
    looking one{{eni_of(0, {"10.0.0.16/28", "10.0.0.32/28"})}};
    for (int i = 0; i < 3; ++i) one.add(std::to_string(i));
    one.there.node.enis = {eni_of(0, {"10.0.0.32/28"})};
    one.take();
    CHECK(one.count() == eni::address_counts{16, 0, 0});
    CHECK(one.pool.look(one.now).quarantined.size() == 3);
    CHECK(one.add("a") == "10.0.0.32");
}

TEST_CASE("an ENI in use that the cloud no longer shows is kept for its pods, and removed after the last") {
    looking one{{eni_of(0, {"10.0.0.16"}), eni_of(1, {"10.0.1.16", "10.0.1.17"})}};
    one.add("a");
    CHECK(one.add("b") == "10.0.1.16");
    auto const gone = one.there.node.enis.back();
    one.there.node.enis.pop_back();
    CHECK(says(one.take(), "no longer shows the ENI eni-1"));
    CHECK(one.take().findings.empty());
    CHECK(one.pool.look(one.now).enis.at(1).use == eni_use::missing);
    CHECK(one.add("c").starts_with("exhausted: "));
    CHECK(one.add("b") == "10.0.1.16");

    SUBCASE("it comes back") {
        one.there.node.enis.push_back(gone);
        CHECK(says(one.take(), "shows the ENI eni-1 again"));
        CHECK(one.add("c") == "10.0.1.17");
    }
    SUBCASE("its pod goes") {
        one.remove("b");
        CHECK(one.take().gone_enis == std::vector<std::string>{"eni-1"});
        CHECK(one.pool.look(one.now).enis.size() == 1);
    }
}

TEST_CASE(
    "an ENI that is tagged to be left alone is kept for its pods, given to no other, and never detached") {
    node one{{.targets = {.warm_eni = 0}}};
    one.there.node.enis = {eni_of(0, {"10.0.0.16"}), eni_of(1, {"10.0.1.16", "10.0.1.17"})};
    one.start();
    CHECK(one.add("a") == "10.0.0.16");
    CHECK(one.add("b") == "10.0.1.16");
    one.there.node.enis[1].managed = false;
    CHECK(says(one.take(), "the ENI eni-1 is no longer to be managed, and 1 pods have addresses of it"));
    CHECK(one.take().findings.empty());
    auto const seen = one.pool.look(one.now);
    CHECK(seen.enis.at(1).use == eni_use::unmanaged);
    CHECK(seen.quarantined.size() == 1);
    CHECK(seen.counters.quarantined_addresses == 1);
    CHECK(one.add("b") == "10.0.1.16");
    CHECK(one.add("c") == "10.0.0.17"); // not the free one of eni-1

    SUBCASE("it is managed again") {
        one.there.node.enis[1].managed = true;
        CHECK(says(one.take(), "the ENI eni-1 is to be managed again"));
        CHECK(one.pool.look(one.now).enis.at(1).use == eni_use::used);
        CHECK(one.pool.look(one.now).quarantined.empty());
    }
    SUBCASE("its last pod goes") {
        one.remove("b");
        one.pass(600s);
        one.settle();
        CHECK(one.take().findings.empty());
        CHECK(one.pool.store().interface("eni-1") == nullptr);
        one.pass(600s);
        one.settle();
        CHECK(one.there.node.enis.size() == 2);
        CHECK(one.pool.look(one.now).enis.at(1).use == eni_use::unmanaged);
        one.there.node.enis[1].managed = true;
        CHECK(one.take().new_enis == std::vector<std::string>{"eni-1"});
    }
}

TEST_CASE("metadata that is behind: what was given up is not back, and what came is not missed") {
    node one{{.targets = {.warm_ip = 2}}};
    one.there.node.enis = {eni_of(0, {"10.0.0.1", "10.0.0.2", "10.0.0.3"}), eni_of(1, {})};
    auto const old = one.there.node;
    one.start();
    CHECK(one.log == std::vector<std::string>{"unassign 10.0.0.3 of eni-0"});
    one.pool.take(old, one.now);
    CHECK(one.count().total == 2);
    one.pass(30s);
    for (int i = 0; i < 12; ++i) one.add(std::to_string(i), 5s);
    CHECK(one.count() == eni::address_counts{14, 12, 0});
    one.pool.take(old, one.now);
    CHECK(one.count() == eni::address_counts{14, 12, 0});
    for (int i = 0; i < 12; ++i) one.remove(std::to_string(i));
    one.pass(60s); // by now it must be up to date
    auto const found = one.pool.take(old, one.now);
    CHECK(one.count().total == 3);
    CHECK(found.findings.empty());

    node other;
    other.start();
    auto const before = other.there.node;
    other.add("a");
    CHECK(other.pool.look(other.now).enis.size() == 2);
    other.pool.take(before, other.now); // the new ENI does not show yet
    CHECK(other.pool.look(other.now).enis.size() == 2);
    other.remove("a");
    other.pass(60s);
    auto const with_second = other.there.node;
    other.settle();
    CHECK(other.log.back() == "detach eni-1");
    other.pool.take(with_second, other.now); // and still shows when it is gone
    CHECK(other.pool.look(other.now).enis.size() == 1);
}

TEST_CASE("an ENI of another place is another one, unless pods have addresses of it") {
    looking one{{eni_of(0, {"10.0.0.16"}), eni_of(1, {"10.0.1.16"})}};
    one.add("a");
    one.there.node.enis[1].nic.device_number = 4;
    auto found = one.take();
    CHECK(found.new_enis == std::vector<std::string>{"eni-1"});
    CHECK(one.add("b") == "10.0.1.16");
    CHECK(one.answers.rbegin()->second.allocations.at(0).device_number == 4);
    one.there.node.enis[1].nic.device_number = 5;
    CHECK(says(one.take(), "another place, MAC address or subnet than 1 pods were set up for"));
    CHECK(one.pool.store().interface("eni-1")->device_number == 4);
}

TEST_CASE("what contradicts itself is passed over") {
    looking one{{eni_of(0, {"10.0.0.16"}), eni_of(1, {"10.0.0.16", "10.0.1.16"})}};
    CHECK(one.count().total == 2);
    CHECK(says(one.take(),
               "10.0.0.16/32 of the ENI eni-1, which is passed over: datastore: IP already in data store"));
}

TEST_CASE("a checkpoint is restored before the cloud is known, and nothing of it is lost") {
    node one{{.changes = false}, std::nullopt};
    eni::state state;
    for (auto const& [who, address] : {std::pair{"a", "10.0.0.16"}, {"b", "10.0.9.9"}})
        state.assignments.push_back({key(who), {"default", who, 1}, one.now - 1h, {{"", {ip(address)}}}});
    state.releases = {{ip("10.0.0.17"), one.now - 10s}};
    one.pool.restore(state, one.now);
    CHECK(one.add("a") ==
          "lost: the pod has 10.0.0.16 already, which no ENI of the node shows any more; delete the pod");
    one.there.node.enis = {};
    one.take();
    CHECK(one.pool.look(one.now).quarantined.size() == 2);
    one.there.node.enis = {eni_of(0, {"10.0.0.16", "10.0.0.17", "10.0.0.18"})};
    one.take();
    CHECK(one.add("a") == "10.0.0.16");
    CHECK(one.add("c") == "10.0.0.18"); // .17 cools
    CHECK(one.pool.look(one.now).quarantined.size() == 1);
    CHECK(one.disk.at(0).assignments.size() == 3);
    CHECK(one.remove("b") == "10.0.9.9");
    one.pass(20s);
    CHECK(one.add("d") == "10.0.0.17");
}

TEST_CASE("allocations of pods that are gone are reclaimed when two looks a minute apart saw no interface of "
          "theirs") {
    looking one{{eni_of(0, {"10.0.0.16", "10.0.0.17", "10.0.0.18"})}};
    one.add("old");
    one.pass(60s);
    one.add("young");
    std::set<std::string> live{"young"};
    auto const drop = [&] {
        std::string all;
        for (auto const& gone : one.pool.drop_dead(
                 [&](eni::assignment const& of) { return live.contains(of.key.container); }, one.now))
            all += gone.key.container + ' ';
        return all;
    };
    CHECK(drop() == "");
    one.pass(59s);
    live.clear(); // "young" is too young to be missed
    CHECK(drop() == "");
    one.pass(1s);
    CHECK(drop() == "old ");
    CHECK(one.count() == eni::address_counts{3, 1, 1}); // it cools
    CHECK(one.write());
    CHECK(one.disk.at(0).assignments.size() == 1);
    one.pass(30s);
    live = {"young"}; // seen again: it counts anew
    CHECK(drop() == "");
    live.clear();
    one.pass(40s);
    CHECK(drop() == "");
    one.pass(59s);
    CHECK(drop() == "");
    one.pass(1s);
    CHECK(drop() == "young ");
    CHECK(one.pool.look(one.now).counters.reclaimed == 2);
}

TEST_CASE("a clock that is set back holds nothing up, and one that is set forward only ends what waits") {
    node one{{.targets = {.warm_ip = 1}}, instance_limits{1, 3, 3, true, {1}}};
    one.start();
    one.add("a");
    one.add("b");
    one.remove("a");
    CHECK(one.add("c", 40s) == "");
    one.now -= 24h;
    one.pool.expire(one.now);
    one.settle();
    CHECK(one.answer("c") == "");
    one.pass(30s); // it cools anew, from now on
    one.settle();
    CHECK(one.answer("c") == "10.0.0.16");

    one.there.refuses = trouble::throttled;
    one.remove("b");
    one.pass(31s);
    one.pool.retarget({.warm_eni = 2}, one.now);
    one.settle();
    one.now -= 24h;
    one.pool.expire(one.now);
    one.there.refuses.reset();
    one.pass(2s);
    one.settle();
    CHECK(one.growth().find("waits for") == std::string::npos);

    one.ask("d");
    one.settle();
    one.ask("e", 60s);
    one.now += 24h;
    one.pool.expire(one.now);
    CHECK(one.answer("e") != "");
}

TEST_CASE("a snapshot says who has what, since when, and what cools") {
    node one{{.targets = {.warm_prefix = 1}, .ipv6 = true, .prefixes = true}};
    one.start();
    one.add("a", 0s, dual);
    one.add("b");
    one.pass(5s);
    one.remove("b");
    auto const seen = one.pool.look(one.now);
    CHECK(seen.known);
    CHECK(seen.most_enis == 3);
    CHECK(seen.places == 9);
    CHECK(seen.pods == 1);
    CHECK(seen.ipv4 == eni::address_counts{32, 1, 1});
    REQUIRE(seen.enis.size() == 1);
    auto const& eni = seen.enis[0];
    CHECK(eni.is_primary());
    CHECK(eni.nic.cidrs.size() == 3);
    REQUIRE(eni.addresses.size() == 3);
    CHECK(eni.addresses[0].address == ip("10.0.0.16"));
    CHECK(eni.addresses[0].cidr == cidr("10.0.0.16/28"));
    CHECK(eni.addresses[0].key == key("a"));
    CHECK(eni.addresses[0].pod.name_space == "default");
    CHECK(eni.addresses[0].assigned == one.now - 5s);
    CHECK(eni.addresses[1].released == one.now);
    CHECK(eni.addresses[1].cooling_until == one.now + 30s);
    CHECK_FALSE(eni.addresses[1].key);
    CHECK(eni.addresses[2].address.is_v6());
    CHECK(seen.counters.adds == 2);
    CHECK(seen.counters.adds_done == 2);
    CHECK(seen.counters.commits == 3);
    CHECK(one.pool.look(one.now, false).enis[0].addresses.empty());
}

TEST_CASE("what was written of one network card only is nobody's until its pod is deleted") {
    node one{{.multi_nic = true, .changes = false}, std::nullopt};
    eni::wanted const each{.each_card = true};
    one.there.node.enis = {eni_of(0, {"10.0.0.16", "10.0.0.17"}), eni_of(0, {"10.1.0.16"}, 1)};
    one.pool.restore({{{key("a"), {"default", "a", 2}, one.now - 1h, {{"", {ip("10.0.0.16")}}}}}, {}},
                     one.now);
    one.start();
    CHECK(one.add("a", 0s, each) ==
          "lost: the pod has 10.0.0.16 already, but is to have interfaces of 2 network cards; "
          "delete the pod");
    CHECK(one.remove("a") == "10.0.0.16");
    CHECK(one.add("a", 0s, each) == "10.0.0.17 10.1.0.16");
    CHECK(one.add("a", 0s, each) == "10.0.0.17 10.1.0.16");
}
