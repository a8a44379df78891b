#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/iptables_backend.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::laws {

/// The laws of iptables_backend. What the tables hold is not looked at, as long as no chain is called
/// `cnix-laws...`.
template <iptables_backend Iptables> class iptables_backend_laws {
  public:
    void all() {
        sha512();
        for (auto const family : {net::family::ipv4, net::family::ipv6}) {
            family_ = family;
            alone([&] { nothing_is_there(); });
            alone([&] { what_was_made_is_saved(); });
            alone([&] { rules_keep_their_order(); });
            alone([&] { a_saved_rule_deletes_it(); });
            alone([&] { add_of_what_is_there(); });
            alone([&] { deletion_makes_it_gone(); });
            alone([&] { what_is_led_to_stays(); });
            alone([&] { a_refused_restore_changes_nothing(); });
            alone([&] { test_changes_nothing(); });
            alone([&] { families_are_separate(); });
            alone([&] { no_is_certain(); });
            for (auto const table : {ipt::table::mangle, ipt::table::filter}) {
                table_ = table;
                alone([&] { what_was_made_is_saved(); });
                alone([&] { what_is_led_to_stays(); });
                alone([&] { tables_are_separate(); });
                alone([&] { no_is_certain(); });
            }
            table_ = ipt::table::nat;
        }
    }

  private:
    /// FIPS 180-4 and its examples.
    static void sha512() {
        CHECK(Iptables::sha512("abc") == "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                                         "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
        CHECK(Iptables::sha512("") == "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                                      "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
    }

    void nothing_is_there() {
        CHECK_FALSE(has_chain("cnix-laws"));
        auto const before = state();
        for (std::string const command : {"-A cnix-laws -j ACCEPT", "-D cnix-laws -j ACCEPT", "-F cnix-laws",
                                          "-X cnix-laws", "-A POSTROUTING -j cnix-laws"})
            refused(command + '\n');
        Iptables{}.restore(family_, table_, "");
        CHECK(state() == before);
    }

    void what_was_made_is_saved() {
        auto const before = state();
        make();
        CHECK(has_chain("cnix-laws"));
        CHECK(has_chain("cnix-laws-2"));
        CHECK(rules("cnix-laws") == all_rules());
        CHECK(rules("cnix-laws-2").empty());
        CHECK(contains(rules(built_in()), led_here()));
        CHECK_MESSAGE(state() == state(), "save changes nothing");
        take_away();
        CHECK_FALSE(has_chain("cnix-laws"));
        CHECK_FALSE(has_chain("cnix-laws-2"));
        CHECK(state() == before);
    }

    void rules_keep_their_order() {
        auto const first = from(5) + " -j ACCEPT", second = from(6) + " -j ACCEPT",
                   third = from(7) + " -j ACCEPT";
        restore(
            {"-N cnix-laws", "-A cnix-laws " + second, "-A cnix-laws " + third, "-I cnix-laws 1 " + first});
        CHECK(rules("cnix-laws") == std::vector{first, second, third});
        restore({"-D cnix-laws " + second});
        CHECK(rules("cnix-laws") == std::vector{first, third});
        restore({"-A cnix-laws " + second});
        CHECK(rules("cnix-laws") == std::vector{first, third, second});
        restore({"-F cnix-laws", "-X cnix-laws"});
    }

    void a_saved_rule_deletes_it() {
        auto const before = state();
        make();
        std::string commands;
        for (std::string line : Iptables{}.save(family_, table_))
            if (line.starts_with("-A ") && line.find("cnix-laws") != std::string::npos)
                commands += "-D" + line.substr(2) + '\n';
        CHECK(std::ranges::count(commands, '\n') == static_cast<std::ptrdiff_t>(all_rules().size() + 1));
        Iptables{}.restore(family_, table_, commands + "-X cnix-laws\n-X cnix-laws-2\n");
        CHECK(state() == before);
    }

    void add_of_what_is_there() {
        auto const rule = from(5) + " -j ACCEPT";
        restore({"-N cnix-laws", "-A cnix-laws " + rule});
        refused("-N cnix-laws\n");
        restore({"-A cnix-laws " + rule});
        CHECK_MESSAGE((rules("cnix-laws") == std::vector{rule, rule}), "a rule is added once more");
        restore({"-D cnix-laws " + rule});
        CHECK_MESSAGE(rules("cnix-laws") == std::vector{rule}, "and deleted once");
        restore({"-F cnix-laws", "-X cnix-laws"});
    }

    void deletion_makes_it_gone() {
        auto const rule = from(5) + " -j ACCEPT";
        restore({"-N cnix-laws", "-A cnix-laws " + rule});
        refused("-X cnix-laws\n"); // it has a rule
        restore({"-D cnix-laws " + rule});
        CHECK(rules("cnix-laws").empty());
        refused("-D cnix-laws " + rule + '\n');
        restore({"-F cnix-laws"});
        CHECK(has_chain("cnix-laws"));
        restore({"-X cnix-laws"});
        CHECK_FALSE(has_chain("cnix-laws"));
        refused("-X cnix-laws\n");
    }

    void what_is_led_to_stays() {
        restore({"-N cnix-laws", "-A " + built_in() + ' ' + led_here()});
        refused("-X cnix-laws\n");
        refused("-F cnix-laws\n-X cnix-laws\n");
        INFO("together with what leads to it, it goes");
        restore({"-D " + built_in() + ' ' + led_here(), "-X cnix-laws"});
        CHECK_FALSE(has_chain("cnix-laws"));
    }

    void a_refused_restore_changes_nothing() {
        make();
        std::string const good = "-N cnix-laws-3\n-A cnix-laws-3 " + from(9) + " -j MASQUERADE\n" +
                                 "-D POSTROUTING " + led_here() + "\n-I POSTROUTING 1 " + from(9) +
                                 " -j cnix-laws-3\n-F cnix-laws\n";
        for (std::string const bad :
             {"-N cnix-laws-2", "-A cnix-laws-nowhere -j ACCEPT", "-A cnix-laws-2 -j cnix-laws-nowhere",
              "-F cnix-laws-nowhere", "-X cnix-laws-nowhere", "-D cnix-laws-2 -j ACCEPT", "--frobnicate"}) {
            refused(good + bad + '\n');
            refused(bad + '\n' + good);
        }
        INFO("and the next one is not hampered by it");
        Iptables{}.restore(family_, table_, good);
        CHECK(rules("cnix-laws").empty());
        CHECK(rules("cnix-laws-3").size() == 1);
        restore({"-D POSTROUTING " + from(9) + " -j cnix-laws-3", "-F cnix-laws-3", "-X cnix-laws-3",
                 "-X cnix-laws", "-X cnix-laws-2"});
    }

    /// How much of what the kernel would refuse the program can tell is its own matter.
    void test_changes_nothing() {
        make();
        auto const before = state();
        Iptables iptables;
        for (std::string const& good :
             {std::string{"-N cnix-laws-3\n"}, "-A cnix-laws " + from(9) + " -j ACCEPT\n",
              "-D POSTROUTING " + led_here() + "\n-F cnix-laws\n-X cnix-laws\n"}) {
            CHECK_NOTHROW_MESSAGE(iptables.test(family_, table_, good), good);
            CHECK(state() == before);
        }
        CHECK_THROWS_AS(iptables.test(family_, table_, "--frobnicate\n"), cni::error);
        CHECK(state() == before);
        take_away();
    }

    void families_are_separate() {
        auto const other = family_ == net::family::ipv4 ? net::family::ipv6 : net::family::ipv4;
        auto const before = state(other);
        make();
        CHECK(state(other) == before);
        Iptables{}.restore(other, table_, "-N cnix-laws\n");
        CHECK(rules("cnix-laws") == all_rules());
        take_away();
        CHECK(state(other) != before);
        Iptables{}.restore(other, table_, "-X cnix-laws\n");
        CHECK(state(other) == before);
    }

    void tables_are_separate() {
        make();
        for (auto const other : {ipt::table::nat, ipt::table::mangle, ipt::table::filter}) {
            if (other == table_) continue;
            for (std::string const& line : Iptables{}.save(family_, other))
                CHECK(line.find("cnix-laws") == std::string::npos);
        }
        Iptables{}.restore(family_, ipt::table::nat, "-N cnix-laws\n");
        CHECK(rules("cnix-laws") == all_rules());
        take_away();
        Iptables{}.restore(family_, ipt::table::nat, "-X cnix-laws\n");
    }

    void no_is_certain() {
        make();
        Iptables other; // nothing is kept in the object
        CHECK(other.may_have(family_, table_, "cnix-laws"));
        CHECK(other.may_have(family_, table_, "cnix-laws-2"));
        CHECK(other.may_have(family_, table_, built_in()));
        take_away();
        for (auto const& chain : {std::string{"cnix-laws"}, std::string{"cnix-laws-2"}, built_in()})
            if (!other.may_have(family_, table_, chain)) CHECK_FALSE(has_chain(chain));
    }

    // What the laws are tried with: two chains and a rule that leads to the first. As iptables-save spells
    // it.

    std::string from(int host) const {
        return family_ == net::family::ipv4 ? "-s 10.1.0." + std::to_string(host) + "/32"
                                            : "-s fd00::" + std::to_string(host) + "/128";
    }
    std::string built_in() const { return table_ == ipt::table::filter ? "FORWARD" : "POSTROUTING"; }
    std::string led_here() const {
        return from(5) + R"( -m comment --comment "name: \"mynet\" id: \"c1\"" -j cnix-laws)";
    }
    std::vector<std::string> all_rules() const {
        std::string const comment = R"(-m comment --comment "name: \"mynet\" id: \"c1\"" -j )";
        std::string const last = table_ == ipt::table::nat ? "MASQUERADE" : "RETURN";
        return family_ == net::family::ipv4
                   ? std::vector{"-d 10.1.0.0/16 " + comment + "ACCEPT", "! -d 224.0.0.0/4 " + comment + last,
                                 std::string{"-j cnix-laws-2"}}
                   : std::vector{"-d fd00::/64 " + comment + "ACCEPT", "! -d ff00::/8 " + comment + last,
                                 std::string{"-j cnix-laws-2"}};
    }
    void make() {
        std::string commands = "-N cnix-laws\n-N cnix-laws-2\n";
        for (auto const& rule : all_rules()) commands += "-A cnix-laws " + rule + '\n';
        Iptables{}.restore(family_, table_, commands + "-A " + built_in() + ' ' + led_here() + '\n');
    }
    void take_away() {
        restore({"-D " + built_in() + ' ' + led_here(), "-F cnix-laws", "-X cnix-laws", "-X cnix-laws-2"});
    }

    /// A law that leaves nothing behind.
    template <class Law> void alone(Law const& law) {
        CAPTURE(family_ == net::family::ipv4);
        auto const before = state();
        law();
        CHECK(state() == before);
    }
    void restore(std::initializer_list<std::string> commands) {
        std::string all;
        for (auto const& command : commands) all += command + '\n';
        Iptables{}.restore(family_, table_, all);
    }
    void refused(std::string const& commands) {
        CAPTURE(commands);
        auto const before = state();
        try {
            Iptables{}.restore(family_, table_, commands);
            FAIL_CHECK("it was not refused");
        } catch (cni::error const& e) {
            CHECK_MESSAGE(!e.message().ends_with(": "), "the reason is missing: ", e.message());
        }
        CHECK(state() == before);
    }

    /// Rules and chains, but for the counters, the comments, and the built-in chains, which are there from
    /// the first use of the table on.
    std::vector<std::string> state(net::family family) const {
        std::vector<std::string> lines;
        for (std::string const& line : Iptables{}.save(family, table_))
            if (line.starts_with("-A ") || (line.starts_with(":") && line.find(" - [") != line.npos))
                lines.push_back(line.substr(0, line.find(" - [")));
        return lines;
    }
    std::vector<std::string> state() const { return state(family_); }
    bool has_chain(std::string_view name) const {
        auto const lines = Iptables{}.save(family_, table_);
        return std::ranges::any_of(
            lines, [&](std::string const& line) { return line.starts_with(':' + std::string{name} + ' '); });
    }
    std::vector<std::string> rules(std::string const& chain) const {
        std::vector<std::string> found;
        auto const begin = "-A " + chain + ' ';
        for (std::string const& line : Iptables{}.save(family_, table_))
            if (line.starts_with(begin)) found.push_back(line.substr(begin.size()));
        return found;
    }
    static bool contains(std::vector<std::string> const& all, std::string const& one) {
        return std::ranges::find(all, one) != all.end();
    }

    net::family family_ = net::family::ipv4;
    ipt::table table_ = ipt::table::nat;
};

} // namespace cnix::laws
