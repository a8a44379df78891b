#include <cnix/backends/recording.hpp>
#include <cnix/config/read.hpp>
#include <cnix/nat/none.hpp>

#include <doctest/doctest.h>

#include <laws/nat_laws.hpp>
#include <laws/node_nat_laws.hpp>

namespace {

using cnix::config::read;
using cnix::nat::none_config;

TEST_CASE("none keeps the laws of a Nat that never masquerades") {
    cnix::laws::nat_laws<cnix::nat::none>{{}, cnix::backends::recording::journal::text}.not_asked_for();
}

TEST_CASE("and those of one that leaves the node's connections alone") {
    cnix::laws::node_nat_laws<cnix::nat::none>{cnix::backends::recording::journal::text}.all();
}

TEST_CASE("ipMasq is refused with the plugins that do it") {
    CHECK(read<none_config>("{}").ok());
    CHECK(read<none_config>(R"({"ipMasq": false})").ok());
    auto const asked = read<none_config>(R"({"ipMasq": true})");
    REQUIRE(asked.faults.size() == 1);
    CHECK(asked.faults[0].path == "$.ipMasq");
    CHECK(asked.faults[0].message ==
          "this plugin does not masquerade: use the plugin `bridge` (nftables) or `bridge-iptables`, or "
          "leave `ipMasq` out");
    static_assert(!read<none_config>(R"({"ipMasq": true})").ok());
}

} // namespace
