#include <cnix/backends/nftables.hpp>

#include "site_nat.hpp"
#include <laws/nat_laws.hpp>
#include <support/own_namespace.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;
using backends::nftables;
using site_nat = site::nat<nftables>;

test::own_namespace const own{"nft"};

settings<site_nat> masquerading() {
    settings<site_nat> s;
    s.config.ipMasq = true;
    return s;
}

TEST_CASE("status names what is missing") {
    findings found;
    site_nat{}.status(masquerading(), found);
    REQUIRE(found.size() == 1);
    CHECK(found[0].starts_with("the node's firewall lacks its sets for pods: "));
}

TEST_CASE("laws") {
    nftables{}.run("add table inet site\n"
                   "add set inet site pods4 { type ipv4_addr; }\n"
                   "add set inet site pods6 { type ipv6_addr; }\n");
    laws::nat_laws<site_nat>{masquerading(), [] { return test::output_of({"nft", "list", "ruleset"}); }}
        .all();
}

} // namespace
