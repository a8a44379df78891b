#pragma once
#include <cnix/link/bridge.hpp>
#include <cnix/link/bridge/device.hpp>
#include <cnix/link/bridge/port.hpp>
#include <cnix/link/forwarding.hpp>
#include <cnix/link/pod_interface.hpp>
#include <cnix/link/veth.hpp>
#include <cnix/link/veth_pair.hpp>
#include <cnix/prebuilt.hpp>

#include <algorithm>
#include <string>

namespace cnix::link {

template <netlink_backend Netlink, class SpoofCheck>
template <ns_policy Ns>
void bridge<Netlink, SpoofCheck>::add(cni::attachment const& attachment, settings<bridge> const& keys,
                                      Ns& pod, lease const& leased, cni::result& result,
                                      cni::rollback& undo) {
    config const& conf = keys.config;
    auto const mac = requested_mac(keys);
    result.ips = with_gateways(leased.ips, conf);
    result.routes = conf.isDefaultGateway ? with_default_routes(leased.routes, result.ips) : leased.routes;

    auto const host_name = host_interface_name(attachment);
    Netlink host;
    bridge_device<Netlink> device{host, conf, host_name, undo};
    refuse_mtu_without_ipv6(host, device.link(), conf, result.ips);
    auto const port = add_veth_pair(host, attachment,
                                    {.pod_netns = pod.fd(),
                                     .host_mac = random_port_mac(),
                                     .pod_mac = mac,
                                     .mtu = static_cast<std::uint32_t>(conf.mtu),
                                     .master = device.link().index,
                                     .ipv6 = false},
                                    undo);
    configure_port(host, port.index, conf);

    auto [inside, pod_link] = pod.run([&] {
        Netlink netlink;
        auto const link = just_made(netlink, attachment.interface);
        if (!result.ips.empty())
            configure_pod_interface(netlink, link, result, conf.enabledad);
        else if (!conf.disableContainerInterface)
            netlink.change_link(link.index, {.up = true});
        return std::pair{std::move(netlink), link};
    });
    if (conf.macspoofchk) spoof_check_.add(attachment, host_name, pod_link.mac, undo);

    std::optional<netlink::link> vlan_gateway;
    if (conf.gateway() && !result.ips.empty()) {
        if (conf.vlan != 0) vlan_gateway = device.vlan_gateway(undo);
        device.add_gateways(vlan_gateway ? *vlan_gateway : device.link(), result.ips, undo);
    }
    if (!conf.disableContainerInterface) wait_operational(host, port.index);
    if (!result.ips.empty()) announce(inside, pod_link); // a handle stays one of the pod's namespace
    if (conf.gateway()) forward(host, result.ips);

    result.interfaces.push_back(describe(device.link()));
    report_veth_pair(result, attachment, port, pod_link);
    if (vlan_gateway) result.interfaces.push_back(describe(*vlan_gateway));
}

template <netlink_backend Netlink, class SpoofCheck>
template <ns_policy Ns>
void bridge<Netlink, SpoofCheck>::del(cni::attachment const& attachment, settings<bridge> const&, Ns* pod) {
    delete_veth_pair<Netlink>(attachment, pod);
    spoof_check_.del(attachment,
                     host_interface_name(attachment)); // `macspoofchk` may have changed since ADD
}

template <netlink_backend Netlink, class SpoofCheck>
template <ns_policy Ns>
pod_interfaces bridge<Netlink, SpoofCheck>::inspect(cni::attachment const& attachment,
                                                    settings<bridge> const&, Ns* pod) {
    return inspect_pod<Netlink>(attachment, pod);
}

template <netlink_backend Netlink, class SpoofCheck>
template <ns_policy Ns>
void bridge<Netlink, SpoofCheck>::check(cni::attachment const& attachment, settings<bridge> const& keys,
                                        Ns& pod, cni::result const& previous, findings& found) {
    config const& conf = keys.config;
    Netlink host;
    auto const device = host.find_link(conf.bridge);
    check_bridge_device(host, device, conf, previous, found);
    auto const pair = check_veth_pair(
        host, attachment, pod, previous,
        {.pod_up = !conf.disableContainerInterface, .mtu = static_cast<std::uint32_t>(conf.mtu)}, found);
    if (!pair) return;
    check_port(host, pair->host, device, conf, found);
    if (conf.macspoofchk)
        spoof_check_.check(attachment, net::interface_name::parse(pair->host.name).value(), pair->pod.mac,
                           found);
}

template <netlink_backend Netlink, class SpoofCheck>
void bridge<Netlink, SpoofCheck>::gc(cni::valid_attachments const& valid, settings<bridge> const&,
                                     findings& found) {
    delete_garbage<Netlink>(valid, found);
    spoof_check_.gc(valid, found);
}

template <netlink_backend Netlink, class SpoofCheck>
void bridge<Netlink, SpoofCheck>::status(settings<bridge> const& keys, findings& found) {
    Netlink host;
    if (auto const device = host.find_link(keys.config.bridge); device && device->kind != "bridge")
        found.push_back(not_a_bridge(*device));
    else if (device && keys.config.gateway() && keys.config.vlan == 0 && !keys.config.forceAddress)
        status_of_gateways(host, *device, with_gateways(keys.expected, keys.config), found);
    if (keys.config.macspoofchk) spoof_check_.status(found);
}

template <netlink_backend Netlink, class SpoofCheck>
void bridge<Netlink, SpoofCheck>::status_of_gateways(Netlink& host, netlink::link const& bridge,
                                                     std::vector<cni::ip> const& ips, findings& found) {
    auto const here = host.addresses(bridge.index);
    for (cni::ip const& ip : ips)
        if (auto const others = in_the_way(here, gateway_of(ip), ips))
            for (net::prefix const& other : *others)
                found.push_back(gateway_conflict(bridge, gateway_of(ip), other));
}

template <netlink_backend Netlink, class SpoofCheck>
std::optional<net::mac> bridge<Netlink, SpoofCheck>::requested_mac(settings<bridge> const& keys) {
    auto mac = keys.runtime.mac;
    if (!mac) mac = keys.args.mac;
    if (!mac) mac = keys.cni_args.MAC;
    if (mac && (mac->is_multicast() || mac->is_zero()))
        throw cni::error{cni::code::invalid_network_config,
                         "the MAC address " + mac->str() + " cannot be an interface's: it is " +
                             (mac->is_zero() ? "all zeros" : "a multicast address")};
    return mac;
}

template <netlink_backend Netlink, class SpoofCheck>
std::vector<cni::ip> bridge<Netlink, SpoofCheck>::with_gateways(std::vector<cni::ip> ips,
                                                                config const& conf) {
    for (cni::ip& ip : ips)
        if (!ip.gateway && conf.gateway()) ip.gateway = ip.address.first().next();
    return ips;
}

template <netlink_backend Netlink, class SpoofCheck>
void bridge<Netlink, SpoofCheck>::refuse_mtu_without_ipv6(Netlink& host, netlink::link const& bridge,
                                                          config const& conf,
                                                          std::vector<cni::ip> const& ips) {
    if (conf.mtu == 0 || conf.mtu >= min_ipv6_mtu) return;
    auto const refuse = [&](std::string const& whose) {
        throw cni::error{cni::code::invalid_network_config,
                         "an `mtu` of " + std::to_string(conf.mtu) + " would take the IPv6 addresses from " +
                             whose + ": IPv6 needs at least " + std::to_string(min_ipv6_mtu) + " bytes"};
    };
    if (std::ranges::any_of(ips, [](cni::ip const& ip) { return ip.address.is_v6(); })) refuse("the pod");
    for (auto const& [prefix, tentative, dad_failed] : host.addresses(bridge.index))
        if (prefix.is_v6() && !prefix.address().is_link_local()) refuse("the bridge " + bridge.name);
}

} // namespace cnix::link
