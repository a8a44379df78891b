#pragma once
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/kernel.hpp>

#include <array>
#include <cstdio>

namespace cnix::backends::recording {

/// The iproute2 command for a change. Interfaces are told by name: their indices are the model's own.
namespace commands {

inline std::string family_flag(net::family family) { return family == net::family::ipv6 ? "ip -6 " : "ip "; }

inline std::string name_of(network_namespace& space, nl::index index) {
    interface const* const found = space.find(index);
    return recording::quoted(found != nullptr ? found->link.name : "if" + std::to_string(index));
}

inline std::string hex(std::uint32_t value) {
    std::array<char, 11> text{};
    std::snprintf(text.data(), text.size(), "0x%x", value);
    return text.data();
}

inline std::string add_bridge(nl::bridge_spec const& bridge) {
    std::string line = "ip link add name " + recording::quoted(bridge.name);
    if (bridge.mac) line += " address " + bridge.mac->str();
    if (bridge.mtu != 0) line += " mtu " + std::to_string(bridge.mtu);
    if (bridge.group != 0) line += " group " + std::to_string(bridge.group);
    if (bridge.up) line += " up";
    line += " type bridge";
    if (bridge.vlan_filtering) line += " vlan_filtering 1";
    return line;
}

inline std::string delete_link(std::string_view name) {
    return "ip link delete dev " + recording::quoted(name);
}

/// `peer_namespace`: the path of the peer's, empty: the same.
inline std::string add_veth(network_namespace& space, nl::veth_spec const& veth,
                            std::string const& peer_namespace) {
    auto const end = [&](nl::veth_end const& one) {
        std::string text = recording::quoted(one.name);
        if (one.mac) text += " address " + one.mac->str();
        if (veth.mtu != 0) text += " mtu " + std::to_string(veth.mtu);
        if (one.group != 0) text += " group " + std::to_string(one.group);
        return text;
    };
    std::string line = "ip link add name " + end(veth.host);
    if (veth.master != 0) line += " master " + name_of(space, veth.master);
    if (veth.host_up) line += " up";
    line += " type veth peer name " + end(veth.peer);
    if (!peer_namespace.empty()) line += " netns " + recording::quoted(peer_namespace);
    return line;
}

inline std::string add_vlan(network_namespace& space, nl::vlan_spec const& vlan) {
    std::string line =
        "ip link add link " + name_of(space, vlan.on) + " name " + recording::quoted(vlan.name);
    if (vlan.mac) line += " address " + vlan.mac->str();
    if (vlan.group != 0) line += " group " + std::to_string(vlan.group);
    return line + " type vlan id " + std::to_string(vlan.id);
}

inline std::string rename_link(std::string_view from, std::string_view to) {
    return "ip link set dev " + recording::quoted(from) + " name " + recording::quoted(to);
}

/// All but the name, which has rename_link(). The address generation mode has a command of its own: in one with `up`, the kernel would look at it too
/// late.
inline std::vector<std::string> change_link(network_namespace& space, nl::index index,
                                            nl::link_change const& change) {
    std::string const subject = "ip link set dev " + name_of(space, index);
    std::vector<std::string> commands;
    if (change.addr_gen_mode) {
        constexpr std::array<std::string_view, 4> modes{"eui64", "none", "stable_secret", "random"};
        auto const mode = modes.at(static_cast<std::size_t>(*change.addr_gen_mode));
        commands.push_back(subject + " addrgenmode " + std::string{mode});
    }
    std::string line = subject;
    if (change.up) line += *change.up ? " up" : " down";
    if (change.mac) line += " address " + change.mac->str();
    if (change.mtu) line += " mtu " + std::to_string(*change.mtu);
    if (change.promiscuous) line += *change.promiscuous ? " promisc on" : " promisc off";
    if (change.alias) line += " alias " + recording::quoted(*change.alias);
    if (change.group) line += " group " + std::to_string(*change.group);
    if (change.master)
        line += *change.master == 0 ? " nomaster" : " master " + name_of(space, *change.master);
    if (change.vlan_filtering)
        line += std::string{" type bridge vlan_filtering "} + (*change.vlan_filtering ? '1' : '0');
    if (line != subject) commands.push_back(line);
    return commands;
}

inline std::string change_port(network_namespace& space, nl::index index, nl::bridge_port const& port) {
    auto const word = [](bool on) { return on ? " on" : " off"; };
    return "bridge link set dev " + name_of(space, index) + " hairpin" + word(port.hairpin) + " isolated" +
           word(port.isolated);
}

inline std::string port_vlan(network_namespace& space, std::string const& verb, nl::index index,
                             nl::port_vlan const& vlan) {
    std::string line =
        "bridge vlan " + verb + " dev " + name_of(space, index) + " vid " + std::to_string(vlan.vid);
    if (verb == "add" && vlan.pvid) line += " pvid";
    if (verb == "add" && vlan.untagged) line += " untagged";
    return line;
}

inline std::string add_address(network_namespace& space, nl::index index, nl::address_spec const& spec) {
    std::string line = "ip addr add " + spec.address.str();
    if (spec.address.is_v4() && spec.address.length() < 31) line += " brd +";
    line += " dev " + name_of(space, index);
    if (spec.no_dad && spec.address.is_v6()) line += " nodad";
    return line;
}

inline std::string delete_address(network_namespace& space, nl::index index, net::prefix const& address) {
    return "ip addr del " + address.str() + " dev " + name_of(space, index);
}

inline std::string route(network_namespace& space, std::string const& verb, nl::route_spec const& route) {
    std::string line = family_flag(route.dst.family()) + "route " + verb + ' ' +
                       (route.dst.is_default_route() ? "default" : route.dst.str());
    if (route.gateway) {
        bool const other_family = route.gateway->family() != route.dst.family();
        line += " via " + std::string{other_family ? "inet6 " : ""} + route.gateway->str();
    }
    if (route.device != 0) line += " dev " + name_of(space, route.device);
    if (route.priority != 0) line += " metric " + std::to_string(route.priority);
    if (route.table != 254) line += " table " + std::to_string(route.table);
    if (route.scope && route.dst.is_v4()) line += " scope " + std::to_string(*route.scope);
    if (route.protocol != 3) line += " proto " + std::to_string(route.protocol);
    if (verb == "del") return line;
    if (route.source) line += " src " + route.source->str();
    if (route.mtu != 0) line += " mtu " + std::to_string(route.mtu);
    if (route.advmss != 0) line += " advmss " + std::to_string(route.advmss);
    if (route.onlink) line += " onlink";
    return line;
}

inline std::string rule(std::string const& verb, nl::rule_spec const& rule) {
    std::string line = family_flag(rule.family) + "rule " + verb + " priority " +
                       std::to_string(rule.priority) + " from " + (rule.source ? rule.source->str() : "all");
    if (rule.destination) line += " to " + rule.destination->str();
    if (!rule.input_interface.empty()) line += " iif " + recording::quoted(rule.input_interface);
    if (rule.mask != 0) line += " fwmark " + hex(rule.mark) + '/' + hex(rule.mask);
    if (rule.transport != 0) line += " ipproto " + std::to_string(rule.transport);
    line += " table " + std::to_string(rule.table);
    if (rule.protocol != 0) line += " protocol " + std::to_string(rule.protocol);
    return line;
}

inline std::string neighbour(network_namespace& space, std::string const& verb,
                             nl::neighbour_spec const& neighbour) {
    std::string line = "ip neigh " + verb + ' ' + neighbour.address.str();
    if (verb == "replace") line += " lladdr " + neighbour.mac.str();
    line += " dev " + name_of(space, neighbour.device);
    if (verb == "replace") line += " nud permanent";
    return line;
}

inline std::string sysctl(std::string_view path, std::string_view text) {
    if (path.find('=') != std::string_view::npos) // of an interface's name; sysctl would cut it there
        return "sh -c 'echo \"$1\" > \"$0\"' " + recording::quoted("/proc/sys/" + std::string{path}) + ' ' +
               std::string{text};
    return "sysctl -qw " + recording::quoted(std::string{path} + '=' + std::string{text});
}

} // namespace commands

} // namespace cnix::backends::recording
