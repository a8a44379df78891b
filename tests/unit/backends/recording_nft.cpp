#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/backends/recording/nft_ruleset.hpp>
#include <cnix/cni/error.hpp>

#include <boost/algorithm/string/join.hpp>
#include <doctest/doctest.h>

#include <laws/nft_backend_laws.hpp>

namespace {

using namespace cnix;
using backends::recording::journal;
using recorded = backends::recording::nft;

constexpr nft::table_id table{"inet", "cnix"};
nft::set_id const map{table, "pods4", nft::key_type::ipv4};
constexpr std::string_view set_up = "add table inet cnix\n"
                                    "add map inet cnix pods4 { type ipv4_addr : verdict; }\n"
                                    "add chain inet cnix net\n"
                                    "add chain inet cnix base { type nat hook postrouting priority 100; }\n"
                                    "add rule inet cnix base ip saddr vmap @pods4\n";

struct fresh {
    fresh() {
        recorded::reset();
        journal::clear();
        backend.run(set_up);
    }
    recorded backend;
    net::address pod = *net::address::parse("10.1.0.5");
};

TEST_CASE_FIXTURE(fresh, "laws") {
    laws::nft_backend_laws<recorded>{[] { return recorded::ruleset().text(); }}.all();
}

TEST_CASE_FIXTURE(fresh, "a transaction is a here document of the journal") {
    CHECK(journal::text() == "nft -f - <<'END'\n" + std::string{set_up} + "END\n");
}

TEST_CASE_FIXTURE(fresh, "elements lead to chains") {
    backend.run("create element inet cnix pods4 { 10.1.0.5 comment \"mine\" : goto net }\n");
    auto const element = backend.find_element(map, pod);
    REQUIRE(element);
    CHECK(*element == nft::element{pod, std::nullopt, "net", "mine"});
    CHECK(backend.elements(map).size() == 1);
    CHECK(backend.find_chain(table, "net")->references == 1);
    CHECK_THROWS_AS(backend.run("delete chain inet cnix net\n"), cni::error);
    backend.run("delete element inet cnix pods4 { 10.1.0.5 }\ndelete chain inet cnix net\n");
    CHECK(!backend.find_chain(table, "net"));
}

TEST_CASE_FIXTURE(fresh, "base chains tell their hook, chains their rules") {
    auto const base = backend.find_chain(table, "base");
    REQUIRE(base);
    CHECK(*base == nft::chain{.hook = "postrouting", .type = "nat", .priority = 100});
    REQUIRE(backend.rules(table, {"base"}).front().size() == 1);
    CHECK(backend.rules(table, {"base"}).front()[0].text == "ip saddr vmap @pods4");
    CHECK(backend.rules(table, {"nowhere"}).front().empty());
}

TEST_CASE_FIXTURE(fresh, "what the kernel refuses is refused, and nothing of the transaction is done") {
    auto const before = recorded::ruleset().text();
    auto const journal_before = journal::text();
    for (std::string_view bad :
         {"create element inet cnix pods4 { 10.1.0.6 : goto nowhere }\n",
          "delete element inet cnix pods4 { 10.1.0.6 }\n", "delete map inet cnix pods4\n",
          "delete chain inet cnix nowhere\n", "flush chain inet cnix nowhere\n", "add chain inet other c\n",
          "delete table inet other\n", "add rule inet cnix base goto nowhere\n",
          "add rule inet cnix base ip daddr @nowhere return\n", "frobnicate table inet other\n"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(backend.run("add chain inet cnix other\n" + std::string{bad}), cni::error);
        CHECK_THROWS_AS(backend.dry_run(bad), cni::error);
    }
    backend.dry_run("add chain inet cnix other\n");
    CHECK(recorded::ruleset().text() == before);
    CHECK(journal::text() == journal_before);
}

TEST_CASE_FIXTURE(fresh, "create refuses what exists, add only another verdict") {
    backend.run("add chain inet cnix other\ncreate element inet cnix pods4 { 10.1.0.5 comment \"mine\" : "
                "goto net }\n");
    CHECK_THROWS_AS(backend.run("create element inet cnix pods4 { 10.1.0.5 comment \"yours\" : goto net }\n"),
                    cni::error);
    CHECK_THROWS_AS(backend.run("add element inet cnix pods4 { 10.1.0.5 : goto other }\n"), cni::error);
    backend.run("add element inet cnix pods4 { 10.1.0.5 comment \"yours\" : goto net }\n");
    CHECK(backend.find_element(map, pod)->comment == "mine");
}

TEST_CASE_FIXTURE(fresh, "changes of elements are a transaction of nft, refused as one") {
    auto const other = *net::address::parse("10.1.0.6");
    auto const mine = nft::create(map, pod, "mine", "net");
    journal::clear();
    backend.change({});
    CHECK(journal::text() == "");
    backend.change({mine});
    CHECK(journal::text() ==
          "nft -f - <<'END'\ncreate element inet cnix pods4 { 10.1.0.5 comment \"mine\" : goto net "
          "}\nEND\n");
    auto const before = recorded::ruleset().text();
    CHECK_THROWS_AS(backend.change({nft::create(map, other, "", "net"), mine}), cni::error);
    CHECK_THROWS_AS(backend.change({nft::erase(map, pod), nft::erase(map, other)}), cni::error);
    CHECK_THROWS_AS(backend.change({nft::create(map, other, "", "nowhere")}), cni::error);
    CHECK(recorded::ruleset().text() == before);
    backend.change({nft::erase(map, pod), nft::create(map, pod, "yours", "net")});
    CHECK(backend.find_element(map, pod)->comment == "yours");
}

TEST_CASE_FIXTURE(fresh, "interval sets answer for what they cover") {
    backend.run("add set inet cnix subnets { type ipv4_addr; flags interval; auto-merge; }\n"
                "add element inet cnix subnets { 10.1.0.0/16 }\n");
    nft::set_id const subnets{table, "subnets", nft::key_type::ipv4};
    CHECK(backend.find_element(subnets, pod));
    CHECK(!backend.find_element(subnets, *net::address::parse("10.2.0.0")));
}

TEST_CASE_FIXTURE(fresh, "the way back from any ruleset to any other") {
    std::vector<std::string> const steps{
        "create element inet cnix pods4 { 10.1.0.5 comment \"mine\" : goto net }\n",
        "add rule inet cnix net ip daddr 10.0.0.0/8 return comment \"c\"\nadd rule inet cnix net "
        "masquerade\n",
        "create element inet cnix pods4 { 10.1.0.6 : goto net }\ncreate element inet cnix pods4 { 10.1.0.7 : "
        "goto net }\n",
        "delete element inet cnix pods4 { 10.1.0.6 }\n",
        "add set inet cnix subnets { type ipv4_addr; flags interval; auto-merge; }\n"
        "add element inet cnix subnets { 10.1.0.0/16 }\nflush chain inet cnix net\n"
        "add rule inet cnix net ip daddr @subnets return\n",
        "add table bridge other\nadd chain bridge other guard { type filter hook forward priority -1; }\n"
        "add rule bridge other guard drop\n",
        "delete table inet cnix\n"};
    std::vector<backends::recording::nft_ruleset> states{{}, recorded::ruleset()};
    for (auto const& step : steps) {
        backend.run(step);
        states.push_back(recorded::ruleset());
    }
    for (auto const& from : states)
        for (auto const& to : states) {
            auto const commands = from.commands_to(to);
            CAPTURE(boost::algorithm::join(commands, "\n"));
            auto changed = from;
            for (auto const& command : commands) changed.apply(command);
            CHECK(changed.text() == to.text());
            CHECK(commands.empty() == (from.text() == to.text()));
        }
}

} // namespace
