#include <cnix/config/read.hpp>
#include <cnix/link/bridge/config.hpp>
#include <cnix/link/bridge/port.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace cnix;
using link::bridge_config;
using netlink::port_vlan;

constexpr config::text faults(std::string_view text) {
    return to_string(config::read<bridge_config>(text, config::strict).faults);
}
std::string read_faults(std::string_view text) { return std::string{faults(text)}; }

TEST_CASE("what nobody sets") {
    auto const read = config::read<bridge_config>("{}", config::strict);
    CHECK(read.ok());
    CHECK(read.value.bridge.str() == "cni0");
    CHECK(read.value.mtu == 0);
    CHECK_FALSE(read.value.gateway());
    CHECK_FALSE(read.value.vlans());
    CHECK(config::read<bridge_config>(R"({"isDefaultGateway": true})").value.gateway());
    CHECK(config::read<bridge_config>(R"({"isGateway": true})").value.gateway());
    CHECK(config::read<bridge_config>(R"({"vlan": 1})").value.vlans());
    CHECK(config::read<bridge_config>(R"({"vlanTrunk": []})").value.vlans());
}

struct judged {
    char const* text;
    char const* faults;
};
constexpr judged judgements[]{
    // mtu
    {R"({"mtu": 0})", ""},
    {R"({"mtu": 68})", ""},
    {R"({"mtu": 65535})", ""},
    {R"({"mtu": 67})",
     "1:9: $.mtu: an MTU of 67 is impossible; it is 68 to 65535 bytes, or 0 for the kernel's choice"},
    {R"({"mtu": 65536})",
     "1:9: $.mtu: an MTU of 65536 is impossible; it is 68 to 65535 bytes, or 0 for the kernel's choice"},
    {R"({"mtu": -1})",
     "1:9: $.mtu: an MTU of -1 is impossible; it is 68 to 65535 bytes, or 0 for the kernel's choice"},
    // hairpin and promiscuous mode
    {R"({"hairpinMode": true, "promiscMode": false})", ""},
    {R"({"hairpinMode": true, "promiscMode": true})",
     "1:38: $.promiscMode: cannot set hairpin mode and promiscuous mode at "
     "the same time; leave one of them out"},
    // vlan
    {R"({"vlan": 0})", ""},
    {R"({"vlan": 4094})", ""},
    {R"({"vlan": 4095})", "1:10: $.vlan: invalid VLAN ID 4095 (must be between 0 and 4094)"},
    {R"({"vlan": -1})", "1:10: $.vlan: invalid VLAN ID -1 (must be between 0 and 4094)"},
    // the bridge's name, and that of a VLAN's gateway: 15 bytes
    {R"({"bridge": "fifteen-bytes-0"})", ""},
    {R"({"bridge": "fifteen-bytes-0", "vlan": 5})", ""},
    {R"({"bridge": "thirteen-byte", "vlan": 9, "isGateway": true})", ""},
    {R"({"bridge": "thirteen-byte", "vlan": 10, "isGateway": true})",
     "1:12: $.bridge: `thirteen-byte.10`, the gateway's interface, would be longer than 15 bytes; use a "
     "shorter bridge name"},
    {R"({"bridge": "twelve-bytes", "vlan": 99, "isGateway": true})", ""},
    {R"({"bridge": "twelve-bytes", "vlan": 100, "isDefaultGateway": true})",
     "1:12: $.bridge: `twelve-bytes.100`, the gateway's interface, would be longer than 15 bytes; use a "
     "shorter bridge name"},
    {R"({"bridge": "elevenbytes", "vlan": 999, "isGateway": true})", ""},
    {R"({"bridge": "elevenbytes", "vlan": 1000, "isGateway": true})",
     "1:12: $.bridge: `elevenbytes.1000`, the gateway's interface, would be longer than 15 bytes; use a "
     "shorter bridge name"},
    {R"({"bridge": "ten--bytes", "vlan": 4094, "isGateway": true})", ""},
    // vlanTrunk
    {R"({"vlanTrunk": []})", ""},
    {R"({"vlanTrunk": [{"id": 1}, {"minID": 1, "maxID": 4094}, {"minID": 7, "maxID": 7, "id": 4094}]})", ""},
    {R"({"vlanTrunk": [{"id": 0}]})",
     "1:23: $.vlanTrunk[0].id: incorrect trunk id parameter; a VLAN ID is 1 to 4094"},
    {R"({"vlanTrunk": [{"id": 4095}]})",
     "1:23: $.vlanTrunk[0].id: incorrect trunk id parameter; a VLAN ID is 1 to 4094"},
    {R"({"vlanTrunk": [{"minID": 0, "maxID": 1}]})",
     "1:26: $.vlanTrunk[0].minID: incorrect trunk minID parameter; a VLAN ID is 1 to 4094"},
    {R"({"vlanTrunk": [{}, {"minID": 1, "maxID": 4095}]})",
     "1:16: $.vlanTrunk[0]: an empty trunk; give `id`, or `minID` and `maxID`\n"
     "1:42: $.vlanTrunk[1].maxID: incorrect trunk maxID parameter; a VLAN ID is 1 to 4094"},
    {R"({"vlanTrunk": [{"minID": 1}]})",
     "1:16: $.vlanTrunk[0]: minID and maxID should be configured simultaneously, maxID is missing"},
    {R"({"vlanTrunk": [{"maxID": 1, "id": 2}]})",
     "1:16: $.vlanTrunk[0]: minID and maxID should be configured simultaneously, minID is missing"},
    {R"({"vlanTrunk": [{"minID": 3, "maxID": 2}]})",
     "1:16: $.vlanTrunk[0]: minID is greater than maxID in trunk parameter"},
};

TEST_CASE("what excludes what") {
    for (auto const& [text, expected] : judgements) {
        INFO(text);
        CHECK(read_faults(text) == expected);
    }
}

// The compiler says the same.
static_assert([] {
    for (auto const& [text, expected] : judgements)
        if (faults(text) != std::string_view{expected}) return false;
    return true;
}());

TEST_CASE("the VLANs of a trunk, each once") {
    bridge_config config;
    CHECK(link::trunk_vlans(config).empty());
    config.vlanTrunk = {{{.minID = 10, .maxID = 12}, {.id = 11}, {.minID = 12, .maxID = 13, .id = 5}}};
    CHECK(link::trunk_vlans(config) == std::set<std::uint16_t>{5, 10, 11, 12, 13});
    config.vlanTrunk = {{{.minID = 1, .maxID = 4094}}};
    CHECK(link::trunk_vlans(config).size() == 4094);
}

TEST_CASE("a port's VLAN table") {
    using table = std::vector<port_vlan>;
    port_vlan const untagged_100{.vid = 100, .pvid = true, .untagged = true};
    port_vlan const untagged_1{.vid = 1, .pvid = true, .untagged = true};
    auto const wanted = [](bridge_config const& config) { return link::wanted_vlans(config); };
    CHECK_FALSE(wanted({}));
    CHECK_FALSE(wanted({.vlanTrunk = {{}}}));
    CHECK(wanted({.vlan = 100}) == table{untagged_100});
    CHECK(wanted({.vlan = 1}) == table{untagged_1});
    // Without `vlan`, untagged frames are VLAN 1's, as on any port.
    CHECK(wanted({.vlanTrunk = {{{.minID = 10, .maxID = 11}}}}) ==
          table{untagged_1, {.vid = 10}, {.vid = 11}});
    CHECK(wanted({.vlanTrunk = {{{.id = 1}, {.id = 2}}}}) == table{untagged_1, {.vid = 2}});
    CHECK(wanted({.vlan = 100, .vlanTrunk = {{{.minID = 99, .maxID = 101}}}}) ==
          table{{.vid = 99}, untagged_100, {.vid = 101}});
}

} // namespace
