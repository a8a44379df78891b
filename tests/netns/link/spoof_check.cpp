#include <cnix/backends/nftables.hpp>
#include <cnix/link/spoof_check.hpp>

#include <doctest/doctest.h>

#include <laws/nat_laws.hpp>
#include <support/own_namespace.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;
using check = link::spoof_check<backends::nftables>;

test::own_namespace const own{"nft"};

std::string ruleset() { return test::output_of({"nft", "list", "ruleset"}); }
net::interface_name port(std::string_view name) { return *net::interface_name::parse(name); }
net::mac mac(std::string_view text) { return *net::mac::parse(text); }
void add(cni::attachment const& a, std::string_view name, std::string_view address) {
    cni::rollback undo;
    check{}.add(a, port(name), mac(address), undo);
    undo.commit();
}
findings faults(cni::attachment const& a, std::string_view name, std::string_view address) {
    findings found;
    check{}.check(a, port(name), mac(address), found);
    return found;
}

TEST_CASE("golden ruleset") {
    add(laws::attachment("mynet", "c1"), "veth0123456789a", "02:00:00:00:00:01");
    CHECK(ruleset() == R"(table bridge cnix {
	map ports {
		type ifname : verdict
		elements = { "veth0123456789a" comment ")" +
                           nft::comment(laws::attachment("mynet", "c1")) + R"(" : goto guarded }
	}

	set macs {
		type ifname . ether_addr
		elements = { "veth0123456789a" . 02:00:00:00:00:01 comment ")" +
                           nft::comment(laws::attachment("mynet", "c1")) + R"(" }
	}

	chain guarded {
		iifname . ether saddr @macs return
		drop
	}

	chain prerouting {
		type filter hook prerouting priority dstnat; policy accept;
		iifname vmap @ports
	}
}
)");
    check{}.del(laws::attachment("mynet", "c1"), port("veth0123456789a"));
    CHECK(ruleset() == "");
}

TEST_CASE("add, check, del") {
    auto const a = laws::attachment("mynet", "c1"), b = laws::attachment("mynet", "c2"),
               c = laws::attachment("other", "c1");
    add(a, "vetha", "02:00:00:00:00:01");
    auto const first = ruleset();
    CHECK(faults(a, "vetha", "02:00:00:00:00:01") == findings{});
    CHECK(faults(a, "vetha", "02:00:00:00:00:02").size() == 1);
    CHECK(faults(b, "vetha", "02:00:00:00:00:01").size() == 1);
    CHECK(faults(b, "vethb", "02:00:00:00:00:02").size() == 2);
    add(b, "vethb", "02:00:00:00:00:02");
    add(b, "vethb", "02:00:00:00:00:03"); // the ADD before was killed
    CHECK(faults(b, "vethb", "02:00:00:00:00:03") == findings{});
    CHECK(faults(b, "vethb", "02:00:00:00:00:02").size() == 1);
    CHECK(faults(a, "vetha", "02:00:00:00:00:01") == findings{});
    check{}.del(c, port("vethb")); // not its own
    CHECK(faults(b, "vethb", "02:00:00:00:00:03") == findings{});
    check{}.del(b, port("vethb"));
    CHECK(ruleset() == first);
    {
        cni::rollback undo;
        check{}.add(b, port("vethb"), mac("02:00:00:00:00:02"), undo);
    }
    CHECK(ruleset() == first);
    check{}.del(a, port("vetha"));
    check{}.del(a, port("vetha"));
    CHECK(ruleset() == "");
    CHECK(faults(a, "vetha", "02:00:00:00:00:01").size() == 4);
    findings found;
    check{}.status(found);
    CHECK(found == findings{});
    CHECK(ruleset() == "");
}

TEST_CASE("check finds changed rules") {
    auto const a = laws::attachment("mynet", "c1");
    add(a, "vetha", "02:00:00:00:00:01");
    test::output_of({"nft", "insert rule bridge cnix guarded accept"});
    CHECK(faults(a, "vetha", "02:00:00:00:00:01").size() == 1);
    test::output_of({"nft", "flush chain bridge cnix prerouting"});
    CHECK(faults(a, "vetha", "02:00:00:00:00:01").size() == 2);
    check{}.del(a, port("vetha"));
    CHECK(ruleset() == "");
}

TEST_CASE("gc keeps valid attachments and other networks") {
    // Two networks whose names only differ beyond what a comment holds.
    auto const long_name = std::string(110, 'n');
    auto const a = laws::attachment(long_name + "1", "c1"), b = laws::attachment(long_name + "1", "c2"),
               c = laws::attachment(long_name + "2", "c1");
    add(a, "vetha", "02:00:00:00:00:01");
    add(c, "vethc", "02:00:00:00:00:03");
    auto const kept = ruleset();
    add(b, "vethb", "02:00:00:00:00:02");
    cni::valid_attachments valid{a.network};
    valid.insert(a.container, a.interface);
    findings found;
    check{}.gc(valid, found);
    CHECK(ruleset() == kept);
    check{}.gc(cni::valid_attachments{a.network}, found);
    CHECK(faults(c, "vethc", "02:00:00:00:00:03") == findings{});
    check{}.gc(cni::valid_attachments{c.network}, found);
    CHECK(ruleset() == "");
    CHECK(found == findings{});
}

TEST_CASE("del removes what the reference left") {
    auto const reference = [](std::string const& id, std::string const& veth, std::string const& address) {
        auto const chain = "cni-br-iface-" + id;
        auto const comment = " comment \"macspoofchk-" + id + "\"\n";
        return "add table bridge nat\n"
               "add chain bridge nat PREROUTING { type filter hook prerouting priority -300; policy accept; "
               "}\n"
               "add chain bridge nat " +
               chain + "\nadd chain bridge nat " + chain + "-mac\n" +
               "add rule bridge nat PREROUTING iifname \"" + veth + "\" jump " + chain + comment +
               "add rule bridge nat " + chain + " jump " + chain + "-mac" + comment + "add rule bridge nat " +
               chain + "-mac ether saddr " + address + " return" + comment + "add rule bridge nat " + chain +
               "-mac drop" + comment;
    };
    test::output_of({"nft", "-f", "-"}, reference("c1-eth0", "veth1", "02:00:00:00:00:01"));
    auto const other = ruleset();
    test::output_of({"nft", "-f", "-"}, reference("c2-eth0", "veth2", "02:00:00:00:00:02"));
    check{}.del(laws::attachment("mynet", "c2"), port("vethb"));
    CHECK(ruleset() == other);
    test::output_of({"nft", "flush ruleset"});
}

TEST_CASE("an interface name that nft cannot quote is refused") {
    cni::rollback undo;
    CHECK_THROWS_AS(
        check{}.add(laws::attachment("mynet", "c1"), port("a\"b"), mac("02:00:00:00:00:01"), undo),
        cni::error);
    CHECK_THROWS_AS(
        check{}.add(laws::attachment("mynet", "c1"), port("veth*"), mac("02:00:00:00:00:01"), undo),
        cni::error);
    CHECK(ruleset() == "");
}

} // namespace
