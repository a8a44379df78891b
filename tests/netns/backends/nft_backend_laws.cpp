#include <cnix/backends/nftables.hpp>

#include <laws/nft_backend_laws.hpp>
#include <support/own_namespace.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;

test::own_namespace const own{"nft"};

std::string ruleset() { return test::output_of({"nft", "list", "ruleset"}); }

TEST_CASE("nft keeps the laws of nft_backend") { laws::nft_backend_laws<backends::nftables>{ruleset}.all(); }

TEST_CASE("and does in a node that has rules of its own") {
    test::output_of({"nft", "-f", "-"}, "add table inet site\n"
                                        "add set inet site s { type ipv4_addr; elements = { 10.1.0.5 }; }\n"
                                        "add chain inet site c { type filter hook input priority 0; }\n"
                                        "add rule inet site c ip saddr @s accept\n");
    laws::nft_backend_laws<backends::nftables>{ruleset}.all();
}

} // namespace
