#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/backends/recording/nft_ruleset.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/concepts/nft_script.hpp>
#include <cnix/link/spoof_check.hpp>

#include <laws/nat_laws.hpp>

namespace {

using namespace cnix;
using backends::recording::journal;
using recorded = backends::recording::nft;
using spoof_check = link::spoof_check<recorded>;

net::interface_name port(std::string_view name) { return *net::interface_name::parse(name); }
net::mac mac(std::string_view text) { return *net::mac::parse(text); }
void add(cni::attachment const& a, std::string_view name, std::string_view address) {
    cni::rollback undo;
    spoof_check{}.add(a, port(name), mac(address), undo);
    undo.commit();
}
std::string create(cni::attachment const& a, std::string const& name, std::string const& address) {
    auto const comment = " comment \"" + nft::comment(a) + '"';
    return "create element bridge cnix macs { \"" + name + "\" . " + address + comment + " }\n" +
           "create element bridge cnix ports { \"" + name + '"' + comment + " : goto guarded }\n";
}
struct fresh {
    fresh() {
        recorded::reset();
        journal::clear();
    }
    cni::attachment a = laws::attachment("mynet", "c1");
    cni::attachment b = laws::attachment("mynet", "c2");
};

TEST_CASE_FIXTURE(fresh, "a verb is one transaction, of elements unless it is the first or last port's") {
    add(a, "vetha", "02:00:00:00:00:01");
    CHECK(journal::text() ==
          "nft -f - <<'END'\n"
          "add table bridge cnix\n"
          "add map bridge cnix ports { type ifname : verdict; }\n"
          "add set bridge cnix macs { type ifname . ether_addr; }\n"
          "add chain bridge cnix guarded\n"
          "flush chain bridge cnix guarded\n"
          "add rule bridge cnix guarded iifname . ether saddr @macs return\n"
          "add rule bridge cnix guarded drop\n"
          "add chain bridge cnix prerouting { type filter hook prerouting priority -300; }\n"
          "flush chain bridge cnix prerouting\n"
          "add rule bridge cnix prerouting iifname vmap @ports\n" +
              create(a, "vetha", "02:00:00:00:00:01") + "END\n");
    journal::clear();
    add(b, "vethb", "02:00:00:00:00:02");
    CHECK(journal::text() == "nft -f - <<'END'\n" + create(b, "vethb", "02:00:00:00:00:02") + "END\n");
    journal::clear();
    add(b, "vethb", "02:00:00:00:00:03"); // the ADD before was killed
    std::string const erase_b = "delete element bridge cnix ports { \"vethb\" }\n"
                                "delete element bridge cnix macs { \"vethb\" . 02:00:00:00:00:0";
    CHECK(journal::text() ==
          "nft -f - <<'END'\n" + erase_b + "2 }\n" + create(b, "vethb", "02:00:00:00:00:03") + "END\n");
    journal::clear();
    spoof_check{}.del(b, port("vethb"));
    CHECK(journal::text() == "nft -f - <<'END'\n" + erase_b + "3 }\nEND\n");
    journal::clear();
    spoof_check{}.del(a, port("vetha"));
    CHECK(journal::lines().size() == 2);
    CHECK(recorded::ruleset().text() == "");
}

TEST_CASE_FIXTURE(fresh, "gc is one transaction") {
    add(a, "vetha", "02:00:00:00:00:01");
    auto const kept = recorded::ruleset().text();
    add(b, "vethb", "02:00:00:00:00:02");
    journal::clear();
    cni::valid_attachments valid{a.network};
    valid.insert(a.container, a.interface);
    findings found;
    spoof_check{}.gc(valid, found);
    CHECK(found == findings{});
    CHECK(journal::lines().size() == 1);
    CHECK(recorded::ruleset().text() == kept);
    spoof_check{}.gc(valid, found);
    CHECK(journal::lines().size() == 1);
}

TEST_CASE_FIXTURE(fresh, "a name that nft cannot quote is refused for every port alike") {
    CHECK_THROWS_AS(add(a, "veth*", "02:00:00:00:00:01"), cni::error);
    add(a, "vetha", "02:00:00:00:00:01");
    CHECK_THROWS_AS(add(b, "veth*", "02:00:00:00:00:02"), cni::error);
}

} // namespace
