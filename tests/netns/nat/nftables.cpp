#include <cnix/backends/nftables.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/concepts/nft_script.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/nat/nftables_layout.hpp>

#include <laws/nat_laws.hpp>
#include <support/own_namespace.hpp>
#include <support/processes.hpp>
#include <support/run.hpp>
#include <unistd.h>

namespace {

using namespace cnix;
using nat_nftables = nat::nftables<backends::nftables>;

test::own_namespace const own{"nft"};

settings<nat_nftables> masquerading() {
    settings<nat_nftables> s;
    s.config.ipMasq = true;
    return s;
}
std::string ruleset() { return test::output_of({"nft", "list", "ruleset"}); }
void nft(std::string const& commands) { test::output_of({"nft", "-f", "-"}, commands); }

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
cni::result address(int i) {
    return laws::result({"10.1." + std::to_string(i / 250) + '.' + std::to_string(i % 250 + 1) + "/16",
                         "fd00::" + std::to_string(i + 1) + "/64"});
}
cni::attachment pod(int i) { return laws::attachment("mynet", "c" + std::to_string(i)); }

TEST_CASE("laws") { laws::nat_laws<nat_nftables>{masquerading(), ruleset}.all(); }

TEST_CASE("golden ruleset of one network, and of two with both families") {
    auto const a = laws::attachment("mynet", "c1"), b = laws::attachment("mynet", "c2"),
               c = laws::attachment("other", "c3");
    auto const comment = [](cni::attachment const& of) {
        return " comment \"" + nft::comment(of) + "\" : goto net-" + of.network.str();
    };
    std::string const common = R"(
	chain outbound {
		ip daddr 224.0.0.0/4 return
		ip6 daddr ff00::/8 return
		masquerade
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr vmap @pods4
		ip6 saddr vmap @pods6
	}
)";
    auto const network = [](std::string const& name) {
        return "\n\tchain net-" + name + " {\n\t\tip daddr @subnets4-" + name +
               " return\n\t\tip6 daddr @subnets6-" + name + " return\n\t\tgoto outbound\n\t}\n";
    };
    auto const subnets = [](std::string const& name, std::string const& v4, std::string const& v6) {
        auto const elements = [](std::string const& list) {
            return list.empty() ? "" : "\t\telements = { " + list + " }\n";
        };
        return "\n\tset subnets4-" + name + " {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\tauto-merge\n" +
               elements(v4) + "\t}\n\n\tset subnets6-" + name +
               " {\n\t\ttype ipv6_addr\n\t\tflags interval\n\t\tauto-merge\n" + elements(v6) + "\t}\n";
    };

    add(a, laws::result({"10.1.0.5/16"}));
    CHECK(ruleset() ==
          "table inet cnix {\n\tmap pods4 {\n\t\ttype ipv4_addr : verdict\n\t\telements = { 10.1.0.5" +
              comment(a) + " }\n\t}\n\n\tmap pods6 {\n\t\ttype ipv6_addr : verdict\n\t}\n" +
              subnets("mynet", "10.1.0.0/16", "") + common + network("mynet") + "}\n");

    add(c, laws::result({"10.9.0.7/24", "fd09::7/64"}));
    auto const two = ruleset();
    CHECK(two.find("10.9.0.7" + comment(c)) != std::string::npos);
    auto const after_maps = two.substr(two.find("\n\tset "));
    // nft lists sets before chains.
    CHECK(after_maps == subnets("mynet", "10.1.0.0/16", "") + subnets("other", "10.9.0.0/24", "fd09::/64") +
                            common + network("mynet") + network("other") + "}\n");

    // Another pod is another element, and nothing else.
    add(b, laws::result({"10.1.0.6/16"}));
    CHECK(ruleset().substr(ruleset().find("\n\tset ")) == after_maps);
    for (auto const& each : {a, b, c}) del(each);
    CHECK(ruleset() == "");
}

TEST_CASE("an address that another attachment has by now is left alone") {
    auto const old = laws::attachment("mynet", "old"), young = laws::attachment("other", "young");
    auto const r = laws::result({"10.1.0.5/16"});
    add(old, r);
    add(young, r);
    CHECK(check(young, r) == findings{});
    del(laws::with_addresses(old, r));
    CHECK(check(young, r) == findings{});
    CHECK(check(old, r) != findings{});
    del(young);
    CHECK(ruleset() == "");
}

TEST_CASE("check finds what somebody else changed") {
    auto const a = laws::attachment("mynet", "c1");
    auto const r = laws::result({"10.1.0.5/16", "fd00::5/64"});
    for (std::string const damage :
         {"delete element inet cnix pods4 { 10.1.0.5 }", "delete element inet cnix pods6 { fd00::5 }",
          "flush set inet cnix subnets4-mynet", "flush chain inet cnix postrouting",
          "flush chain inet cnix outbound", "insert rule inet cnix net-mynet counter accept",
          "delete chain inet cnix postrouting"}) {
        CAPTURE(damage);
        add(a, r);
        REQUIRE(check(a, r) == findings{});
        nft(damage);
        CHECK(check(a, r).size() == 1);
        del(a);
        CHECK(ruleset() == "");
    }
}

TEST_CASE("subnets that overlap or touch") {
    auto const a = laws::attachment("mynet", "c1"), b = laws::attachment("mynet", "c2"),
               c = laws::attachment("mynet", "c3");
    auto const ra = laws::result({"10.1.0.5/24"}), rb = laws::result({"10.1.1.5/24"}),
               rc = laws::result({"10.1.2.5/16", "255.1.2.3/8"});
    add(a, ra);
    add(b, rb);
    add(c, rc); // the network's configuration has changed meanwhile
    CHECK(check(a, ra) == findings{});
    CHECK(check(b, rb) == findings{});
    CHECK(check(c, rc) == findings{});
    for (auto const& each : {a, b, c}) del(each);
    CHECK(ruleset() == "");
}

TEST_CASE("names of any length and digits in front") {
    for (std::string const& name : {std::string{"1"}, std::string{"drop"}, std::string(118, 'n'),
                                    std::string(119, 'n'), std::string(4000, 'n')}) {
        auto const a = laws::attachment(name, std::string(3000, 'c'), "eth\"\\*");
        auto const r = laws::result({"10.1.0.5/16"});
        add(a, r);
        CHECK(check(a, r) == findings{});
        del(laws::with_addresses(a, r));
        CHECK(ruleset() == "");
    }
}

TEST_CASE("other tables stay as they are") {
    nft("add table inet cnix2\nadd table ip nat\nadd chain ip nat POSTROUTING { type nat hook postrouting "
        "priority 100; }\n"
        "add rule ip nat POSTROUTING ip saddr 10.1.0.5 counter accept\n");
    auto const before = ruleset();
    auto const a = laws::attachment("mynet", "c1");
    add(a, laws::result({"10.1.0.5/16"}));
    del(a);
    CHECK(ruleset() == before);
    nft("flush ruleset");
}

TEST_CASE("many processes add at once") {
    constexpr int n = 40;
    CHECK(test::failures_of(n, [](int i) { add(pod(i), address(i)); }) == 0);
    for (int i = 0; i < n; ++i) CHECK(check(pod(i), address(i)) == findings{});
    CHECK(test::failures_of(n, [](int i) { del(laws::with_addresses(pod(i), address(i))); }) == 0);
    CHECK(ruleset() == "");
}

TEST_CASE("the last pod leaves while others come: the survivors are all there") {
    // Every process makes and unmakes the network over and over, so that it is each other's first and last
    // pod.
    constexpr int n = 6, rounds = 25;
    CHECK(test::failures_of(n, [](int i) {
              for (int round = 0; round < rounds; ++round) {
                  auto const mine = laws::attachment(round % 2 ? "mynet" : "other", "c" + std::to_string(i));
                  add(mine, address(i));
                  if (auto const found = check(mine, address(i)); !found.empty())
                      throw std::runtime_error{found.front()};
                  del(round % 3 ? laws::with_addresses(mine, address(i)) : mine);
              }
              if (i % 2 == 0) add(pod(i), address(i));
          }) == 0);
    for (int i = 0; i < n; i += 2) CHECK(check(pod(i), address(i)) == findings{});
    for (int i = 0; i < n; i += 2) del(pod(i));
    CHECK(ruleset() == "");
}

TEST_CASE("the last pod leaves while others with other subnets come") {
    constexpr int n = 6, rounds = 25;
    // They do not touch: nft would remake the interval of a neighbour, and fail where that has left
    // meanwhile.
    auto const mine = [](int i) { return laws::result({"10." + std::to_string(2 * i) + ".0.5/16"}); };
    CHECK(test::failures_of(n, [&](int i) {
              for (int round = 0; round < rounds; ++round) {
                  add(pod(i), mine(i));
                  if (auto const found = check(pod(i), mine(i)); !found.empty())
                      throw std::runtime_error{found.front()};
                  del(laws::with_addresses(pod(i), mine(i)));
              }
          }) == 0);
    CHECK(ruleset() == "");
}

TEST_CASE("2,000 pods in one map") {
    auto const first = laws::attachment("mynet", "first");
    add(first, laws::result({"10.1.255.1/16"}));
    std::string elements;
    for (int i = 0; i < 2000; ++i)
        elements += nft::text(nat::nftables_layout::add_pod(address(i).ips[0].address.address(), pod(i)));
    nft(elements);
    auto const chains = test::output_of({"nft", "list", "chains"});
    add(laws::attachment("mynet", "last"), laws::result({"10.1.255.2/16"}));
    CHECK(test::output_of({"nft", "list", "chains"}) == chains);
    CHECK(check(pod(1234), laws::result({address(1234).ips[0].address.str()})) == findings{});

    cni::valid_attachments valid{first.network};
    valid.insert(first.container, first.interface);
    findings found;
    nat_nftables{}.gc(valid, masquerading(), found);
    CHECK(found == findings{});
    CHECK(backends::nftables{}.elements(nat::nftables_layout::pods(net::family::ipv4)).size() == 1);
    del(first);
    CHECK(ruleset() == "");
}

TEST_CASE("a network's first pod repairs the table, and status looks at all of it") {
    auto const a = laws::attachment("mynet", "c1"), b = laws::attachment("other", "c2");
    auto const of_a = laws::result({"10.1.0.5/16"}), of_b = laws::result({"10.2.0.5/16"});
    for (std::string const damage : {"flush table inet cnix\n", "delete chain inet cnix postrouting\n"}) {
        CAPTURE(damage);
        add(a, of_a);
        nft(damage);
        add(b, of_b);
        CHECK(check(b, of_b) == findings{});
        nft("delete table inet cnix\n");
    }
    nft("add table inet cnix\nadd chain inet cnix outbound\nadd chain inet cnix x\n"
        "add rule inet cnix x goto outbound\nadd map inet cnix pods4 { type ipv4_addr : mark; }\n");
    findings found;
    nat_nftables{}.status(masquerading(), found);
    CHECK(found.size() == 1);
    nft("delete table inet cnix\n");
}

TEST_CASE("nft's own words are in the error") {
    backends::nftables backend;
    std::string const script = "add element inet nowhere m { 10.1.0.1 }\n";
    try {
        backend.run(script);
        FAIL("no error");
    } catch (cni::error const& e) {
        CHECK(e.message().find("cnix: nftables: ") == 0);
        CHECK(e.message().find("nft failed (exit status 1): ") != std::string::npos);
        CHECK(e.message().find("Error: No such file or directory") != std::string::npos);
        CHECK(e.details().find(script) != std::string::npos);
    }
}

TEST_CASE("status says when transactions are not permitted") {
    CHECK(test::failures_of(1, [](int) {
              if (::setresuid(65534, 65534, 65534) != 0) throw std::runtime_error{"cannot become nobody"};
              findings found;
              nat_nftables{}.status(masquerading(), found);
              if (found.size() != 1 || found[0].find("Operation not permitted") == std::string::npos)
                  throw std::runtime_error{found.empty() ? "nothing found" : found[0]};
          }) == 0);
}

} // namespace
