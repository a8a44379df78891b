#include <cnix/backends/libnftables.hpp>

#include <laws/nft_backend_laws.hpp>
#include <support/own_namespace.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;

test::own_namespace const own{"nft"};

TEST_CASE("libnftables keeps the laws of nft_backend") {
    laws::nft_backend_laws<backends::libnftables>{[] {
        return test::output_of({"nft", "list", "ruleset"});
    }}.all();
}

} // namespace
