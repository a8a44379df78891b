#include <ipamd/requests.hpp>
#include <cnix/cni/identifier.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/net/interface_name.hpp>

#include <algorithm>

namespace cnix::ipamd {
namespace {

/// Most bytes of a pod's name or namespace: a DNS subdomain's (RFC 1123), which Kubernetes' names are.
constexpr std::size_t longest_name = 253;

bool is_name(std::string_view text) {
    return text.size() <= longest_name &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

rpc_refusal refused(std::string_view field, std::string const& text, std::string_view form) {
    return {rpc::status::invalid_argument,
            std::string{field} + ' ' + cni::quoted(text.substr(0, 64)) + " is not " + std::string{form}};
}

std::vector<rpc::allocation> allocations_of(eni::assignment const& assignment,
                                            std::vector<eni::allocation> const& placed) {
    std::vector<rpc::allocation> all;
    auto const add = [&](std::vector<net::address> const& addresses, int device, std::uint32_t table) {
        rpc::allocation& one = all.emplace_back();
        for (net::address const& address : addresses) (address.is_v4() ? one.ipv4 : one.ipv6) = address;
        one.device_number = device;
        one.table = static_cast<int>(table);
    };
    for (eni::allocation const& one : placed) add(one.addresses, one.device_number, one.table);
    // Of an ENI that is gone: the plugin finds its rules by the address.
    if (placed.empty())
        for (eni::holding const& one : assignment.holdings) add(one.addresses, 0, eni::main_table);
    return all;
}

} // namespace

std::variant<eni::pod_key, rpc_refusal> key_of(rpc::pod const& pod) {
    if (!cni::network_name::valid(pod.network) || pod.network.size() > longest_name)
        return refused("NetworkName", pod.network, "a network's name of at most 253 bytes");
    if (!cni::container_id::valid(pod.container) || pod.container.size() > longest_name)
        return refused("ContainerID", pod.container, "a container's ID of at most 253 bytes");
    if (!net::interface_name::parse(pod.interface))
        return refused("IfName", pod.interface, net::interface_name::form);
    if (!is_name(pod.name)) return refused("K8S_POD_NAME", pod.name, "a name of printable ASCII");
    if (!is_name(pod.name_space))
        return refused("K8S_POD_NAMESPACE", pod.name_space, "a name of printable ASCII");
    return eni::pod_key{pod.network, pod.container, pod.interface};
}

eni::pod_metadata metadata_of(rpc::pod const& pod) { return {pod.name_space, pod.name, 1}; }

std::string name_of(rpc::pod const& pod) {
    return pod.name.empty() ? pod.container : pod.name_space + '/' + pod.name;
}

rpc::add_reply reply_of(add_outcome const& outcome, std::string const& network_policy_mode) {
    if (outcome.refused) return {.success = false, .why = outcome.why};
    return {.success = true,
            .allocations = allocations_of(outcome.assignment, outcome.allocations),
            .network_policy_mode = network_policy_mode};
}

std::variant<rpc::del_reply, rpc_refusal> reply_of(remove_outcome const& outcome,
                                                   std::string const& network_policy_mode) {
    if (!outcome.known) return rpc_refusal{rpc::status::unknown, outcome.why};
    return rpc::del_reply{.success = true,
                          .allocations = allocations_of(outcome.assignment, outcome.allocations),
                          .network_policy_mode = network_policy_mode};
}

std::string addresses_of(eni::assignment const& assignment) {
    std::string all;
    for (eni::holding const& one : assignment.holdings)
        for (net::address const& address : one.addresses) all += (all.empty() ? "" : ", ") + address.str();
    return all;
}

} // namespace cnix::ipamd
