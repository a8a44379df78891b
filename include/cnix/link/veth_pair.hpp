#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/link_policy.hpp>
#include <cnix/link/pod_interface.hpp>
#include <cnix/link/veth.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

/// An attachment that is a veth pair, whatever its host end leads to: what every Link of such pairs does alike.
namespace cnix::link {

/// What Links make differently of a pair.
struct veth_pair_spec {
    int pod_netns = -1;                                ///< descriptor of the pod's namespace
    std::optional<net::interface_name> host_name = {}; ///< absent: host_interface_name()
    std::optional<net::interface_name> pod_name = {};  ///< absent: the attachment's interface
    net::mac host_mac = random_mac();                  ///< a bridge's port: random_port_mac()
    std::optional<net::mac> pod_mac = {};              ///< absent: random_mac()
    std::uint32_t mtu = 0;                             ///< of both ends; 0: the kernel's choice
    netlink::index master = 0;                         ///< of the host end
    bool ipv6 = true;                                  ///< of the host end; a bridge's port needs none
    /// Of the host end, to be written before it is up: keys below net/ipv6/conf/NAME/ and values; one that the kernel does not
    /// have is left out.
    std::vector<std::pair<std::string_view, std::string_view>> ipv6_sysctls = {};
};

/// The interface that was made a moment ago.
template <netlink_backend Netlink>
netlink::link just_made(Netlink& netlink, net::interface_name const& interface) {
    auto link = netlink.find_link(interface);
    if (!link)
        throw cni::error{cni::code::internal, "the interface " + interface.str() +
                                                  " was deleted by somebody else while it was set up"};
    return *std::move(link);
}

/// Makes the pair, the pod's end down; returns the node's, whose alias says whose it is. Both get a MAC address here, so that udev leaves them alone
/// (MACAddressPolicy honours addr_assign_type SET). GC knows a host end without an alias by network_group().
template <netlink_backend Netlink>
netlink::link add_veth_pair(Netlink& host, cni::attachment const& attachment, veth_pair_spec const& spec,
                            cni::rollback& undo) {
    auto const host_name = spec.host_name ? *spec.host_name : host_interface_name(attachment);
    auto const pod_name = spec.pod_name ? *spec.pod_name : attachment.interface;
    try {
        host.add_veth(
            {.host = {.name = host_name, .group = network_group(attachment.network), .mac = spec.host_mac},
             .peer = {.name = pod_name, .mac = spec.pod_mac ? *spec.pod_mac : random_mac()},
             .peer_netns = spec.pod_netns,
             .mtu = spec.mtu,
             .master = spec.master,
             .host_up = false});
    } catch (std::system_error const& e) {
        if (e.code() != std::errc::file_exists) throw;
        throw cni::error{cni::code::internal,
                         host.find_link(host_name)
                             ? "the container " + attachment.container.str() +
                                   " is attached to the network " + attachment.network.str() + " as " +
                                   pod_name.str() + " already (its interface on the node is " +
                                   host_name.str() + "); DEL it first"
                             : "the interface " + pod_name.str() + " exists already in " + attachment.netns +
                                   "; choose another CNI_IFNAME"};
    }
    undo.on_failure("delete the interface " + host_name.str(), [host_name] {
        Netlink netlink;
        if (auto const link = netlink.find_link(host_name)) netlink.delete_link(link->index);
    });
    auto const host_end = just_made(host, host_name);
    if (!spec.ipv6) without_ipv6(host, host_name);
    for (auto const& [key, value] : spec.ipv6_sysctls)
        try_sysctl(host, interface_sysctl(net::family::ipv6, host_name, key), value);
    host.change_link(host_end.index, {.up = true, .alias = host_interface_alias(attachment), .group = 0});
    return host_end;
}

/// Gives a pair's host end another name: whoever made it did not know what it would be for.
template <netlink_backend Netlink>
netlink::link rename_host_end(Netlink& host, netlink::link const& host_end, net::interface_name const& name,
                              cni::rollback& undo) {
    undo.on_failure("delete the interface " + name.str(),
                    [index = host_end.index] { Netlink{}.delete_link(index); });
    host.change_link(host_end.index, {.up = false});
    host.change_link(host_end.index, {.up = true, .name = name});
    return just_made(host, name);
}

/// Waits until the host end carries traffic, when both ends are up. The kernel tells carrier and operstate from a work queue
/// (net/core/link_watch.c); until then a bridge does not forward to it, and its queue drops what is sent.
template <netlink_backend Netlink> void wait_operational(Netlink& host, netlink::index host_end) {
    using namespace std::chrono_literals;
    constexpr auto limit = 5s;
    auto const deadline = std::chrono::steady_clock::now() + limit;
    for (auto pause = 50us;; pause = std::min<std::chrono::microseconds>(pause * 2, 20ms)) {
        auto const link = host.find_link(host_end);
        if (link && link->operational) return;
        if (!link || std::chrono::steady_clock::now() > deadline)
            throw cni::error{cni::code::internal,
                             link ? "the host end " + link->name + " did not become operational within 5 s"
                                  : "the host end was deleted by somebody else while it was set up"};
        std::this_thread::sleep_for(pause);
    }
}

/// An interface as results tell of it; on the node without `sandbox`.
inline cni::interface describe(netlink::link const& link, std::string sandbox = {}) {
    return {.name = link.name,
            .mac = link.mac.is_zero() ? "" : link.mac.str(),
            .mtu = link.mtu,
            .sandbox = std::move(sandbox)};
}

/// Appends host end and pod's end to the result's interfaces, and says of its addresses that they are the pod's.
inline void report_veth_pair(cni::result& result, cni::attachment const& attachment,
                             netlink::link const& host_end, netlink::link const& pod_end) {
    result.interfaces.push_back(describe(host_end));
    for (cni::ip& ip : result.ips) ip.interface = static_cast<unsigned>(result.interfaces.size());
    result.interfaces.push_back(describe(pod_end, attachment.netns));
}

namespace detail {

/// Given its name. Without an alias it is what a killed ADD left between its first two messages; somebody may have written
/// another one there.
inline bool is_own(netlink::link const& link, cni::attachment const& attachment) {
    return link.kind == "veth" && !is_alias_of_another(link.alias, attachment);
}

template <netlink_backend Netlink>
bool is_of_another(Netlink& host, netlink::link const& pod_end, cni::attachment const& attachment) {
    auto const host_end = pod_end.peer != 0 ? host.find_link(pod_end.peer) : std::nullopt;
    return host_end && host_end->peer == pod_end.index && is_alias_of_another(host_end->alias, attachment);
}

inline bool is_garbage(netlink::link const& link, cni::valid_attachments const& valid) {
    if (auto const digest = attachment_digest(link.alias, valid.network()); !digest.empty())
        return !valid.contains_digest(digest);
    return link.alias.empty() && link.group == network_group(valid.network()); // of a killed ADD
}

/// Index of the attachment's interface in the result; /var/run and /run are one place.
inline std::optional<unsigned> container_interface(cni::attachment const& attachment,
                                                   cni::result const& previous) {
    auto const same = [&](cni::interface const& i) {
        if (i.name != attachment.interface.view() || i.sandbox.empty()) return false;
        std::error_code gone;
        return i.sandbox == attachment.netns ||
               std::filesystem::equivalent(i.sandbox, attachment.netns, gone);
    };
    auto const at = std::ranges::find_if(previous.interfaces, same);
    if (at == previous.interfaces.end()) return std::nullopt;
    return static_cast<unsigned>(at - previous.interfaces.begin());
}

} // namespace detail

/// For del: deletes the attachment's pair, and nobody else's. Nothing left of it is no error.
template <netlink_backend Netlink, ns_policy Ns>
void delete_veth_pair(cni::attachment const& attachment, Ns* pod, net::interface_name const& host_name) {
    Netlink host;
    bool deleted = false;
    if (auto const link = host.find_link(host_name); link && detail::is_own(*link, attachment))
        deleted = host.delete_link(link->index);
    // Made by another plugin, or the pair was torn apart: what is left is in the pod, under the interface's name. After an ADD
    // that failed because the name is taken, it is another attachment's.
    if (!deleted && pod) {
        auto const link = pod->run([&] { return Netlink{}.find_link(attachment.interface); });
        if (link && link->kind == "veth" && !detail::is_of_another(host, *link, attachment))
            deleted = pod->run([&] { return Netlink{}.delete_link(link->index); });
    }
    if (!deleted) // somebody renamed it
        for (netlink::link const& link : host.links())
            if (is_alias_of(link.alias, attachment)) host.delete_link(link.index);
}

/// The same for a pair whose host end has the name that add_veth_pair gives it.
template <netlink_backend Netlink, ns_policy Ns>
void delete_veth_pair(cni::attachment const& attachment, Ns* pod) {
    delete_veth_pair<Netlink>(attachment, pod, host_interface_name(attachment));
}

/// For gc: deletes the network's pairs that are not valid, and VLAN interfaces with the alias of such a pair's host end. What
/// cannot be deleted is a finding.
template <netlink_backend Netlink>
void delete_garbage(cni::valid_attachments const& valid, std::vector<std::string>& found) {
    Netlink host;
    for (netlink::link const& link : host.links()) {
        if ((link.kind != "veth" && link.kind != "vlan") || !detail::is_garbage(link, valid)) continue;
        try {
            host.delete_link(link.index);
        } catch (std::exception const& e) {
            found.emplace_back(e.what());
        }
    }
}

/// For inspect: what the pod has. `is_further` tells the interfaces that the attachment has besides its own.
template <netlink_backend Netlink, ns_policy Ns,
          class IsFurther = decltype([](netlink::link const&) { return false; })>
pod_interfaces inspect_pod(cni::attachment const& attachment, Ns* pod, IsFurther is_further = {}) {
    pod_interfaces seen;
    if (pod)
        pod->run([&] {
            Netlink inside;
            for (netlink::link const& link : inside.links()) {
                bool const first = link.name == attachment.interface.view();
                bool const own = first || is_further(link);
                seen.present = seen.present || first;
                for (auto const& [prefix, tentative, dad_failed] : inside.addresses(link.index))
                    if (!prefix.address().is_link_local())
                        (own ? seen.addresses : seen.other_addresses).push_back(prefix.address());
            }
        });
    return seen;
}

/// What CHECK wants of a pair beyond what the result tells.
struct veth_pair_wanted {
    bool pod_up = true;
    std::optional<net::interface_name> host_name = {}; ///< absent: host_interface_name()
    std::optional<cni::attachment_id> alias_of =
        {};                ///< whose alias the host end has; absent: the attachment's
    std::uint32_t mtu = 0; ///< 0: as the result says
};

/// Both ends of a pair, and what of the result is the pod's end's.
struct checked_veth_pair {
    netlink::link host;
    netlink::link pod;
    std::vector<cni::ip> ips;
};

/// For check: appends what differs from what the result says of the pair, its pod's addresses and routes. Nothing if an end is
/// missing, which is a finding too.
template <netlink_backend Netlink, ns_policy Ns>
std::optional<checked_veth_pair> check_veth_pair(Netlink& host, cni::attachment const& attachment, Ns& pod,
                                                 cni::result const& previous, veth_pair_wanted const& wanted,
                                                 std::vector<std::string>& found) {
    auto const interface = detail::container_interface(attachment, previous);
    if (!interface) {
        found.push_back("prevResult has no interface " + attachment.interface.str() + " in " +
                        attachment.netns);
        return std::nullopt;
    }
    auto const& told = previous.interfaces[*interface];
    auto const pod_end = pod.run([&] {
        Netlink inside;
        auto const link = inside.find_link(attachment.interface);
        if (!link) return link;
        if (link->kind != "veth") found.push_back("the pod's " + link->name + " is not a veth");
        if (wanted.pod_up != link->up)
            found.push_back("the pod's " + link->name +
                            (link->up ? " is up, and should be down" : " is down"));
        if (auto const mac = net::mac::parse(told.mac); mac && *mac != link->mac)
            found.push_back("the MAC address of the pod's " + link->name + " is " + link->mac.str() +
                            ", and was " + told.mac);
        if (auto const mtu = wanted.mtu != 0 ? wanted.mtu : told.mtu; mtu != 0 && link->mtu != mtu)
            found.push_back("the MTU of the pod's " + link->name + " is " + std::to_string(link->mtu) +
                            ", and should be " + std::to_string(mtu));
        check_pod_interface(inside, *link, previous, *interface, found);
        return link;
    });
    if (!pod_end) {
        found.push_back("the interface " + attachment.interface.str() + " is missing in the pod");
        return std::nullopt;
    }
    auto const host_end = pod_end->peer != 0 ? host.find_link(pod_end->peer) : std::nullopt;
    if (!host_end || host_end->kind != "veth") {
        found.push_back("the host end of " + attachment.interface.str() + " is missing on the node");
        return std::nullopt;
    }
    auto const host_name = wanted.host_name ? *wanted.host_name : host_interface_name(attachment);
    if (host_end->name == host_name.view() &&
        host_end->alias != host_interface_alias(wanted.alias_of ? *wanted.alias_of : attachment))
        found.push_back("the alias of the host end " + host_end->name + " is \"" + host_end->alias +
                        "\", not what ADD wrote: GC cannot find it");
    return checked_veth_pair{*host_end, *pod_end, addresses_of(previous, *interface)};
}

} // namespace cnix::link
