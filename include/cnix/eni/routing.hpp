#pragma once
#include <cstdint>

/// The numbers of upstream's policy routing (pkg/networkutils/network.go and cmd/routed-eni-cni-plugin/driver/driver.go of
/// aws/amazon-vpc-cni-k8s). Other programs know them.
namespace cnix::eni {

/// RT_TABLE_MAIN and RT_TABLE_LOCAL (linux/rtnetlink.h).
constexpr inline std::uint32_t main_table = 254;
/// See main_table.
constexpr inline std::uint32_t local_table = 255;

/// The table of what leaves by an ENI. `network_card` is 0 but on instances with several.
constexpr std::uint32_t table_of(int device_number, int network_card = 0) {
    if (network_card > 0) return static_cast<std::uint32_t>(10000 + device_number + 100 * network_card);
    return device_number > 0 ? static_cast<std::uint32_t>(device_number) + 1 : main_table;
}
/// The first of the kernel's own tables: RT_TABLE_DEFAULT, main and local.
constexpr inline std::uint32_t default_table = 253;
/// The table of a branch ENI; is_branch_vlan().
constexpr std::uint32_t table_of_branch(std::uint16_t vlan) { return vlan + 100u; }
/// Whether a branch ENI may have the VLAN ID. Not 153 to 155: their tables are the kernel's own, and the node's default route
/// would be replaced.
constexpr bool is_branch_vlan(int vlan) {
    if (vlan < 1 || vlan > 4094) return false;
    auto const table = table_of_branch(static_cast<std::uint16_t>(vlan));
    return table < default_table || table > local_table;
}

/// Priorities of policy rules, in the order in which the kernel asks them.
struct priority {
    static constexpr std::uint32_t branch = 10;      ///< what comes in by a branch ENI, or from its pod
    static constexpr std::uint32_t moved_local = 20; ///< the local table, where `branch` must come before it
    static constexpr std::uint32_t to_pod = 512;     ///< to a pod's address: main
    static constexpr std::uint32_t marked = 1024;    ///< with the connection's mark: main
    static constexpr std::uint32_t external_service = 1535; ///< to AWS_EXTERNAL_SERVICE_CIDRS: main
    static constexpr std::uint32_t from_pod = 1536;         ///< from a pod's address: its ENI's table
    static constexpr std::uint32_t from_eni = 32765;        ///< from an ENI's own primary address: its table
};

/// Of every route and rule that cnix makes for this design (rtm_protocol, FRA_PROTOCOL): by it they are told from others'.
/// One of the numbers that nobody has (linux/rtnetlink.h, iproute2's rt_protos). systemd-networkd deletes rules that it has
/// not made unless ManageForeignRoutingPolicyRules=no.
constexpr inline std::uint8_t protocol = 201;

} // namespace cnix::eni
