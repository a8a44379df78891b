// What the daemon needs of the datastore beyond the plugin: packing, and addresses that the cloud no longer shows.
#include <cnix/eni/datastore.hpp>

#include <doctest/doctest.h>

#include "datastore_fixture.hpp"
#include <random>

using namespace datastore_test;

namespace {
eni::datastore packed(std::chrono::seconds cooldown = 30s) {
    return eni::datastore{cooldown, eni::preference::packed};
}
} // namespace

TEST_CASE("packed: a prefix in use comes before one that is not, and an ENI in use before another") {
    auto store = packed();
    store.add(eni_of(0, {"10.0.0.16/28", "10.0.0.32/28"}));
    store.add(eni_of(1, {"10.0.1.16/28"}));
    CHECK(assign(store, "a", ipv4, 0) == "eni-0: 10.0.0.16");
    for (int i = 0; i < 15; ++i) assign(store, std::to_string(i), ipv4, 0);
    CHECK(assign(store, "b", ipv4, 0) == "eni-0: 10.0.0.32");
    store.release(key("a"), at(1));
    // Free for less than four cooldowns, 10.0.0.16 is not wanted while there is another, even of an unused prefix.
    CHECK(assign(store, "c", ipv4, 100) == "eni-0: 10.0.0.33");
    CHECK(store.unused("eni-0", net::family::ipv4, at(100)).empty());
    CHECK(store.unused("eni-1", net::family::ipv4, at(100)) == std::vector{cidr("10.0.1.16/28")});
    for (int i = 0; i < 14; ++i) assign(store, "d" + std::to_string(i), ipv4, 100);
    CHECK(assign(store, "e", ipv4, 121) == "eni-0: 10.0.0.16"); // before the other ENI's
    CHECK(assign(store, "f", ipv4, 121) == "eni-1: 10.0.1.16");
}

TEST_CASE("packed: when all else is in use, what has only cooled is assigned, the longest free first") {
    auto store = packed();
    store.add(eni_of(0, {"10.0.0.11", "10.0.0.12", "10.0.0.13"}));
    for (auto const* who : {"a", "b", "c"}) assign(store, who, ipv4, 0);
    store.release(key("b"), at(1));
    store.release(key("a"), at(2));
    CHECK_FALSE(store.has(ipv4, at(30)));
    CHECK(store.has(ipv4, at(31)));
    CHECK(assign(store, "d", ipv4, 40) == "eni-0: 10.0.0.12");
    CHECK(assign(store, "e", ipv4, 40) == "eni-0: 10.0.0.11");
    CHECK(thrown([&] { assign(store, "f", ipv4, 40); }).find("3 of 3 IPv4") != std::string::npos);
}

TEST_CASE("a prefix is unused when none of its addresses is assigned or cooling") {
    auto store = packed();
    store.add(eni_of(0, {"10.0.0.16/28", "10.0.0.32/28", "10.0.0.9"}));
    CHECK(store.cidr_count("eni-0", net::family::ipv4) == 3);
    CHECK(assign(store, "a", ipv4, 0) == "eni-0: 10.0.0.9");
    CHECK(assign(store, "b", ipv4, 0) == "eni-0: 10.0.0.16");
    CHECK(store.unused("eni-0", net::family::ipv4, at(0)) == std::vector{cidr("10.0.0.32/28")});
    store.release(key("a"), at(0));
    store.release(key("b"), at(10));
    CHECK(store.unused("eni-0", net::family::ipv4, at(29)) == std::vector{cidr("10.0.0.32/28")});
    CHECK(store.unused("eni-0", net::family::ipv4, at(30)) ==
          std::vector{cidr("10.0.0.9"), cidr("10.0.0.32/28")});
    CHECK(store.unused("eni-0", net::family::ipv4, at(40)).size() == 3);
}

TEST_CASE("what is withdrawn stays its holders', is given to nobody, and comes back to whom it is added") {
    eni::datastore store{30s};
    store.add(eni_of(1, {"10.0.1.16/28", "10.0.1.5"}));
    CHECK(assign(store, "a", ipv4, 0) == "eni-1: 10.0.1.5");
    CHECK(assign(store, "b", ipv4, 0) == "eni-1: 10.0.1.16");
    CHECK(assign(store, "c", ipv4, 0) == "eni-1: 10.0.1.17");
    store.release(key("c"), at(1));
    store.withdraw("eni-1", cidr("10.0.1.16/28"));
    CHECK_FALSE(store.knows(ip("10.0.1.16")));
    CHECK(store.count(net::family::ipv4, at(2)) == eni::address_counts{1, 1, 0});
    CHECK_FALSE(store.has(ipv4, at(2)));
    CHECK(text_of(*store.find(key("b"))) == "eni-1: 10.0.1.16"); // the same again, for whoever asks again
    CHECK(store.allocations(*store.find(key("b"))).size() == 1);
    CHECK_FALSE(store.assign(key("b"), ipv4, {}, at(2)).fresh);
    CHECK(store.state().assignments.size() == 2);

    auto again = store;
    again.add("eni-1", cidr("10.0.1.16/28"));
    CHECK(again.count(net::family::ipv4, at(2)) == eni::address_counts{17, 2, 1}); // .17 still cools
    CHECK(thrown([&] { again.remove("eni-1", cidr("10.0.1.16/28")); }).starts_with("datastore: IP is used"));

    store.release(key("b"), at(3));
    CHECK(store.state().releases.size() == 2);
}

TEST_CASE("packed, at random: nobody gets what cools, and prefixes stay free that longest-free would touch") {
    std::size_t spare_packed = 0, spare_longest = 0;
    for (auto const preferred : {eni::preference::packed, eni::preference::longest_free}) {
        std::mt19937 random{20261123};
        eni::datastore store{30s, preferred};
        store.add(eni_of(0, {"10.0.0.16/28", "10.0.0.32/28", "10.0.0.48/28"}));
        store.add(eni_of(1, {"10.0.1.16/28", "10.0.1.32/28", "10.0.1.48/28"}));
        std::map<net::address, eni::time_point> released;
        std::set<std::string> live;
        for (int step = 0; step < 4000; ++step) {
            auto const now = at(step * 10.0);
            if (live.size() < 20 && random() % 2) {
                std::string const who = std::to_string(step);
                auto const address = store.assign(key(who), ipv4, {}, now).assigned->holdings[0].addresses[0];
                if (released.contains(address)) CHECK(now - released.at(address) >= 30s);
                live.insert(who);
            } else if (!live.empty()) {
                auto const one = std::next(live.begin(), static_cast<long>(random() % live.size()));
                for (auto const& part : store.release(key(*one), now).holdings)
                    released[part.addresses[0]] = now;
                live.erase(one);
            }
            std::size_t unused = 0;
            for (auto const* id : {"eni-0", "eni-1"})
                unused += store.unused(id, net::family::ipv4, now).size();
            (preferred == eni::preference::packed ? spare_packed : spare_longest) += unused;
        }
    }
    CHECK(spare_packed > 3 * 4000);
    CHECK(spare_longest < 2 * 4000);
}
