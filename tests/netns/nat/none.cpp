#include <cnix/nat/none.hpp>

#include <laws/nat_laws.hpp>
#include <support/own_namespace.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;

test::own_namespace const own{"nft", "iptables-save", "ip6tables-save"};

TEST_CASE("none keeps the laws of a Nat that never masquerades") {
    auto const rules = [] {
        std::string text = test::output_of({"nft", "list", "ruleset"});
        for (std::string const program : {"iptables-save", "ip6tables-save"})
            text += test::output_of({program});
        return text;
    };
    laws::nat_laws<nat::none>{{}, rules}.not_asked_for();
}

} // namespace
