#pragma once
#include <cnix/concepts/cni_backend.hpp>
#include <cnix/eni/lease.hpp>
#include <cnix/eni/pod_address.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

/// What a daemon's answer means, and whether it can: nothing of it is believed before.
namespace cnix::ipam::remote_detail {

/// More than the 15 network cards of any instance type.
constexpr inline std::size_t max_allocations = 64;

/// Throws std::runtime_error.
[[noreturn]] inline void refuse(std::string const& what) { throw std::runtime_error{what}; }

/// Appends an address of the field for `family`, if there is one. See allocation_of().
inline void take(std::vector<net::address>& into, std::optional<net::address> const& address,
                 net::family family) {
    if (!address) return;
    if (address->family() != family)
        refuse("it has the address " + address->str() + " in the field of the other family");
    if (!eni::is_of_pods(net::prefix::host(*address)))
        refuse("the address " + address->str() + " cannot be a pod's");
    into.push_back(*address);
}

/// Whether the interface `at` of a pod, 0 the first, may be routed by the table. Numbers of 10000 and more are other network cards',
/// as are small ones of further interfaces: upstream keeps those of its former formula, device + 1 + card * ENIs of a card.
constexpr bool is_table_of(std::uint32_t table, int device, std::size_t at) {
    if (table == eni::table_of(device)) return true;
    if (table >= 10000) return device > 0 || at > 0;
    return at > 0 && table > 1 && table < eni::default_table;
}

/// The table of an allocation of `vlan` 0, else of the branch ENI.
template <class Generation> std::uint32_t table_of(rpc::allocation const& from, int vlan, std::size_t at) {
    if (vlan != 0) return eni::table_of_branch(static_cast<std::uint16_t>(vlan));
    int const device = from.device_number;
    if (device < 0 || device > 250) // table_of() gives those of the kernel to greater ones
        refuse("device number " + std::to_string(device) + " is none of an ENI");
    if (!Generation::tables) return eni::table_of(device);
    if (from.table <= 1 && from.table >= 0 && device == 0) return eni::main_table;
    if (from.table < 0 || !is_table_of(static_cast<std::uint32_t>(from.table), device, at))
        refuse("table " + std::to_string(from.table) + " is none of an ENI, whose device number is " +
               std::to_string(device));
    return static_cast<std::uint32_t>(from.table);
}

/// Throws std::runtime_error that completes "the answer makes no sense: ".
/// `at` is the interface's number.
template <class Generation>
eni::allocation allocation_of(rpc::allocation const& from, int vlan, std::size_t at) {
    if (vlan < 0 || vlan > 4094) refuse("there is no VLAN " + std::to_string(vlan));
    if (vlan != 0 && !eni::is_branch_vlan(vlan))
        refuse("the VLAN " + std::to_string(vlan) +
               " cannot be a branch ENI's: its routing table would be the kernel's own " +
               std::to_string(eni::table_of_branch(static_cast<std::uint16_t>(vlan))));
    eni::allocation made;
    take(made.addresses, from.ipv4, net::family::ipv4);
    take(made.addresses, from.ipv6, net::family::ipv6);
    if (made.addresses.empty())
        refuse("an interface has no address; does the daemon speak as those of " +
               std::string{Generation::name} + '?');
    made.device_number = vlan != 0 ? -1 : from.device_number;
    made.table = table_of<Generation>(from, vlan, at);
    return made;
}

/// See allocation_of().
inline eni::branch branch_of(rpc::add_reply const& from, eni::allocation const& allocation) {
    std::string const what = "the branch ENI of VLAN " + std::to_string(from.vlan) + " has ";
    if (!from.branch_mac || from.branch_mac->is_zero() || from.branch_mac->is_multicast())
        refuse(what + "no MAC address");
    auto const& gateway = from.branch_gateway;
    if (!gateway ||
        !(eni::is_of_pods(net::prefix::host(*gateway)) || (gateway->is_v6() && gateway->is_link_local())) ||
        !std::ranges::all_of(allocation.addresses,
                             [&](net::address const& one) { return one.family() == gateway->family(); }))
        refuse(what + "no gateway for the pod's addresses");
    if (from.trunk <= 0) refuse(what + "no trunk interface");
    return {static_cast<std::uint16_t>(from.vlan), *from.branch_mac, *from.branch_gateway, from.trunk};
}

/// Appends the allocation's addresses. See allocation_of().
inline void append_ips(cni::lease& to, eni::allocation const& from) {
    for (net::address const& address : from.addresses) {
        for (cni::ip const& other : to.ips)
            if (other.address.address() == address) refuse("it has the address " + address.str() + " twice");
        to.ips.push_back({net::prefix::host(address), {}, {}});
    }
}

/// Of an answer to ADD that says success; `multi_nic` as it was asked. See allocation_of().
template <class Generation> void judge(rpc::add_reply const& reply, bool multi_nic, eni::lease& made) {
    if (reply.allocations.empty())
        refuse("there is no address in it; does the daemon speak as those of " +
               std::string{Generation::name} + '?');
    if (reply.allocations.size() > max_allocations)
        refuse("it has " + std::to_string(reply.allocations.size()) + " interfaces for one pod");
    if (!multi_nic && reply.allocations.size() != 1)
        refuse("it has " + std::to_string(reply.allocations.size()) + " interfaces, and one was asked for");
    if (reply.vlan != 0 && reply.allocations.size() != 1)
        refuse("a pod with a branch ENI has one interface, not " + std::to_string(reply.allocations.size()));
    for (rpc::allocation const& one : reply.allocations) {
        made.allocations.push_back(allocation_of<Generation>(one, reply.vlan, made.allocations.size()));
        append_ips(made, made.allocations.back());
    }
    if (reply.vlan != 0) made.branch = branch_of(reply, made.allocations.front());
}

} // namespace cnix::ipam::remote_detail
