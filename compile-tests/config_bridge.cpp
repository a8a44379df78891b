// Configurations that the bundled bridge plugin does not take: the compiler says where and why, as the plugin would.
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/config/embedded.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/plugin.hpp>

using namespace cnix;
using bridge = plugin<link::bridge<archetypes::netlink>, ipam::host_local, nat::nftables<archetypes::nft>,
                      archetypes::ns>;
using bridge_without_nat =
    plugin<link::bridge<archetypes::netlink>, ipam::host_local, nat::none, archetypes::ns>;

template <class Plugin> consteval config::verdict judged(std::string_view text) {
    return config::judge(typename Plugin::entry{text, config::strict}.faults(), "net.conf");
}

#define CNIX_CONFIG(...) judged<bridge>(#__VA_ARGS__)
#define CNIX_CONFIG_WITHOUT_NAT(...) judged<bridge_without_nat>(#__VA_ARGS__)

constexpr auto good = CNIX_CONFIG({
    "cniVersion" : "1.1.0",
    "name" : "n",
    "type" : "bridge",
    "bridge" : "cni0",
    "isDefaultGateway" : true,
    "ipMasq" : true,
    "hairpinMode" : true,
    "mtu" : 1450,
    "vlan" : 0,
    "macspoofchk" : false,
    "ipam" : {
        "type" : "host-local",
        "ranges" : [[ {"subnet" : "10.1.0.0/16", "gateway" : "10.1.0.1"} ]],
        "routes" : [ {"dst" : "0.0.0.0/0"} ]
    }
});
static_assert(config::accepted<good>);

// FAIL unknown_key: net.conf:1:[0-9]+: \$: unknown key `isGatway`, did you mean `isGateway`
#ifdef CT_unknown_key
constexpr auto bad = CNIX_CONFIG({"name" : "n", "type" : "bridge", "isGatway" : true});
static_assert(config::accepted<bad>);
#endif

// FAIL wrong_type: \$\.mtu: expected an integer
#ifdef CT_wrong_type
constexpr auto bad = CNIX_CONFIG({"name" : "n", "type" : "bridge", "mtu" : "1500"});
static_assert(config::accepted<bad>);
#endif

// FAIL mtu_out_of_bounds: \$\.mtu: an MTU of 67 is impossible
#ifdef CT_mtu_out_of_bounds
constexpr auto bad = CNIX_CONFIG({"name" : "n", "type" : "bridge", "mtu" : 67});
static_assert(config::accepted<bad>);
#endif

// FAIL hairpin_and_promiscuous: cannot set hairpin mode and promiscuous mode at the same time
#ifdef CT_hairpin_and_promiscuous
constexpr auto bad =
    CNIX_CONFIG({"name" : "n", "type" : "bridge", "hairpinMode" : true, "promiscMode" : true});
static_assert(config::accepted<bad>);
#endif

// FAIL vlan_out_of_bounds: \$\.vlan: invalid VLAN ID 4095
#ifdef CT_vlan_out_of_bounds
constexpr auto bad = CNIX_CONFIG({"name" : "n", "type" : "bridge", "vlan" : 4095});
static_assert(config::accepted<bad>);
#endif

// FAIL trunk_half_given: \$\.vlanTrunk\[0\]: minID and maxID should be configured simultaneously, maxID is missing
#ifdef CT_trunk_half_given
constexpr auto bad = CNIX_CONFIG({"name" : "n", "type" : "bridge", "vlanTrunk" : [ {"minID" : 5} ]});
static_assert(config::accepted<bad>);
#endif

// FAIL bridge_name_too_long: \$\.bridge: .*1 to 15 bytes
#ifdef CT_bridge_name_too_long
constexpr auto bad = CNIX_CONFIG({"name" : "n", "type" : "bridge", "bridge" : "sixteen-bytes-xx"});
static_assert(config::accepted<bad>);
#endif

// FAIL gateway_outside_its_subnet: \$\.ipam\.gateway: .*10\.2\.0\.1
#ifdef CT_gateway_outside_its_subnet
constexpr auto bad = CNIX_CONFIG({
    "name" : "n",
    "type" : "bridge",
    "ipam" : {"type" : "host-local", "subnet" : "10.1.0.0/16", "gateway" : "10.2.0.1"}
});
static_assert(config::accepted<bad>);
#endif

// FAIL overlapping_range_sets: overlaps
#ifdef CT_overlapping_range_sets
constexpr auto bad = CNIX_CONFIG({
    "name" : "n",
    "type" : "bridge",
    "ipam" :
        {"type" : "host-local",
         "ranges" : [ [ {"subnet" : "10.1.0.0/16"} ], [ {"subnet" : "10.1.2.0/24"} ] ]}
});
static_assert(config::accepted<bad>);
#endif

// FAIL another_ipam: \$\.ipam\.type: this plugin.*s addresses come from `host-local`.*`bridge-delegate`
#ifdef CT_another_ipam
constexpr auto bad = CNIX_CONFIG({"name" : "n", "type" : "bridge", "ipam" : {"type" : "dhcp"}});
static_assert(config::accepted<bad>);
#endif

// FAIL another_backend: \$\.ipMasqBackend: .*`bridge-iptables`
#ifdef CT_another_backend
constexpr auto bad =
    CNIX_CONFIG({"name" : "n", "type" : "bridge", "ipMasq" : true, "ipMasqBackend" : "iptables"});
static_assert(config::accepted<bad>);
#endif

// FAIL masquerade_without_nat: \$\.ipMasq: .*`bridge`
#ifdef CT_masquerade_without_nat
constexpr auto bad = CNIX_CONFIG_WITHOUT_NAT({"name" : "n", "type" : "bridge", "ipMasq" : true});
static_assert(config::accepted<bad>);
#endif

// FAIL spoof_check_without_nftables: \$\.macspoofchk: this composition has no spoof check
#ifdef CT_spoof_check_without_nftables
constexpr auto bad = CNIX_CONFIG({"name" : "n", "type" : "bridge", "macspoofchk" : true});
static_assert(config::accepted<bad>);
#endif

// FAIL addresses_on_a_disabled_interface: \$\.disableContainerInterface: cannot use IPAM
#ifdef CT_addresses_on_a_disabled_interface
constexpr auto bad = CNIX_CONFIG({
    "name" : "n",
    "type" : "bridge",
    "disableContainerInterface" : true,
    "ipam" : {"type" : "host-local", "subnet" : "10.1.0.0/16"}
});
static_assert(config::accepted<bad>);
#endif

// FAIL all_faults_of_a_file: \$\.mtu: .*\$\.vlan:
#ifdef CT_all_faults_of_a_file
constexpr auto bad = CNIX_CONFIG({"name" : "n", "type" : "bridge", "mtu" : 67, "vlan" : 5000});
static_assert(config::accepted<bad>);
#endif
