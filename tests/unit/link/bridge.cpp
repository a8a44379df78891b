#include <cnix/link/bridge.hpp>

#include <doctest/doctest.h>

#include "recorded.hpp"
#include <utility>
#include <vector>

namespace {

using namespace cnix;
using namespace cnix::net::literals;
using test::bridge_settings;
using test::cidr;
using test::ip;
using test::recorded_bridge;
using test::recorded_world;
namespace recording = backends::recording;

std::vector<std::pair<char const*, link::bridge_config>> configurations() {
    return {{"plain", {}},
            {"gateway", {.isGateway = true}},
            {"default gateway", {.isDefaultGateway = true}},
            {"forced", {.isDefaultGateway = true, .forceAddress = true}},
            {"hairpin", {.hairpinMode = true, .portIsolation = true}},
            {"promiscuous", {.mtu = 1400, .promiscMode = true}},
            {"VLAN", {.vlan = 100}},
            {"VLAN with a gateway", {.isGateway = true, .vlan = 100}},
            {"trunk", {.vlanTrunk = {{{.minID = 10, .maxID = 12}, {.id = 20}}}, .preserveDefaultVlan = true}},
            {"spoof check", {.isGateway = true, .macspoofchk = true}},
            {"duplicate address detection", {.enabledad = true}}};
}

TEST_CASE("laws") {
    for (auto const& [name, config] : configurations()) {
        INFO(name);
        laws::link_laws<recorded_bridge, recording::ns, recorded_world> laws{bridge_settings(config)};
        laws.all(laws::lease({"10.1.0.2/16"}), laws::lease({"10.1.0.3/16"}));
        laws.all(laws::lease({"fd00::2/64"}), laws::lease({"fd00::3/64"}));
        laws.all(laws::lease({"10.1.0.2/16", "fd00::2/64"}), laws::lease({"10.1.0.3/16", "fd00::3/64"}));
    }
}

} // namespace
