#include <cnix/backends/nftables.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/concepts/nft_script.hpp>

#include <doctest/doctest.h>

#include <support/own_namespace.hpp>
#include <support/processes.hpp>
#include <support/run.hpp>
#include <unistd.h>

namespace {

using namespace cnix;

test::own_namespace const own{"nft"};

constexpr nft::table_id node{"inet", "t"}, bridge{"bridge", "t"};
nft::set_id const pods4{node, "pods4", nft::key_type::ipv4}, pods6{node, "pods6", nft::key_type::ipv6},
    ports{bridge, "ports", nft::key_type::port}, macs{bridge, "macs", nft::key_type::port_mac};

void nft_run(std::string const& commands) { test::output_of({"nft", "-f", "-"}, commands); }
std::string ruleset() { return test::output_of({"nft", "list", "ruleset"}); }
net::address ip(std::string_view text) { return *net::address::parse(text); }

struct tables {
    tables() {
        nft_run("add table inet t\nadd chain inet t c\nadd chain inet t d\n"
                "add map inet t pods4 { type ipv4_addr : verdict; }\n"
                "add map inet t pods6 { type ipv6_addr : verdict; }\n"
                "add table bridge t\nadd chain bridge t c\n"
                "add map bridge t ports { type ifname : verdict; }\n"
                "add set bridge t macs { type ifname . ether_addr; }\n");
    }
    ~tables() { nft_run("flush ruleset\n"); }
    /// What the transaction is refused with.
    std::string refusal(std::vector<nft::element_change> const& changes) {
        auto const before = ruleset();
        try {
            backend.change(changes);
        } catch (cni::error const& e) {
            CHECK(ruleset() == before);
            return e.message();
        }
        return "";
    }
    backends::nftables backend;
};

TEST_CASE_FIXTURE(tables, "elements of every type are as nft would make them") {
    auto const longest = std::string(15, 'x');
    std::vector<nft::element_change> const all{
        nft::create(pods4, ip("10.1.0.5"), std::string(128, 'c'), "c"),
        nft::create(pods4, ip("10.1.0.6"), "", "d"),
        nft::create(pods6, ip("fd00::5"), "six", "c"),
        nft::create(ports, *net::interface_name::parse(longest), "port", "c"),
        nft::create(ports, *net::interface_name::parse("a"), "", "c"),
        nft::create(
            macs, nft::port_mac{*net::interface_name::parse(longest), *net::mac::parse("02:00:00:00:00:01")},
            "mac"),
    };
    auto const empty = ruleset();
    nft_run(nft::text(all));
    auto const by_nft = ruleset();
    nft_run("flush ruleset\n" + empty);
    REQUIRE(ruleset() == empty);

    backend.change(all); // two tables, one transaction
    CHECK(ruleset() == by_nft);
    for (auto const& each : all) CHECK(backend.find_element(each.set, each.element.key) == each.element);
    CHECK(backend.find_chain(node, "c")->references == 2);

    std::vector<nft::element_change> none;
    for (auto const& each : all) none.push_back(nft::erase(each.set, each.element.key));
    backend.change(none);
    CHECK(ruleset() == empty);
    backend.change({});
    CHECK(ruleset() == empty);
}

TEST_CASE_FIXTURE(tables, "one that is refused refuses them all, and is named") {
    auto const five = nft::create(pods4, ip("10.1.0.5"), "five", "c");
    auto const six = nft::create(pods4, ip("10.1.0.6"), "six", "c");
    backend.change({five});
    CHECK(refusal({six, five}) ==
          "cnix: nftables: cannot add 10.1.0.5 to inet t pods4 with `goto c`: File exists");
    CHECK(refusal({five, six}) ==
          "cnix: nftables: cannot add 10.1.0.5 to inet t pods4 with `goto c`: File exists");
    CHECK(refusal({six, nft::create(pods4, ip("10.1.0.5"), "five", "d")}) != ""); // EEXIST or EBUSY
    CHECK(refusal({six, nft::erase(pods4, ip("10.1.0.7"))}) ==
          "cnix: nftables: cannot delete 10.1.0.7 from inet t pods4: No such file or directory");
    CHECK(
        refusal({six, nft::create(pods6, ip("fd00::5"), "", "nowhere")}) ==
        "cnix: nftables: cannot add fd00::5 to inet t pods6 with `goto nowhere`: No such file or directory");
    CHECK(refusal({six, nft::create({node, "nowhere", nft::key_type::ipv4}, ip("10.1.0.5"), "", "c")}) ==
          "cnix: nftables: cannot add 10.1.0.5 to inet t nowhere with `goto c`: No such file or directory");
    CHECK(
        refusal({six, nft::erase(macs, nft::port_mac{*net::interface_name::parse("a"),
                                                     *net::mac::parse("02:00:00:00:00:01")})}) ==
        "cnix: nftables: cannot delete a . 02:00:00:00:00:01 from bridge t macs: No such file or directory");
    // The socket is as good as new: questions, and the order of changes.
    CHECK(backend.find_element(pods4, ip("10.1.0.5"))->comment == "five");
    backend.change(
        {nft::erase(pods4, ip("10.1.0.5")), nft::create(pods4, ip("10.1.0.5"), "again", "d"), six});
    CHECK(backend.find_element(pods4, ip("10.1.0.5"))->chain == "d");
    CHECK(backend.elements(pods4).size() == 2);
}

TEST_CASE_FIXTURE(tables, "20,000 at once, done or refused") {
    std::vector<nft::element_change> many, none;
    for (unsigned i = 0; i < 20000; ++i) {
        many.push_back(nft::create(pods4, ip("10.1.0.0") + i, std::string(100, 'c'), "c"));
        none.push_back(nft::erase(pods4, ip("10.1.0.0") + i));
    }
    CHECK(refusal(none) ==
          "cnix: nftables: cannot delete 10.1.0.0 from inet t pods4: No such file or directory");
    backend.change(many);
    CHECK(backend.elements(pods4).size() == many.size());
    CHECK(refusal(many) == "cnix: nftables: cannot add 10.1.0.0 to inet t pods4 with `goto c`: File exists");
    backend.change(none);
    CHECK(backend.elements(pods4).empty());
}

TEST_CASE_FIXTURE(tables, "without the right to") {
    CHECK(test::failures_of(1, [&](int) {
              if (::setresuid(65534, 65534, 65534) != 0) throw std::runtime_error{"cannot become nobody"};
              try {
                  backend.change({nft::create(pods4, ip("10.1.0.5"), "", "c")});
              } catch (cni::error const& e) {
                  if (e.message() == "cnix: nftables: cannot add 10.1.0.5 to inet t pods4 with `goto c`: "
                                     "Operation not permitted")
                      return;
                  throw;
              }
              throw std::runtime_error{"no error"};
          }) == 0);
    CHECK(backend.elements(pods4).empty());
}

TEST_CASE("a comment that does not fit is refused before the kernel is asked") {
    backends::nftables backend;
    CHECK_THROWS_AS(backend.change({nft::create(pods4, ip("10.1.0.5"), std::string(129, 'c'), "c")}),
                    std::length_error);
}

} // namespace
