#include <cnix/backends/nftables.hpp>
#include <cnix/nat/nftables.hpp>

#include <laws/nat_laws.hpp>
#include <support/own_namespace.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;
using nat_nftables = nat::nftables<backends::libnftables>;

test::own_namespace const own{"nft"};

settings<nat_nftables> masquerading() {
    settings<nat_nftables> s;
    s.config.ipMasq = true;
    return s;
}
std::string ruleset() { return test::output_of({"nft", "list", "ruleset"}); }

TEST_CASE("laws") { laws::nat_laws<nat_nftables>{masquerading(), ruleset}.all(); }

} // namespace
