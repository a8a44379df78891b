#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/backends/recording/nft_ruleset.hpp>
#include <cnix/concepts/nft_script.hpp>
#include <cnix/config/read.hpp>
#include <cnix/nat/nftables.ipp>

#include <cerrno>
#include <functional>
#include <laws/nat_laws.hpp>
#include <system_error>
#include <utility>

namespace {

using namespace cnix;
using backends::recording::journal;
using recorded = backends::recording::nft;
using nat_nftables = nat::nftables<recorded>;

settings<nat_nftables> masquerading() {
    settings<nat_nftables> s;
    s.config.ipMasq = true;
    return s;
}
void add(cni::attachment const& a, cni::result const& r) {
    cni::rollback undo;
    nat_nftables{}.add(a, masquerading(), r, undo);
    undo.commit();
}
void del(cni::attachment const& a) { nat_nftables{}.del(a, masquerading()); }
findings check(cni::attachment const& a, cni::result const& r) {
    findings found;
    nat_nftables{}.check(a, masquerading(), r, found);
    return found;
}
std::string transaction(std::string const& commands) { return "nft -f - <<'END'\n" + commands + "END\n"; }
std::string create(char map, cni::attachment const& a, std::string const& address) {
    return std::string{"create element inet cnix pods"} + map + " { " + address + " comment \"" +
           nft::comment(a) + "\" : goto net-" + a.network.str() + " }\n";
}
struct fresh {
    fresh() {
        recorded::reset();
        journal::clear();
    }
};

TEST_CASE_FIXTURE(fresh, "laws") {
    laws::nat_laws<nat_nftables>{masquerading(), [] { return recorded::ruleset().text(); }}.all();
}

TEST_CASE_FIXTURE(fresh, "a verb is one transaction") {
    auto const a = laws::attachment("mynet", "c1"), b = laws::attachment("mynet", "c2"),
               c = laws::attachment("mynet", "c3");
    auto const both = laws::result({"10.1.0.6/16", "fd00::6/64"});
    add(a, laws::result({"10.1.0.5/16"}));
    CHECK(journal::text() ==
          transaction("add table inet cnix\n"
                      "add map inet cnix pods4 { type ipv4_addr : verdict; }\n"
                      "add map inet cnix pods6 { type ipv6_addr : verdict; }\n"
                      "add chain inet cnix outbound\n"
                      "flush chain inet cnix outbound\n"
                      "add rule inet cnix outbound ip daddr 224.0.0.0/4 return\n"
                      "add rule inet cnix outbound ip6 daddr ff00::/8 return\n"
                      "add rule inet cnix outbound masquerade\n"
                      "add chain inet cnix postrouting { type nat hook postrouting priority 100; }\n"
                      "flush chain inet cnix postrouting\n"
                      "add rule inet cnix postrouting ip saddr vmap @pods4\n"
                      "add rule inet cnix postrouting ip6 saddr vmap @pods6\n"
                      "add set inet cnix subnets4-mynet { type ipv4_addr; flags interval; auto-merge; }\n"
                      "add set inet cnix subnets6-mynet { type ipv6_addr; flags interval; auto-merge; }\n"
                      "add chain inet cnix net-mynet\n"
                      "flush chain inet cnix net-mynet\n"
                      "add rule inet cnix net-mynet ip daddr @subnets4-mynet return\n"
                      "add rule inet cnix net-mynet ip6 daddr @subnets6-mynet return\n"
                      "add rule inet cnix net-mynet goto outbound\n"
                      "add element inet cnix subnets4-mynet { 10.1.0.0/16 }\n" +
                      create('4', a, "10.1.0.5")));
    journal::clear();
    add(b, both); // the network's first pod with IPv6
    CHECK(journal::lines().size() == 1);
    CHECK(journal::text().ends_with("add element inet cnix subnets4-mynet { 10.1.0.0/16 }\n"
                                    "add element inet cnix subnets6-mynet { fd00::/64 }\n" +
                                    create('4', b, "10.1.0.6") + create('6', b, "fd00::6") + "END\n"));
    journal::clear();
    add(c, laws::result({"10.1.0.7/16", "fd00::7/64"}));
    CHECK(journal::text() == transaction(create('4', c, "10.1.0.7") + create('6', c, "fd00::7")));
    journal::clear();
    del(laws::with_addresses(b, both));
    CHECK(journal::text() == transaction("delete element inet cnix pods4 { 10.1.0.6 }\n"
                                         "delete element inet cnix pods6 { fd00::6 }\n"));
}

TEST_CASE_FIXTURE(fresh, "an address that the result names twice is one pod") {
    auto const a = laws::attachment("mynet", "c1");
    auto const twice = laws::result({"10.1.0.5/16", "10.1.0.5/16"});
    add(a, twice);
    CHECK(check(a, twice) == findings{});
    del(laws::with_addresses(a, twice));
    CHECK(recorded::ruleset().text() == "");
}

/// What other processes do between an ADD's questions and its transaction.
struct raced : recorded {
    void change(std::vector<cnix::nft::element_change> const& changes) {
        if (auto const others = std::exchange(meanwhile, nullptr)) others();
        recorded::change(changes);
    }
    void run(std::string_view script) {
        ++scripts;
        recorded::run(script);
    }
    static inline std::function<void()> meanwhile;
    static inline int scripts = 0;
};
void raced_add(cni::attachment const& a, cni::result const& r, std::function<void()> const& meanwhile) {
    settings<nat::nftables<raced>> on;
    on.config.ipMasq = true;
    raced::meanwhile = meanwhile;
    raced::scripts = 0;
    cni::rollback undo;
    nat::nftables<raced>{}.add(a, on, r, undo);
    undo.commit();
    CHECK(!raced::meanwhile);
}

TEST_CASE_FIXTURE(fresh, "while a pod comes, others leave and come") {
    auto const first = laws::attachment("mynet", "first"), other = laws::attachment("mynet", "other"),
               pod = laws::attachment("mynet", "pod");
    auto const rf = laws::result({"10.1.0.5/16"}), ro = laws::result({"10.2.0.5/16"}),
               rp = laws::result({"10.1.0.6/16"});
    SUBCASE("nothing") {
        add(first, rf);
        raced_add(pod, rp, [] {});
        CHECK(raced::scripts == 0);
        del(first);
    }
    SUBCASE("the last pod leaves") {
        add(first, rf);
        raced_add(pod, rp, [&] { del(first); });
        CHECK(raced::scripts == 1);
    }
    SUBCASE("the last pod leaves, and one of another subnet makes the network anew") {
        add(first, rf);
        raced_add(pod, rp, [&] {
            del(first);
            add(other, ro);
        });
        CHECK(raced::scripts == 1);
        CHECK(check(other, ro) == findings{});
        del(other);
    }
    SUBCASE("another one gets the same address") {
        add(first, rf);
        raced_add(pod, rp, [&] { add(other, rp); });
        CHECK(check(other, rp).size() == 1);
        del(other);
        del(first);
    }
    CHECK(check(pod, rp) == findings{});
    del(pod);
    CHECK(recorded::ruleset().text() == "");
}

TEST_CASE_FIXTURE(fresh, "verbs cost as much with 2,000 pods as with one") {
    using backends::recording::faults;
    using cost = std::pair<std::size_t, unsigned>; // bytes of script, operations of the backend
    auto const pod = laws::attachment("mynet", "measured");
    auto const addresses = laws::result({"10.1.255.1/16"});
    auto const cost_of = [](auto const& verb) {
        journal::clear();
        faults::clear();
        verb();
        return cost{journal::text().size(), faults::calls()};
    };
    auto const add_it = [&] { add(pod, addresses); };
    auto const del_it = [&] { del(laws::with_addresses(pod, addresses)); };
    auto const result_of = [](std::uint64_t i) {
        cni::result r;
        r.ips.push_back({*net::prefix::make(*net::address::parse("10.1.0.1") + i, 16), {}, {}});
        return r;
    };
    auto const attachment_of = [](std::uint64_t i) {
        return laws::attachment("mynet", "c" + std::to_string(i));
    };
    add(attachment_of(0), result_of(0));
    auto const add_one = cost_of(add_it), del_one = cost_of(del_it);
    std::string others; // in one transaction: each one copies the ruleset
    for (std::uint64_t i = 1; i < 2000; ++i)
        others += create('4', attachment_of(i), result_of(i).ips[0].address.address().str());
    recorded{}.run(others);
    CHECK(check(attachment_of(1999), result_of(1999)) == findings{});
    CHECK(cost_of(add_it) == add_one);
    CHECK(cost_of(del_it) == del_one);
    CHECK(add_one.first > 0);
    CHECK(del_one.first > 0);
}

TEST_CASE_FIXTURE(fresh, "an address that another attachment has by now is left alone") {
    auto const old = laws::attachment("mynet", "old"), young = laws::attachment("mynet", "young");
    auto const r = laws::result({"10.1.0.5/16"});
    add(old, r);
    add(young, r); // the IPAM released it without DEL
    CHECK(check(young, r) == findings{});
    del(laws::with_addresses(old, r));
    CHECK(check(young, r) == findings{});
    del(old);
    CHECK(check(young, r) == findings{});
    CHECK(check(old, r).size() == 1);
}

TEST_CASE_FIXTURE(fresh, "an address that moves to another network leads there") {
    auto const old = laws::attachment("mynet", "c1"), young = laws::attachment("other", "c1");
    auto const r = laws::result({"10.1.0.5/16"});
    add(old, r);
    add(young, r);
    CHECK(check(young, r) == findings{});
    del(laws::with_addresses(old, r)); // what is left of mynet goes
    CHECK(recorded::ruleset().text().find("mynet ") == std::string::npos);
    CHECK(check(young, r) == findings{});
    del(laws::with_addresses(young, r));
    CHECK(recorded::ruleset().text() == "");
}

TEST_CASE_FIXTURE(fresh, "what a DEL that was killed left is removed by the next") {
    auto const a = laws::attachment("mynet", "c1");
    auto const r = laws::result({"10.1.0.5/16"});
    add(a, r);
    recorded{}.run("delete element inet cnix pods4 { 10.1.0.5 }\n");
    del(laws::with_addresses(a, r));
    CHECK(recorded::ruleset().text() == "");
}

TEST_CASE_FIXTURE(fresh, "check tells what is wrong") {
    auto const a = laws::attachment("mynet", "c1");
    auto const r = laws::result({"10.1.0.5/16"});
    auto const after = [&](std::string const& script) {
        recorded::reset();
        add(a, r);
        recorded{}.run(script);
        return check(a, r);
    };
    std::string const gone = "delete element inet cnix pods4 { 10.1.0.5 }\n";
    CHECK(after("") == findings{});
    CHECK(after(gone) ==
          findings{"nftables: 10.1.0.5 in map inet cnix pods4 is missing: its traffic leaves unmasqueraded"});
    CHECK(after(gone + "create element inet cnix pods4 { 10.1.0.5 : goto outbound }\n") ==
          findings{"nftables: 10.1.0.5 in map inet cnix pods4 belongs to another attachment: "});
    CHECK(after(gone + "add chain inet cnix x\ncreate element inet cnix pods4 { 10.1.0.5 comment \"" +
                nft::comment(a) + "\" : goto x }\n") ==
          findings{"nftables: 10.1.0.5 in map inet cnix pods4 leads to chain x instead of net-mynet"});
    CHECK(after("delete element inet cnix subnets4-mynet { 10.1.0.0/16 }\n") ==
          findings{"nftables: set inet cnix subnets4-mynet does not hold 10.1.0.0/16: traffic within it is "
                   "masqueraded"});
    CHECK(after("flush chain inet cnix outbound\n") ==
          findings{"nftables: chain inet cnix outbound has other rules than cnix gave it: none"});
    CHECK(after("add rule inet cnix net-mynet drop\n") ==
          findings{"nftables: chain inet cnix net-mynet has other rules than cnix gave it: `ip daddr "
                   "@subnets4-mynet return`, "
                   "`ip6 daddr @subnets6-mynet return`, `goto outbound`, `drop`"});
    CHECK(after("delete chain inet cnix postrouting\n") ==
          findings{"nftables: chain inet cnix postrouting is missing"});
    CHECK(after("delete chain inet cnix postrouting\n"
                "add chain inet cnix postrouting { type nat hook postrouting priority 0; }\n"
                "add rule inet cnix postrouting ip saddr vmap @pods4\n"
                "add rule inet cnix postrouting ip6 saddr vmap @pods6\n") ==
          findings{
              "nftables: chain inet cnix postrouting is hooked to \"postrouting\" as \"nat\" at priority 0"});
}

TEST_CASE_FIXTURE(fresh, "the next add repairs what somebody else broke") {
    auto const a = laws::attachment("mynet", "c1"), b = laws::attachment("mynet", "c2");
    auto const ra = laws::result({"10.1.0.5/16"}), rb = laws::result({"10.1.0.6/16"});
    add(a, ra);
    recorded{}.run("flush chain inet cnix net-mynet\ndelete set inet cnix subnets4-mynet\n");
    add(b, rb);
    CHECK(check(b, rb) == findings{});
    CHECK(check(a, ra) == findings{});
}

TEST_CASE_FIXTURE(fresh, "whichever operation fails, add leaves nothing, and a second del ends the first") {
    using backends::recording::faults;
    auto const a = laws::attachment("mynet", "c1");
    auto const r = laws::result({"10.1.0.5/16", "fd00::5/64"});
    auto const before = recorded::ruleset().text();
    /// Whether the n-th operation of the verb was reached.
    auto const fails = [](unsigned n, auto const& verb) {
        bool failed = false;
        faults::fail_call(n, EIO);
        try {
            verb();
        } catch (std::system_error const&) {
            failed = true;
        }
        faults::clear();
        return failed;
    };
    unsigned n = 1;
    for (; fails(n, [&] { add(a, r); }); ++n) CHECK(recorded::ruleset().text() == before);
    CHECK(n > 3);
    del(a);
    for (auto const& known : {a, laws::with_addresses(a, r)}) {
        for (n = 1;; ++n) {
            add(a, r);
            bool const failed = fails(n, [&] { del(known); });
            del(known);
            CHECK(recorded::ruleset().text() == before);
            if (!failed) break;
        }
        CHECK(n > 3);
    }
}

TEST_CASE("names and comments have a bound") {
    auto const network = [](std::size_t size) { return *cni::network_name::parse(std::string(size, 'n')); };
    CHECK(nft::network_object("net", network(5)) == "net-nnnnn");
    CHECK(nft::network_object("net", network(123)).size() == 127);
    CHECK(nft::network_object("net", network(124)) == "net/" + cni::digest(network(124).str()));
    CHECK(nft::network_object("subnets4", network(118)).size() == 127);
    CHECK(nft::network_object("subnets4", network(119)).size() == 41);

    auto const a = laws::attachment("mynet", std::string(300, 'c'));
    CHECK(nft::comment(a).size() == nft::max_comment);
    CHECK(nft::digest_of(nft::comment(a)) == a.digest());
    auto const b = laws::attachment("mynet", "c1",
                                    "a\"\\\xff"
                                    "z");
    CHECK(nft::comment(b) == b.digest() + " mynet/c1/a???z");
    CHECK(nft::comments_on(nft::comment(b), b.network));
    CHECK(!nft::comments_on(nft::comment(b), *cni::network_name::parse("mynet2")));
    CHECK(!nft::comments_on(nft::comment(b), *cni::network_name::parse("myne")));
    CHECK(nft::digest_of("") == "");
    CHECK(nft::digest_of("some rule of mine") == "");
    CHECK(nft::digest_of(std::string(32, 'g')) == "");
}

TEST_CASE("ipMasqBackend is checked") {
    using config::read;
    CHECK(read<nat::nftables_config>(R"({"ipMasq": true})").ok());
    CHECK(read<nat::nftables_config>(R"({"ipMasq": true, "ipMasqBackend": "nftables"})").ok());
    auto const iptables = read<nat::nftables_config>(R"({"ipMasqBackend": "iptables"})");
    REQUIRE(iptables.faults.size() == 1);
    CHECK(iptables.faults[0].path == "$.ipMasqBackend");
    CHECK(std::string{iptables.faults[0].message}.find("`bridge-iptables`") != std::string::npos);
    auto const other = read<nat::nftables_config>(R"({"ipMasqBackend": "pf"})");
    REQUIRE(other.faults.size() == 1);
    CHECK(other.faults[0].message == "unknown backend `pf`: write `nftables`, or leave `ipMasqBackend` out");
    static_assert(!read<nat::nftables_config>(R"({"ipMasqBackend": "iptables"})").ok());
}

} // namespace
