#include <cnix/backends/iptables.hpp>
#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/iptables.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/config/read.hpp>
#include <cnix/nat/iptables.ipp>

#include <cerrno>
#include <laws/nat_laws.hpp>
#include <system_error>

namespace {

using namespace cnix;
using backends::recording::journal;
using recorded = backends::recording::iptables<backends::iptables>;
using nat_iptables = nat::iptables<recorded>;

settings<nat_iptables> masquerading() {
    settings<nat_iptables> s;
    s.config.ipMasq = true;
    return s;
}
void add(cni::attachment const& a, cni::result const& r) {
    cni::rollback undo;
    nat_iptables{}.add(a, masquerading(), r, undo);
    undo.commit();
}
void del(cni::attachment const& a) { nat_iptables{}.del(a, masquerading()); }
findings check(cni::attachment const& a, cni::result const& r) {
    findings found;
    nat_iptables{}.check(a, masquerading(), r, found);
    return found;
}
std::string state() {
    std::string text;
    for (auto family : {net::family::ipv4, net::family::ipv6})
        for (auto const& line : recorded{}.save(family, ipt::table::nat)) text += line + '\n';
    return text;
}
struct fresh {
    fresh() {
        recorded::reset();
        journal::clear();
    }
};
/// What was done since the last call, without the frame of the here document.
std::string commands() {
    auto const text = journal::text();
    journal::clear();
    return text;
}
std::string transaction(std::string const& program, std::string const& lines) {
    return program + "-restore --noflush --wait <<'END'\n*nat\n" + lines + "COMMIT\nEND\n";
}

// The reference's name for mynet, c1, and its comment as iptables-save quotes it.
std::string const chain = "CNI-f0bca4ac77cde1bf2f3da5df";
std::string const comment = R"(-m comment --comment "name: \"mynet\" id: \"c1\"")";

TEST_CASE_FIXTURE(fresh, "laws") { laws::nat_laws<nat_iptables>{masquerading(), state}.all(); }

TEST_CASE_FIXTURE(fresh, "the reference's rules, one transaction a family") {
    auto const a = laws::attachment("mynet", "c1");
    auto const r = laws::result({"10.22.0.2/16", "fd00::2/64"});
    add(a, r);
    CHECK(commands() ==
          transaction("iptables", "-N " + chain + "\n-A " + chain + " -d 10.22.0.0/16 " + comment +
                                      " -j ACCEPT\n-A " + chain + " ! -d 224.0.0.0/4 " + comment +
                                      " -j MASQUERADE\n-A POSTROUTING -s 10.22.0.2/32 " + comment + " -j " +
                                      chain + '\n') +
              transaction("ip6tables", "-N " + chain + "\n-A " + chain + " -d fd00::/64 " + comment +
                                           " -j ACCEPT\n-A " + chain + " ! -d ff00::/8 " + comment +
                                           " -j MASQUERADE\n-A POSTROUTING -s fd00::2/128 " + comment +
                                           " -j " + chain + '\n'));
    del(laws::with_addresses(a, r));
    CHECK(commands() == transaction("iptables", "-D POSTROUTING -s 10.22.0.2/32 " + comment + " -j " + chain +
                                                    "\n-F " + chain + "\n-X " + chain + '\n') +
                            transaction("ip6tables", "-D POSTROUTING -s fd00::2/128 " + comment + " -j " +
                                                         chain + "\n-F " + chain + "\n-X " + chain + '\n'));
}

TEST_CASE_FIXTURE(fresh, "an ADD that is repeated changes nothing") {
    auto const a = laws::attachment("mynet", "c1");
    auto const r = laws::result({"10.22.0.2/16"});
    add(a, r);
    commands();
    add(a, r);
    CHECK(commands() == "");
}

TEST_CASE_FIXTURE(
    fresh, "the second interface's subnet is accepted before anything is masqueraded, and goes with it") {
    auto const a = laws::attachment("mynet", "c1", "eth0"), b = laws::attachment("mynet", "c1", "eth1");
    auto const ra = laws::result({"10.22.0.2/16"}), rb = laws::result({"10.33.0.2/16"});
    add(a, ra);
    commands();
    add(b, rb);
    CHECK(commands() == transaction("iptables", "-I " + chain + " 1 -d 10.33.0.0/16 " + comment +
                                                    " -j ACCEPT\n-A POSTROUTING -s 10.33.0.2/32 " + comment +
                                                    " -j " + chain + '\n'));
    del(laws::with_addresses(b, rb));
    CHECK(commands() ==
          transaction("iptables", "-D POSTROUTING -s 10.33.0.2/32 " + comment + " -j " + chain + "\n-D " +
                                      chain + " -d 10.33.0.0/16 " + comment + " -j ACCEPT\n"));
    CHECK(check(a, ra) == findings{});
}

TEST_CASE_FIXTURE(fresh, "an ACCEPT that the reference put behind MASQUERADE is a fault, and add moves it") {
    auto const a = laws::attachment("mynet", "c1", "eth0"), b = laws::attachment("mynet", "c1", "eth1");
    auto const ra = laws::result({"10.22.0.2/16"}), rb = laws::result({"10.33.0.2/16"});
    add(a, ra);
    recorded{}.restore(net::family::ipv4, ipt::table::nat,
                       "-A " + chain + " -d 10.33.0.0/16 " + comment +
                           " -j ACCEPT\n-A POSTROUTING -s 10.33.0.2/32 " + comment + " -j " + chain + '\n');
    CHECK(check(b, rb) == findings{"iptables: missing in table nat: -A " + chain + " -d 10.33.0.0/16 " +
                                   comment + " -j ACCEPT"});
    add(b, rb);
    CHECK(check(b, rb) == findings{});
    del(laws::with_addresses(a, ra));
    CHECK(check(b, rb) == findings{});
    del(b); // nobody knows its addresses
    CHECK(state().find("CNI-") == std::string::npos);
}

TEST_CASE_FIXTURE(fresh, "gc touches no other chains") {
    auto const foreign =
        "-N CNI-DN-0123456789012345678901\n-N CNI-HOSTPORT-DNAT\n-A POSTROUTING -s 10.1.0.0/16 " + comment +
        " -j CNI-HOSTPORT-DNAT\n";
    recorded{}.restore(net::family::ipv4, ipt::table::nat, foreign);
    auto const before = state();
    add(laws::attachment("mynet", "c1"), laws::result({"10.22.0.2/16"}));
    findings found;
    nat_iptables{}.gc(cni::valid_attachments{*cni::network_name::parse("mynet")}, masquerading(), found);
    CHECK(found == findings{});
    CHECK(state() == before);
}

TEST_CASE_FIXTURE(fresh, "whichever operation fails, add leaves nothing, and a second del ends the first") {
    using backends::recording::faults;
    auto const a = laws::attachment("mynet", "c1");
    auto const r = laws::result({"10.1.0.5/16", "fd00::5/64"});
    auto const before = state();
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
    for (; fails(n, [&] { add(a, r); }); ++n) CHECK(state() == before);
    CHECK(n > 3);
    del(a);
    for (auto const& known : {a, laws::with_addresses(a, r)}) {
        for (n = 1;; ++n) {
            add(a, r);
            bool const failed = fails(n, [&] { del(known); });
            del(known);
            CHECK(state() == before);
            if (!failed) break;
        }
        CHECK(n > 3);
    }
}

struct tested : recorded {
    static inline std::vector<net::family> families{};
    void test(net::family family, ipt::table table, std::string_view commands) {
        families.push_back(family);
        recorded::test(family, table, commands);
    }
};

TEST_CASE_FIXTURE(fresh, "STATUS tries what an ADD would run: IPv6 only if it will have such addresses") {
    auto const tries = [](std::initializer_list<char const*> subnets) {
        tested::families.clear();
        settings<nat::iptables<tested>> asked;
        asked.config.ipMasq = true;
        for (char const* const subnet : subnets)
            asked.expected.push_back({.address = net::prefix::parse(subnet).value()});
        findings found;
        nat::iptables<tested>{}.status(asked, found);
        CHECK(found.empty());
        return tested::families;
    };
    using all = std::vector<net::family>;
    CHECK(tries({}) == all{net::family::ipv4});
    CHECK(tries({"10.1.0.0/16", "10.2.0.0/16"}) == all{net::family::ipv4});
    CHECK(tries({"fd00::/64"}) == all{net::family::ipv6});
    CHECK(tries({"10.1.0.0/16", "fd00::/64"}) == all{net::family::ipv4, net::family::ipv6});
}

TEST_CASE("comments have a bound") {
    auto const a = laws::attachment("mynet", std::string(300, 'c'));
    auto const text = nat::iptables_layout::comment(a.network, a.container);
    CHECK(text.size() == std::string{"-m comment --comment \"\""}.size() + 255 +
                             3); // three escaped quotes, the last is cut off
}

TEST_CASE("ipMasqBackend is checked") {
    using config::read;
    CHECK(read<nat::iptables_config>(R"({"ipMasq": true, "ipMasqBackend": "iptables"})").ok());
    auto const nftables = read<nat::iptables_config>(R"({"ipMasqBackend": "nftables"})");
    REQUIRE(nftables.faults.size() == 1);
    CHECK(nftables.faults[0].path == "$.ipMasqBackend");
    CHECK(std::string{nftables.faults[0].message}.find("`bridge`") != std::string::npos);
    CHECK(!read<nat::iptables_config>(R"({"ipMasqBackend": "pf"})").ok());
}

} // namespace
