#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/concepts/nft_script.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::laws {

/// The laws of nft_backend. `state` tells all that nftables keeps, as text. What it keeps is not looked at,
/// as long as there is no table `laws`.
template <nft_backend Nft> class nft_backend_laws {
  public:
    explicit nft_backend_laws(std::function<std::string()> state) : state_{std::move(state)} {}

    void all() {
        alone([&] { nothing_is_there(); });
        with_tables([&] { what_was_made_is_found(); });
        with_tables([&] { base_chains_tell_their_hook(); });
        with_tables([&] { rules_are_listed_in_order(); });
        with_tables([&] { rules_tell_their_comment(); });
        with_tables([&] { elements_of_every_type(); });
        with_tables([&] { a_comment_too_long_is_refused(); });
        with_tables([&] { intervals(); });
        with_tables([&] { add_of_what_is_there(); });
        with_tables([&] { deletion_makes_it_gone(); });
        with_tables([&] { what_is_led_to_stays(); });
        with_tables([&] { a_refused_script_changes_nothing(); });
        with_tables([&] { dry_run_changes_nothing(); });
        with_tables([&] { changes_are_done_in_order(); });
        with_tables([&] { a_refused_change_changes_nothing(); });
        with_tables([&] { changes_of_two_tables_are_one_transaction(); });
        with_tables([&] { objects_are_erased_with_what_they_hold(); });
        with_tables([&] { a_refused_erasure_erases_nothing(); });
        with_tables([&] { an_empty_table_is_erased_with_the_last_in_it(); });
        with_tables([&] { families_are_separate(); });
        with_tables([&] { handles_see_the_same(); });
    }

  private:
    static constexpr nft::table_id node_{"inet", "laws"}, ports_{"bridge", "laws"};

    void nothing_is_there() {
        Nft nft;
        CHECK_FALSE(nft.find_chain(node_, "c"));
        CHECK(rules(nft, node_, "c").empty());
        CHECK_FALSE(nft.find_element(pods4(), ip("10.1.0.5")));
        CHECK(nft.elements(pods4()).empty());
        refused(nft, "add chain inet laws c\n");
        refused(nft, "delete table inet laws\n");
        CHECK(refusal(nft, {nft::create(pods4(), ip("10.1.0.5"), "", "c")}) != "");
    }

    void what_was_made_is_found() {
        Nft nft;
        CHECK(nft.find_chain(node_, "c") == nft::chain{});
        CHECK_FALSE(nft.find_chain(node_, "e"));
        CHECK(rules(nft, node_, "c").empty());
        CHECK(rules(nft, node_, "e").empty());
        CHECK(nft.elements(pods4()).empty());
        CHECK_FALSE(nft.find_element(pods4(), ip("10.1.0.5")));
        nft.run("create element inet laws pods4 { 10.1.0.5 comment \"mine\" : goto c }\n"
                "create element inet laws pods4 { 10.1.0.6 : goto d }\n");
        nft::element const five{ip("10.1.0.5"), {}, "c", "mine"}, six{ip("10.1.0.6"), {}, "d", ""};
        CHECK(nft.find_element(pods4(), five.key) == five);
        CHECK(nft.find_element(pods4(), six.key) == six);
        CHECK_FALSE(nft.find_element(pods4(), ip("10.1.0.7")));
        same_elements(nft.elements(pods4()), {five, six});
        CHECK(nft.elements(pods6()).empty());
        CHECK(nft.elements({node_, "nowhere", nft::key_type::ipv4}).empty());
        CHECK_FALSE(nft.find_element({node_, "nowhere", nft::key_type::ipv4}, five.key));
    }

    void base_chains_tell_their_hook() {
        Nft nft;
        nft::chain const nat{.hook = "postrouting", .type = "nat", .priority = 101},
            filter{.hook = "prerouting", .type = "filter", .priority = -299};
        nft.run(nft::make(node_, {"base", nat, {}}) + nft::make(ports_, {"base", filter, {}}));
        CHECK(nft.find_chain(node_, "base") == nat);
        CHECK(nft.find_chain(ports_, "base") == filter);
    }

    void rules_are_listed_in_order() {
        Nft nft;
        std::vector<std::string> const written{"ip saddr vmap @pods4",
                                               "ip6 saddr vmap @pods6",
                                               "ip daddr @subnets4 return",
                                               "ip daddr 224.0.0.0/4 return",
                                               "ip6 daddr ff00::/8 return",
                                               "masquerade",
                                               "jump d",
                                               "goto d"};
        nft.run("add chain inet laws base { type nat hook postrouting priority 100; }\n" +
                nft::make(node_, {"base", {}, written}));
        auto const listed = rules(nft, node_, "base");
        CHECK(texts(listed) == written);
        for (auto const& rule : listed) CHECK(rule.comment.empty());
        CHECK(nft.find_chain(node_, "base")->references == 0);
        CHECK(nft.find_chain(node_, "d")->references == 2);

        INFO("a handle is of one rule, among equal ones too");
        nft.run("add rule inet laws base masquerade\n");
        auto const more = rules(nft, node_, "base");
        REQUIRE(more.size() == written.size() + 1);
        nft.run("delete rule inet laws base handle " + std::to_string(more.back().handle) + '\n');
        CHECK(texts(rules(nft, node_, "base")) == written);
        nft.run("delete rule inet laws base handle " + std::to_string(listed.front().handle) + '\n');
        CHECK(texts(rules(nft, node_, "base")) ==
              std::vector<std::string>{written.begin() + 1, written.end()});
        refused(nft, "delete rule inet laws base handle " + std::to_string(listed.front().handle) + '\n');

        INFO("flush takes them all, and the chain stays");
        nft.run("flush chain inet laws base\n");
        CHECK(rules(nft, node_, "base").empty());
        CHECK(nft.find_chain(node_, "d")->references == 0);
        CHECK(nft.find_chain(node_, "base"));
    }

    void rules_tell_their_comment() {
        Nft nft;
        nft.run("add rule inet laws c goto d comment \"a rule's own\"\n"
                "add rule inet laws c ip daddr @subnets4 return comment \"another\"\n");
        auto const listed = rules(nft, node_, "c");
        CHECK(texts(listed) == std::vector<std::string>{"goto d", "ip daddr @subnets4 return"});
        REQUIRE(listed.size() == 2);
        CHECK(listed[0].comment == "a rule's own");
        CHECK(listed[1].comment == "another");
        INFO("of several chains, in the order asked for");
        nft.run("add rule inet laws d masquerade\n");
        auto const several = nft.rules(node_, {"d", "nowhere", "c"});
        REQUIRE(several.size() == 3);
        CHECK(texts(several[0]) == std::vector<std::string>{"masquerade"});
        CHECK(several[1].empty());
        CHECK(texts(several[2]) == texts(listed));
        CHECK(nft.find_chain(node_, "d")->references == 1);
        refused(nft, "delete chain inet laws d\n");
    }

    /// Typed and as a script it is the same.
    void elements_of_every_type() {
        Nft nft;
        auto const longest = *net::interface_name::parse(std::string(15, 'x'));
        std::vector<nft::element_change> const all{
            nft::create(pods4(), ip("10.1.0.5"), std::string(nft::max_comment, 'c'), "c"),
            nft::create(pods4(), ip("10.1.0.6"), "", "d"),
            nft::create(pods6(), ip("fd00::5"), "six", "c"),
            nft::create(interfaces(), longest, "port", "c"),
            nft::create(interfaces(), port("eth77"), "", "c"),
            nft::create(macs(), pair(longest, "02:00:00:00:00:01"), "mac"),
            nft::create(macs(), pair(longest, "02:00:00:00:00:02"), ""),
        };
        auto const empty = state_();
        nft.change(all);
        auto const made = state_();
        CHECK(made != empty);
        for (auto const& one : all)
            CHECK_MESSAGE(nft.find_element(one.set, one.element.key) == one.element, nft::text(one));
        CHECK(nft.elements(macs()).size() == 2);
        CHECK(nft.find_chain(node_, "c")->references == 2);
        CHECK(nft.find_chain(ports_, "c")->references == 2);
        std::vector<nft::element_change> none;
        for (auto const& one : all) none.push_back(nft::erase(one.set, one.element.key));
        nft.run(nft::text(none));
        CHECK(state_() == empty);
        nft.run(nft::text(all));
        CHECK_MESSAGE(state_() == made, "a script makes what change() makes");
        nft.change(none);
        CHECK(state_() == empty);
    }

    void a_comment_too_long_is_refused() {
        Nft nft;
        auto const before = state_();
        std::string const comment(nft::max_comment + 1, 'c');
        auto const five = nft::create(pods4(), ip("10.1.0.5"), comment, "c");
        CHECK_THROWS_AS(nft.change({five}), std::exception);
        CHECK(state_() == before);
        refused(nft, nft::text(five));
        refused(nft, "add rule inet laws c masquerade comment \"" + comment + "\"\n");
    }

    void intervals() {
        Nft nft;
        nft.run("add element inet laws subnets4 { 10.1.0.0/16 }\n"
                "add element inet laws subnets4 { 10.3.0.0/24 }\n"
                "add element inet laws subnets6 { fd00::/64 }\n");
        same_elements(nft.elements(subnets4()), {{ip("10.1.0.0"), ip("10.1.255.255"), {}, {}},
                                                 {ip("10.3.0.0"), ip("10.3.0.255"), {}, {}}});
        same_elements(nft.elements(subnets6()), {{ip("fd00::"), ip("fd00::ffff:ffff:ffff:ffff"), {}, {}}});
        for (auto const* inside : {"10.1.0.0", "10.1.2.3", "10.1.255.255", "10.3.0.7"})
            CHECK_MESSAGE(nft.find_element(subnets4(), ip(inside)), inside);
        for (auto const* outside : {"10.0.255.255", "10.2.0.0", "10.3.1.0"})
            CHECK_MESSAGE(!nft.find_element(subnets4(), ip(outside)), outside);
        auto const added = state_();
        nft.run("add element inet laws subnets4 { 10.1.0.0/16 }\n");
        CHECK_MESSAGE(state_() == added, "an interval that is there is no error, and added no second time");
        nft.run("delete element inet laws subnets4 { 10.1.0.0/16 }\n");
        CHECK_FALSE(nft.find_element(subnets4(), ip("10.1.2.3")));
        CHECK(nft.find_element(subnets4(), ip("10.3.0.7")));
    }

    void add_of_what_is_there() {
        Nft nft;
        nft.run("create element inet laws pods4 { 10.1.0.5 comment \"mine\" : goto c }\n");
        auto const before = state_();
        nft.run(tables_text());
        CHECK_MESSAGE(state_() == before, "tables, chains, sets and maps that are there stay as they are");
        nft.run("add element inet laws pods4 { 10.1.0.5 comment \"yours\" : goto c }\n");
        CHECK_MESSAGE(state_() == before, "an element stays the one that was there");
        refused(nft, "add element inet laws pods4 { 10.1.0.5 comment \"mine\" : goto d }\n");
        refused(nft, "create element inet laws pods4 { 10.1.0.5 comment \"mine\" : goto c }\n");
        CHECK(refusal(nft, {nft::create(pods4(), ip("10.1.0.5"), "mine", "c")}) != "");
        CHECK(refusal(nft, {nft::create(pods4(), ip("10.1.0.5"), "mine", "d")}) != "");
        INFO("a rule is added once more");
        nft.run("add rule inet laws c goto d\n");
        nft.run("add rule inet laws c goto d\n");
        CHECK(texts(rules(nft, node_, "c")) == std::vector<std::string>{"goto d", "goto d"});
        nft.run(nft::make(node_, {"c", {}, {"masquerade"}}));
        CHECK(texts(rules(nft, node_, "c")) == std::vector<std::string>{"masquerade"});
    }

    void deletion_makes_it_gone() {
        Nft nft;
        nft.run("create element inet laws pods4 { 10.1.0.5 : goto c }\n");
        nft.run("delete element inet laws pods4 { 10.1.0.5 }\n");
        CHECK_FALSE(nft.find_element(pods4(), ip("10.1.0.5")));
        CHECK(nft.elements(pods4()).empty());
        CHECK(nft.find_chain(node_, "c")->references == 0);
        refused(nft, "delete element inet laws pods4 { 10.1.0.5 }\n");
        nft.run("add rule inet laws c masquerade\ndelete chain inet laws c\n");
        CHECK_FALSE(nft.find_chain(node_, "c"));
        CHECK(rules(nft, node_, "c").empty());
        refused(nft, "delete chain inet laws c\n");
        refused(nft, "flush chain inet laws c\n");
        nft.run("delete map inet laws pods4\n");
        refused(nft, "delete map inet laws pods4\n");
        CHECK(refusal(nft, {nft::create(pods4(), ip("10.1.0.5"), "", "d")}) != "");
        nft.run("delete table inet laws\n");
        CHECK_FALSE(nft.find_chain(node_, "d"));
        refused(nft, "delete table inet laws\n");
        nft.run(tables_text());
        CHECK_MESSAGE(nft.find_chain(node_, "c") == nft::chain{}, "what is made again is new");
    }

    void what_is_led_to_stays() {
        Nft nft;
        nft.run("add rule inet laws c goto d\n");
        CHECK(nft.find_chain(node_, "d")->references == 1);
        refused(nft, "delete chain inet laws d\n");
        nft.change({nft::create(pods4(), ip("10.1.0.5"), "", "d")});
        CHECK(nft.find_chain(node_, "d")->references == 2);
        nft.run("flush chain inet laws c\n");
        refused(nft, "delete chain inet laws d\n");
        nft.run("add rule inet laws c ip saddr vmap @pods4\n");
        refused(nft, "delete map inet laws pods4\n");
        INFO("together with what leads to it, it goes");
        nft.run("flush chain inet laws c\ndelete element inet laws pods4 { 10.1.0.5 }\n"
                "delete chain inet laws d\ndelete map inet laws pods4\n");
        CHECK_FALSE(nft.find_chain(node_, "d"));
    }

    void a_refused_script_changes_nothing() {
        Nft nft;
        nft.run("create element inet laws pods4 { 10.1.0.5 : goto c }\nadd rule inet laws c goto d\n");
        std::string const good = "add chain inet laws e\nadd rule inet laws e masquerade\n"
                                 "create element inet laws pods4 { 10.1.0.7 : goto e }\n"
                                 "delete element inet laws pods4 { 10.1.0.5 }\nadd chain bridge laws e\n";
        for (std::string const bad :
             {"create element inet laws pods4 { 10.1.0.7 : goto d }\n",
              "create element inet laws pods4 { 10.1.0.8 : goto nowhere }\n",
              "create element inet laws nowhere { 10.1.0.8 : goto c }\n",
              "delete element inet laws pods4 { 10.1.0.6 }\n", "delete chain inet laws d\n",
              "delete chain inet laws nowhere\n", "add chain inet nowhere c\n", "delete table inet nowhere\n",
              "add rule inet laws nowhere masquerade\n", "add rule inet laws c goto nowhere\n",
              "add rule inet laws c ip daddr @nowhere return\n", "frobnicate table inet laws\n"}) {
            refused(nft, good + bad);
            refused(nft, bad + good);
        }
        INFO("and the next one is not hampered by it");
        nft.run(good);
        CHECK(nft.find_element(pods4(), ip("10.1.0.7"))->chain == "e");
        CHECK_FALSE(nft.find_element(pods4(), ip("10.1.0.5")));
    }

    void dry_run_changes_nothing() {
        Nft nft;
        nft.run("create element inet laws pods4 { 10.1.0.5 : goto c }\n");
        auto const before = state_();
        for (std::string const good :
             {"add chain inet laws e\nadd rule inet laws e masquerade\n",
              "add element inet laws pods4 { 10.1.0.6 : goto d }\n", "delete table bridge laws\n",
              "delete element inet laws pods4 { 10.1.0.5 }\ndelete chain inet laws c\n"}) {
            CHECK_NOTHROW_MESSAGE(nft.dry_run(good), good);
            CHECK(state_() == before);
        }
        INFO("the next run does change, and does nothing of the dry ones");
        nft.run("add chain inet laws f\n");
        CHECK(nft.find_chain(node_, "f"));
        CHECK_FALSE(nft.find_chain(node_, "e"));
    }

    void changes_are_done_in_order() {
        Nft nft;
        auto const empty = state_();
        nft.change({});
        CHECK(state_() == empty);
        auto const five = nft::create(pods4(), ip("10.1.0.5"), "first", "c"),
                   none = nft::erase(pods4(), ip("10.1.0.5"));
        nft.change({five, none});
        CHECK(state_() == empty);
        nft.change({five});
        nft.change({none, nft::create(pods4(), ip("10.1.0.5"), "second", "d")});
        CHECK(nft.find_element(pods4(), ip("10.1.0.5")) == nft::element{ip("10.1.0.5"), {}, "d", "second"});
        CHECK(refusal(nft, {none, none}) != "");
        INFO("to erase, only the key matters");
        nft.change({{nft::element_change::kind::erase,
                     pods4(),
                     {ip("10.1.0.5"), ip("10.1.0.9"), "nowhere", "of another"}}});
        CHECK(state_() == empty);
    }

    void a_refused_change_changes_nothing() {
        Nft nft;
        auto const five = nft::create(pods4(), ip("10.1.0.5"), "five", "c"),
                   six = nft::create(pods4(), ip("10.1.0.6"), "six", "c");
        nft.change({five});
        std::vector<nft::element_change> const bad{
            five,
            nft::create(pods4(), ip("10.1.0.5"), "", "d"),
            nft::erase(pods4(), ip("10.1.0.9")),
            nft::create(pods6(), ip("fd00::5"), "", "nowhere"),
            nft::create({node_, "nowhere", nft::key_type::ipv4}, ip("10.1.0.8"), "", "c"),
            nft::create({{"inet", "nowhere"}, "pods4", nft::key_type::ipv4}, ip("10.1.0.8"), "", "c"),
            nft::erase(macs(), pair(port("eth77"), "02:00:00:00:00:01")),
            nft::erase(interfaces(), port("eth77")),
        };
        for (auto const& one : bad) {
            CAPTURE(nft::text(one));
            for (auto const& changes : {std::vector{one}, std::vector{one, six}, std::vector{six, one}}) {
                auto const refused_with = refusal(nft, changes);
                CHECK(refused_with != "");
                auto const* const address = std::get_if<net::address>(&one.element.key);
                auto const named = address ? address->str() : std::string{"eth77"};
                CHECK_MESSAGE(refused_with.find(named) != std::string::npos, refused_with);
            }
        }
        CHECK(nft.find_element(pods4(), ip("10.1.0.5")) == five.element);
        nft.change({six});
        CHECK(nft.elements(pods4()).size() == 2);
    }

    void changes_of_two_tables_are_one_transaction() {
        Nft nft;
        auto const pod = nft::create(pods4(), ip("10.1.0.5"), "", "c"),
                   own = nft::create(interfaces(), port("eth77"), "", "c");
        nft.change({pod, own});
        CHECK(nft.find_element(pods4(), ip("10.1.0.5")));
        CHECK(nft.find_element(interfaces(), port("eth77")));
        CHECK(refusal(nft, {nft::erase(pods4(), ip("10.1.0.5")), own}) != "");
        CHECK(refusal(nft, {nft::erase(interfaces(), port("eth77")), pod}) != "");
    }

    void objects_are_erased_with_what_they_hold() {
        Nft nft;
        auto const before = state_();
        nft.erase({});
        CHECK(state_() == before);
        nft.run("add rule inet laws c ip daddr @subnets4 return\nadd rule inet laws c goto d\n"
                "add element inet laws subnets4 { 10.1.0.0/16 }\n");
        nft.erase({chain_c(), set_of(subnets4())});
        CHECK_FALSE(nft.find_chain(node_, "c"));
        CHECK(nft.find_chain(node_, "d") == nft::chain{});
        refused(nft, "delete set inet laws subnets4\n");
        nft.run("create element inet laws pods4 { 10.1.0.5 : goto d }\n");
        nft.erase({{nft::object::kind::table, node_, {}}});
        CHECK_FALSE(nft.find_chain(node_, "d"));
        CHECK(nft.find_chain(ports_, "d"));
        refused(nft, "delete table inet laws\n");
    }

    void a_refused_erasure_erases_nothing() {
        Nft nft;
        nft.run("create element inet laws pods4 { 10.1.0.5 : goto c }\n"
                "add rule inet laws d ip daddr @subnets4 return\n");
        nft::object const d{nft::object::kind::chain, node_, "d"},
            macs_set = set_of(macs()), table{nft::object::kind::table, {"inet", "nowhere"}, {}};
        std::vector<std::pair<nft::object, std::string>> const bad{
            {chain_c(), "chain inet laws c"},
            {set_of(subnets4()), "set inet laws subnets4"},
            {{nft::object::kind::chain, node_, "nowhere"}, "chain inet laws nowhere"},
            {{nft::object::kind::set, node_, "nowhere"}, "set inet laws nowhere"},
            {table, "table inet nowhere"}};
        for (auto const& [one, name] : bad) {
            for (auto const& objects :
                 {std::vector{one}, std::vector{macs_set, one}, std::vector{one, macs_set}}) {
                auto const before = state_();
                std::string message;
                try {
                    nft.erase(objects);
                } catch (cni::error const& e) {
                    message = e.message();
                }
                CHECK_MESSAGE(message.find(name) != message.npos, message);
                CHECK(state_() == before);
            }
        }
        INFO("together with what leads to it, it goes");
        nft.erase({d, set_of(subnets4())});
        CHECK_FALSE(nft.find_chain(node_, "d"));
    }

    void an_empty_table_is_erased_with_the_last_in_it() {
        Nft nft;
        nft::table_id const small{"inet", "laws-small"};
        nft.run(
            "add table inet laws-small\nadd chain inet laws-small a\nadd chain inet laws-small b\n"
            "add map inet laws-small m { type ipv4_addr : verdict; }\nadd rule inet laws-small a goto b\n");
        nft::object const a{nft::object::kind::chain, small, "a"}, b{nft::object::kind::chain, small, "b"},
            m{nft::object::kind::set, small, "m"}, table{nft::object::kind::empty_table, small, {}};
        for (auto const& objects : {std::vector{table}, std::vector{a, b, table}, std::vector{a, m, table},
                                    std::vector{table, a, b, m}}) {
            auto const before = state_();
            CHECK_THROWS_AS(nft.erase(objects), cni::error);
            CHECK(state_() == before);
        }
        nft.erase({a, b});
        CHECK_THROWS_AS(nft.erase({table}), cni::error);
        nft.erase({m, table});
        refused(nft, "delete table inet laws-small\n");
        CHECK_THROWS_AS(nft.erase({table}), cni::error);
    }

    void families_are_separate() {
        Nft nft;
        nft.run("add chain inet laws only\nadd rule inet laws c goto d\n");
        CHECK_FALSE(nft.find_chain(ports_, "only"));
        CHECK(rules(nft, ports_, "c").empty());
        nft.run("delete chain bridge laws c\n");
        CHECK(nft.find_chain(node_, "c"));
        nft.run("delete table bridge laws\n");
        CHECK(nft.find_chain(node_, "only"));
        CHECK_FALSE(nft.find_chain(ports_, "d"));
        CHECK(nft.elements(macs()).empty());
    }

    void handles_see_the_same() {
        Nft one, other;
        CHECK_FALSE(other.find_element(pods4(), ip("10.1.0.5")));
        one.change({nft::create(pods4(), ip("10.1.0.5"), "", "c")});
        CHECK(other.find_element(pods4(), ip("10.1.0.5")));
        Nft const copy = other;
        other.run("add chain inet laws e\n");
        CHECK(Nft{copy}.find_chain(node_, "e"));
        CHECK(one.find_chain(node_, "e"));
    }

    static std::string tables_text() {
        return "add table inet laws\nadd chain inet laws c\nadd chain inet laws d\n"
               "add map inet laws pods4 { type ipv4_addr : verdict; }\n"
               "add map inet laws pods6 { type ipv6_addr : verdict; }\n"
               "add set inet laws subnets4 { type ipv4_addr; flags interval; auto-merge; }\n"
               "add set inet laws subnets6 { type ipv6_addr; flags interval; auto-merge; }\n"
               "add table bridge laws\nadd chain bridge laws c\nadd chain bridge laws d\n"
               "add map bridge laws ports { type ifname : verdict; }\n"
               "add set bridge laws macs { type ifname . ether_addr; }\n";
    }
    static nft::object chain_c() { return {nft::object::kind::chain, node_, "c"}; }
    static nft::object set_of(nft::set_id const& id) { return {nft::object::kind::set, id.table, id.name}; }
    static nft::set_id pods4() { return {node_, "pods4", nft::key_type::ipv4}; }
    static nft::set_id pods6() { return {node_, "pods6", nft::key_type::ipv6}; }
    static nft::set_id subnets4() { return {node_, "subnets4", nft::key_type::ipv4}; }
    static nft::set_id subnets6() { return {node_, "subnets6", nft::key_type::ipv6}; }
    static nft::set_id interfaces() { return {ports_, "ports", nft::key_type::port}; }
    static nft::set_id macs() { return {ports_, "macs", nft::key_type::port_mac}; }
    static net::address ip(std::string_view text) { return *net::address::parse(text); }
    static net::interface_name port(std::string_view text) { return *net::interface_name::parse(text); }
    static nft::port_mac pair(net::interface_name const& port, std::string_view mac) {
        return {port, *net::mac::parse(mac)};
    }

    /// A law that leaves nothing behind.
    template <class Law> void alone(Law const& law) {
        auto const before = state_();
        law();
        CHECK(state_() == before);
    }
    template <class Law> void with_tables(Law const& law) {
        alone([&] {
            Nft{}.run(tables_text());
            law();
            // "add", so that what the law itself deleted is no error
            Nft{}.run("add table inet laws\nadd table bridge laws\n"
                      "delete table inet laws\ndelete table bridge laws\n");
        });
    }

    /// By run() and dry_run() alike, and nothing is changed.
    void refused(Nft& nft, std::string const& script) {
        CAPTURE(script);
        auto const before = state_();
        CHECK_THROWS_AS(nft.dry_run(script), cni::error);
        CHECK(state_() == before);
        CHECK_THROWS_AS(nft.run(script), cni::error);
        CHECK(state_() == before);
    }
    /// What change() is refused with; nothing is changed then.
    std::string refusal(Nft& nft, std::vector<nft::element_change> const& changes) {
        auto const before = state_();
        try {
            nft.change(changes);
        } catch (cni::error const& e) {
            CHECK(state_() == before);
            return e.message();
        }
        return "";
    }
    static std::vector<nft::rule> rules(Nft& nft, nft::table_id const& table, std::string const& chain) {
        return nft.rules(table, {chain}).front();
    }
    static std::vector<std::string> texts(std::vector<nft::rule> const& rules) {
        std::vector<std::string> all;
        for (auto const& rule : rules) all.push_back(rule.text);
        return all;
    }
    static void same_elements(std::vector<nft::element> const& found,
                              std::vector<nft::element> const& expected) {
        CHECK(std::ranges::is_permutation(found, expected));
    }

    std::function<std::string()> state_;
};

} // namespace cnix::laws
