#include <cnix/backends/iptables.hpp>
#include <cnix/backends/recording/iptables.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/cni/error.hpp>

#include <doctest/doctest.h>

#include <laws/iptables_backend_laws.hpp>

namespace {

using namespace cnix;
using recorded = backends::recording::iptables<backends::iptables>;

TEST_CASE("laws") {
    recorded::reset();
    laws::iptables_backend_laws<recorded>{}.all();
}

TEST_CASE("a transaction is a here document of the journal, a refused or tested one is not") {
    recorded::reset();
    backends::recording::journal::clear();
    recorded iptables;
    iptables.test(net::family::ipv4, ipt::table::nat, "-N chain\n");
    CHECK_THROWS_AS(iptables.restore(net::family::ipv4, ipt::table::nat, "-N chain\n-X nowhere\n"),
                    cni::error);
    CHECK(backends::recording::journal::text() == "");
    iptables.restore(net::family::ipv6, ipt::table::nat, "-N chain\n");
    CHECK(backends::recording::journal::text() ==
          "ip6tables-restore --noflush --wait <<'END'\n*nat\n-N chain\nCOMMIT\nEND\n");
    iptables.restore(net::family::ipv4, ipt::table::mangle, "-N chain\n");
    CHECK(backends::recording::journal::text().ends_with(
        "iptables-restore --noflush --wait <<'END'\n*mangle\n-N chain\nCOMMIT\nEND\n"));
}

} // namespace
