#pragma once
#include <cnix/concepts/link_policy.hpp>
#include <cnix/link/bridge/config.hpp>
#include <cnix/link/bridge/device.hpp>
#include <cnix/link/bridge/port.hpp>
#include <cnix/link/forwarding.hpp>
#include <cnix/link/no_spoof_check.hpp>
#include <cnix/link/pod_interface.hpp>
#include <cnix/link/veth.hpp>
#include <cnix/link/veth_pair.hpp>

#include <algorithm>
#include <string>

namespace cnix::link {

/// What is given no backend: the one error.
template <class Netlink, class SpoofCheck = no_spoof_check>
class bridge : public cnix::detail::no_netlink<Netlink> {};

/// Pods on a Linux bridge of the node, each by a veth pair, as containernetworking's bridge plugin does it.
/// SpoofCheck does `macspoofchk`: link::spoof_check<nftables>, or no_spoof_check, which refuses the key.
template <netlink_backend Netlink, class SpoofCheck> class bridge<Netlink, SpoofCheck> {
  public:
    using config = bridge_config;
    using runtime_config = bridge_runtime_config;
    using args = bridge_args;
    using cni_args = bridge_cni_args;
    using lease = cni::lease;
    static constexpr std::string_view name = "bridge";
    static constexpr bool needs_subnets = true; ///< the pods' (compose.hpp)

    /// What one struct cannot know: whether there is an IPAM, and what this composition is made of.
    static constexpr void check(config const& conf, entry_facts const& entry, cnix::config::checker& found) {
        if (conf.disableContainerInterface && entry.has_ipam)
            found.fault("disableContainerInterface",
                        "cannot use IPAM when DisableContainerInterface flag is set: the pod's "
                        "end stays down, so it can have no address; leave out one of them");
        if constexpr (requires { SpoofCheck::refusal; })
            if (conf.macspoofchk) found.fault("macspoofchk", SpoofCheck::refusal);
    }

    template <ns_policy Ns>
    void add(cni::attachment const& attachment, settings<bridge> const& keys, Ns& pod, lease const& leased,
             cni::result& result, cni::rollback& undo) {
        config const& conf = keys.config;
        auto const mac = requested_mac(keys);
        result.ips = with_gateways(leased.ips, conf);
        result.routes =
            conf.isDefaultGateway ? with_default_routes(leased.routes, result.ips) : leased.routes;

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

    template <ns_policy Ns> void del(cni::attachment const& attachment, settings<bridge> const&, Ns* pod) {
        delete_veth_pair<Netlink>(attachment, pod);
        spoof_check_.del(attachment,
                         host_interface_name(attachment)); // `macspoofchk` may have changed since ADD
    }

    template <ns_policy Ns>
    pod_interfaces inspect(cni::attachment const& attachment, settings<bridge> const&, Ns* pod) {
        return inspect_pod<Netlink>(attachment, pod);
    }

    template <ns_policy Ns>
    void check(cni::attachment const& attachment, settings<bridge> const& keys, Ns& pod,
               cni::result const& previous, findings& found) {
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

    void gc(cni::valid_attachments const& valid, settings<bridge> const&, findings& found) {
        delete_garbage<Netlink>(valid, found);
        spoof_check_.gc(valid, found);
    }

    void status(settings<bridge> const& keys, findings& found) {
        Netlink host;
        if (auto const device = host.find_link(keys.config.bridge); device && device->kind != "bridge")
            found.push_back(not_a_bridge(*device));
        else if (device && keys.config.gateway() && keys.config.vlan == 0 && !keys.config.forceAddress)
            status_of_gateways(host, *device, with_gateways(keys.expected, keys.config), found);
        if (keys.config.macspoofchk) spoof_check_.status(found);
    }

  private:
    static void status_of_gateways(Netlink& host, netlink::link const& bridge,
                                   std::vector<cni::ip> const& ips, findings& found) {
        auto const here = host.addresses(bridge.index);
        for (cni::ip const& ip : ips)
            if (auto const others = in_the_way(here, gateway_of(ip), ips))
                for (net::prefix const& other : *others)
                    found.push_back(gateway_conflict(bridge, gateway_of(ip), other));
    }

    /// runtimeConfig before args.cni before CNI_ARGS.
    static std::optional<net::mac> requested_mac(settings<bridge> const& keys) {
        auto mac = keys.runtime.mac;
        if (!mac) mac = keys.args.mac;
        if (!mac) mac = keys.cni_args.MAC;
        if (mac && (mac->is_multicast() || mac->is_zero()))
            throw cni::error{cni::code::invalid_network_config,
                             "the MAC address " + mac->str() + " cannot be an interface's: it is " +
                                 (mac->is_zero() ? "all zeros" : "a multicast address")};
        return mac;
    }

    /// As a gateway, the bridge has the first address of each subnet, unless the IPAM names another.
    static std::vector<cni::ip> with_gateways(std::vector<cni::ip> ips, config const& conf) {
        for (cni::ip& ip : ips)
            if (!ip.gateway && conf.gateway()) ip.gateway = ip.address.first().next();
        return ips;
    }

    /// A bridge's MTU follows that of its smallest port, and an IPv6 address does not survive one that is too
    /// small.
    static void refuse_mtu_without_ipv6(Netlink& host, netlink::link const& bridge, config const& conf,
                                        std::vector<cni::ip> const& ips) {
        if (conf.mtu == 0 || conf.mtu >= min_ipv6_mtu) return;
        auto const refuse = [&](std::string const& whose) {
            throw cni::error{cni::code::invalid_network_config, "an `mtu` of " + std::to_string(conf.mtu) +
                                                                    " would take the IPv6 addresses from " +
                                                                    whose + ": IPv6 needs at least " +
                                                                    std::to_string(min_ipv6_mtu) + " bytes"};
        };
        if (std::ranges::any_of(ips, [](cni::ip const& ip) { return ip.address.is_v6(); })) refuse("the pod");
        for (auto const& [prefix, tentative, dad_failed] : host.addresses(bridge.index))
            if (prefix.is_v6() && !prefix.address().is_link_local()) refuse("the bridge " + bridge.name);
    }

    [[no_unique_address]] SpoofCheck spoof_check_;
};

} // namespace cnix::link
