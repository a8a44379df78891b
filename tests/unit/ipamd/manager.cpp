// What pods are told.
#include <ipamd/manager.hpp>

#include "manager_fixture.hpp"

using namespace manager_test;

TEST_CASE("m5.large: nine addresses at the start, and a second ENI with the first pod") {
    node one;
    one.start();
    CHECK(one.log == std::vector<std::string>{"assign 9 IPv4 addresses to eni-0"});
    CHECK(one.add("a") == "10.0.0.16");
    CHECK(one.log.back() == "attach an ENI on network card 0 with 9 IPv4 addresses");
    CHECK(one.count() == eni::address_counts{18, 1, 0});
    auto const& got = one.answers.begin()->second;
    CHECK(got.fresh);
    CHECK(got.nics.at(0).id == "eni-0");
    CHECK(got.allocations == std::vector{eni::allocation{{ip("10.0.0.16")}, 0, eni::main_table}});
    CHECK(got.assignment.pod == eni::pod_metadata{"default", "a", 1});
    for (int i = 0; i < 8; ++i) one.add(std::to_string(i));
    CHECK(one.count() ==
          eni::address_counts{18, 9, 0}); // packed on the first ENI, and the second one is the warm one
    CHECK(one.add("b") == "10.0.1.16");
    CHECK(one.count() == eni::address_counts{27, 10, 0});
    for (int i = 10; i < 27; ++i) CHECK(one.add(std::to_string(i)) != "");
    CHECK(one.add("late").starts_with(
        "exhausted: AssignPodIPAddress: no available IP/Prefix addresses: exhausted: 27 of 27 "
        "IPv4 addresses are in use; 0 of 27 addresses are free, 0 pods wait, and 9 addresses "
        "are missing; the node has 3 of 3 ENIs, and none takes more addresses"));
    CHECK(one.there.calls == 3);
}

TEST_CASE("an add is idempotent, and answered when it is on the disk") {
    node one;
    one.start();
    one.ask("a");
    CHECK(one.answer("a") == "");
    one.ask("a"); // again, before the first is answered
    auto const first = one.pool.begin_commit(one.now);
    REQUIRE(first);
    CHECK(eni::read_checkpoint(first->cards.at(0).second, "ipam.json").assignments.size() == 1);
    CHECK_FALSE(one.pool.begin_commit(one.now)); // one at a time
    one.ask("a");                                // and again, while it is being written
    one.ask("b");
    CHECK(one.answers.empty());
    one.pool.committed(first->ticket, one.now);
    CHECK(one.answers.size() == 3);
    int fresh = 0;
    for (auto const& [request, got] : one.answers) {
        CHECK(node::addresses(got.assignment) == "10.0.0.16");
        fresh += got.fresh;
    }
    CHECK(fresh == 1);
    CHECK(one.write());
    CHECK(one.answer("b") == "10.0.0.17");
    int const writes = one.writes;
    CHECK(one.add("a") == "10.0.0.16");
    CHECK(one.writes == writes); // nothing to write
    CHECK_FALSE(one.write());
}

TEST_CASE("a removal is answered when it is on the disk; what is unknown is said so") {
    node one;
    one.start();
    one.add("a");
    CHECK(one.remove("a") == "10.0.0.16");
    CHECK(one.disk.at(0).assignments.empty());
    CHECK(one.disk.at(0).releases.size() == 1);
    CHECK(one.remove("a") == "datastore: unknown pod");
    CHECK(one.remove("z") == "datastore: unknown pod");
    CHECK(one.count().cooling == 1);
    auto const seen = one.pool.look(one.now).counters;
    CHECK(seen.removes == 3);
    CHECK(seen.removes_unknown == 2);
}

TEST_CASE("a pod waits for an address on its way, and is refused at its deadline") {
    node one{{.targets = {.warm_ip = 1}}};
    one.take();
    one.ask("a", 10s);
    one.ask("b", 3s);
    CHECK(one.answers.empty());
    CHECK(one.pool.look(one.now).waiting.at(1).why == "AssignPodIPAddress: no available IP/Prefix addresses: "
                                                      "warming up: no ENI has IPv4 addresses for pods; "
                                                      "assign 3 IPv4 addresses to eni-0: 0 of 0 addresses "
                                                      "are free, 2 pods wait, and 3 addresses are missing");
    action const growth = one.pool.next(one.now);
    CHECK(growth.text() == "assign 3 IPv4 addresses to eni-0"); // two that wait, and the warm one
    one.pool.started(growth, one.now);
    CHECK(one.pool.next_event(one.now) == one.now + 3s);
    one.pass(3s);
    CHECK(one.answer("b") == "warming up: AssignPodIPAddress: no available IP/Prefix addresses: warming up: "
                             "no ENI has IPv4 addresses for "
                             "pods; assign 3 IPv4 addresses to eni-0 is under way");
    one.pool.done(growth, one.there.assign("eni-0", growth.portions[0]), one.now);
    CHECK(one.write());
    CHECK(one.answer("a") == "10.0.0.16");
    CHECK(one.pool.look(one.now).counters.adds_waited == 2);
}

TEST_CASE("a pod waits for an address that cools, if it does not cool for longer than the pod waits") {
    node one{{.targets = {.warm_eni = 0}}, instance_limits{1, 3, 3, true, {1}}};
    one.start();
    CHECK(one.add("a") == "10.0.0.16");
    CHECK(one.add("b") == "10.0.0.17");
    one.remove("a");
    CHECK(one.add("c", 20s).starts_with(
        "cooling: AssignPodIPAddress: no available IP/Prefix addresses: cooling: 1 of 2 IPv4 "
        "addresses are in use, 1 cooling, the first for 30 s more; "));
    CHECK(one.add("d", 31s) == "");
    CHECK(one.add("e", 31s).starts_with("cooling: ")); // there is but one, and "d" was first
    CHECK(one.pool.next_event(one.now) <= one.now + 5s);
    one.pass(29s);
    one.settle();
    CHECK(one.answer("d") == "");
    CHECK(one.pool.next_event(one.now) == one.now + 1s);
    one.pass(1s);
    one.settle();
    CHECK(one.answer("d") == "10.0.0.16");
}

TEST_CASE("before the node is known pods wait") {
    node one;
    one.ask("a", 5s);
    one.ask("b", 1s);
    CHECK(one.answers.empty());
    one.pass(1s);
    CHECK(one.answer("b") ==
          "warming up: AssignPodIPAddress: no available IP/Prefix addresses: warming up: what addresses "
          "the node has is not known yet");
    one.start();
    CHECK(one.answer("a") == "10.0.0.16");
}

TEST_CASE("a provider that changes nothing: nobody waits for what cannot come") {
    node one{{.changes = false}, std::nullopt};
    one.there.node = {.enis = {eni_of(0, {"10.0.0.16"})}};
    one.start();
    CHECK(one.add("a") == "10.0.0.16");
    CHECK(one.add("b", 60s).starts_with(
        "exhausted: AssignPodIPAddress: no available IP/Prefix addresses: exhausted: 1 of 1 "
        "IPv4 addresses are in use; this address manager does not change what the node has"));
    CHECK(one.log.empty());
}

TEST_CASE("surge: all who wait are served with few calls, and as many as there is room for") {
    node one{{.targets = {.warm_ip = 2}}};
    one.take();
    for (int i = 0; i < 40; ++i) one.ask(std::to_string(i), 60s);
    CHECK(one.answers.size() == 13); // 27 addresses can come
    for (auto const& [request, got] : one.answers) CHECK(got.refused == refusal::exhausted);
    one.settle();
    CHECK(one.answers.size() == 40);
    CHECK(one.log == std::vector<std::string>{"assign 9 IPv4 addresses to eni-0",
                                              "attach an ENI on network card 0 with 9 IPv4 addresses",
                                              "attach an ENI on network card 0 with 9 IPv4 addresses"});
    CHECK(one.count() == eni::address_counts{27, 27, 0});
    CHECK(one.answer("0") == "10.0.0.16"); // who came first
    CHECK(one.answer("26") == "10.0.2.24");
}

TEST_CASE("who has gone has nothing") {
    node one{{.targets = {.warm_ip = 1}}};
    one.start();
    auto const a = one.ask("a");
    CHECK(one.pool.cancel(a, one.now)); // before it is written
    CHECK(one.answer("a") == "gone: the caller has gone");
    CHECK_FALSE(one.pool.cancel(a, one.now));
    CHECK(one.count() == eni::address_counts{1, 0, 0}); // and it does not cool
    one.settle();

    auto const b = one.ask("b");
    auto const writing = one.pool.begin_commit(one.now);
    CHECK(one.pool.cancel(b, one.now)); // while it is written
    one.pool.committed(writing->ticket, one.now);
    CHECK(one.count() == eni::address_counts{1, 0, 0});
    one.settle();
    CHECK(one.disk.at(0).assignments.empty()); // and the disk is set right

    auto const c = one.ask("c");
    one.settle();
    CHECK(one.pool.take_back(one.answers.at(c), one.now)); // when it is answered
    CHECK_FALSE(one.pool.take_back(one.answers.at(c), one.now));
    CHECK(one.count().assigned == 0);

    auto const d = one.ask("d");
    auto const again = one.ask("d");
    one.settle();
    CHECK_FALSE(one.pool.take_back(one.answers.at(d), one.now)); // somebody else was told of it
    CHECK_FALSE(one.pool.take_back(one.answers.at(again), one.now));
    CHECK(one.count().assigned == 1);

    one.ask("e", 60s);
    auto const e = one.ask("e", 60s);
    CHECK(one.pool.cancel(e - 1, one.now)); // the other still wants it
    one.settle();
    CHECK_FALSE(one.answers.at(e).refused);
    CHECK(one.answers.at(e).fresh);

    node other;
    auto const f = other.ask("f", 60s);
    CHECK(other.remove("f") == "datastore: unknown pod"); // deleted while it waits
    CHECK(other.answers.at(f).refused == refusal::gone);
}

TEST_CASE("a pod deleted before its address is on the disk is not told of it") {
    node one;
    one.start();
    auto const a = one.ask("a");
    auto const writing = one.pool.begin_commit(one.now);
    std::string removed;
    one.pool.remove(key("a"), one.now,
                    [&](remove_outcome got) { removed = node::addresses(got.assignment); });
    CHECK(one.answers.at(a).refused == refusal::gone);
    CHECK(removed == "");
    one.pool.committed(writing->ticket, one.now);
    CHECK(removed == "");
    one.settle();
    CHECK(removed == "10.0.0.16");
    CHECK(one.disk.at(0).assignments.empty());
}

TEST_CASE("a manager that stops refuses who waits, and answers what is being written") {
    node one{{.targets = {.warm_ip = 1}}};
    one.start();
    one.ask("a");
    one.ask("b", 60s);
    one.pool.stop(one.now);
    CHECK(one.answer("b") ==
          "warming up: AssignPodIPAddress: no available IP/Prefix addresses: warming up: the address "
          "manager is stopping");
    CHECK(one.answer("a") == "");
    CHECK_FALSE(one.pool.next(one.now));
    CHECK(one.write());
    CHECK(one.answer("a") == "10.0.0.16");
    CHECK(one.add("c", 60s).starts_with("warming up"));
    CHECK(one.remove("a") == "10.0.0.16");
}

TEST_CASE("answers may call the manager") {
    node one;
    one.start();
    std::string second;
    one.pool.add(key("a"), ipv4, {}, one.now, one.now, [&](add_outcome) {
        one.pool.remove(key("a"), one.now,
                        [&](remove_outcome got) { second = node::addresses(got.assignment); });
    });
    one.settle();
    CHECK(second == "10.0.0.16");
}

TEST_CASE("a commit that fails takes back what its adds got, and its removals stand") {
    node one;
    one.start();
    one.add("old");
    one.disk_error = "No space left on device";
    one.ask("a", 60s);
    one.ask("a", 60s);
    std::string removed;
    one.pool.remove(key("old"), one.now, [&](remove_outcome got) {
        removed = node::addresses(got.assignment) + ", " + got.unsaved;
    });
    one.write();
    CHECK(one.answers.size() == 3);
    CHECK(one.answer("a") ==
          "unsaved: the checkpoint could not be written, so no address was assigned: No space left on "
          "device");
    CHECK(removed == "10.0.0.16, No space left on device");
    CHECK(one.count() == eni::address_counts{18, 0, 1}); // nothing but the removed one cools
    CHECK(one.pool.look(one.now).disk_error == "No space left on device");
    CHECK_FALSE(one.write()); // nobody waits: not again at once
    CHECK(one.add("b").starts_with("unsaved: "));
    one.disk_error.clear();
    CHECK(one.pool.next_event(one.now) <= one.now + manager::round);
    one.pass(manager::round);
    CHECK(one.write()); // the disk is set right though nobody asks
    CHECK(one.disk.at(0).assignments.empty());
    CHECK(one.pool.look(one.now).disk_error == "");
    CHECK(one.add("a") == "10.0.0.17");
}

TEST_CASE("a burst of 250 is written with as many writes as fit in its time") {
    node one{{.targets = {.warm_prefix = 16}, .prefixes = true}, instance_limits{1, 20, 20, true, {1}}};
    one.start();
    // A write takes as long as 50 requests.
    std::optional<commit> writing;
    int writes = 0;
    for (int i = 0; i < 250; ++i) {
        one.ask(std::to_string(i), 60s);
        if (writing && i % 50 == 49)
            one.pool.committed(std::exchange(writing, std::nullopt)->ticket, one.now);
        if (!writing && (writing = one.pool.begin_commit(one.now))) ++writes;
    }
    CHECK(writes == 6);
    CHECK(one.answers.size() == 200);
    one.pool.committed(writing->ticket, one.now);
    CHECK(one.answers.size() >= 249);
}
