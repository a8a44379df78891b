#pragma once
#include <cnix/concepts/link_policy.hpp>
#include <cnix/link/bridge/config.hpp>
#include <cnix/link/bridge/device.hpp>
#include <cnix/link/bridge/port.hpp>
#include <cnix/link/no_spoof_check.hpp>
#include <cnix/link/pod_interface.hpp>
#include <cnix/link/veth.hpp>

#include <range/v3/algorithm/find_if.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

namespace cnix::link {

/// Pods on a Linux bridge of the node, each by a veth pair, as containernetworking's bridge plugin does it.
/// SpoofCheck does `macspoofchk`: link::spoof_check<nftables>, or no_spoof_check, which refuses the key.
template <netlink_backend Netlink, class SpoofCheck = no_spoof_check> class bridge {
  public:
    using config = bridge_config;
    using runtime_config = bridge_runtime_config;
    using args = bridge_args;
    using cni_args = bridge_cni_args;
    using lease = cni::lease;
    static constexpr std::string_view name = "bridge";

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
        result.routes = with_default_routes(leased.routes, result.ips, conf);

        auto const host_name = host_interface_name(attachment);
        Netlink host;
        bridge_device<Netlink> device{host, conf, host_name, undo};
        refuse_mtu_without_ipv6(host, device.link(), conf, result.ips);
        add_veth(host, attachment, host_name, mac, pod.fd(), device.link(), conf, undo);
        auto const port = just_made(host, host_name);
        without_ipv6(host, host_name);
        host.change_link(port.index, {.up = true, .alias = host_interface_alias(attachment), .group = 0});
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
        if (conf.gateway()) device.forward(result.ips);

        report(result, attachment, device.link(), port, pod_link, vlan_gateway);
    }

    template <ns_policy Ns> void del(cni::attachment const& attachment, settings<bridge> const&, Ns* pod) {
        auto const host_name = host_interface_name(attachment);
        Netlink host;
        bool deleted = false;
        if (auto const link = host.find_link(host_name); link && is_own(*link, attachment))
            deleted = host.delete_link(link->index);
        // Made by another plugin, or the pair was torn apart: what is left is in the pod, under the
        // interface's name. After an ADD that failed because the name is taken, it is another attachment's.
        if (!deleted && pod) {
            auto const link = pod->run([&] { return Netlink{}.find_link(attachment.interface); });
            if (link && link->kind == "veth" && !is_of_another(host, *link, attachment))
                deleted = pod->run([&] { return Netlink{}.delete_link(link->index); });
        }
        if (!deleted) // somebody renamed it
            for (netlink::link const& link : host.links())
                if (attachment_digest(link.alias, attachment.network) == attachment.digest())
                    host.delete_link(link.index);
        spoof_check_.del(attachment, host_name); // `macspoofchk` may have changed since ADD
    }

    template <ns_policy Ns>
    pod_interfaces inspect(cni::attachment const& attachment, settings<bridge> const&, Ns* pod) {
        pod_interfaces seen;
        if (pod)
            pod->run([&] {
                Netlink inside;
                for (netlink::link const& link : inside.links()) {
                    bool const own = link.name == attachment.interface.view();
                    seen.present = seen.present || own;
                    for (auto const& [prefix, tentative, dad_failed] : inside.addresses(link.index))
                        if (!prefix.address().is_link_local())
                            (own ? seen.addresses : seen.other_addresses).push_back(prefix.address());
                }
            });
        return seen;
    }

    template <ns_policy Ns>
    void check(cni::attachment const& attachment, settings<bridge> const& keys, Ns& pod,
               cni::result const& previous, findings& found) {
        config const& conf = keys.config;
        Netlink host;
        auto const device = host.find_link(conf.bridge);
        check_bridge_device(host, device, conf, previous, found);

        auto const interface = container_interface(attachment, previous);
        if (!interface) {
            found.push_back("prevResult has no interface " + attachment.interface.str() + " in " +
                            attachment.netns);
            return;
        }
        auto const pod_link = pod.run([&] {
            Netlink inside;
            auto const link = inside.find_link(attachment.interface);
            if (link) check_pod_link(inside, *link, conf, previous, *interface, found);
            return link;
        });
        if (!pod_link) {
            found.push_back("the interface " + attachment.interface.str() + " is missing in the pod");
            return;
        }
        auto const port = pod_link->peer != 0 ? host.find_link(pod_link->peer) : std::nullopt;
        if (!port || port->kind != "veth") {
            found.push_back("the host end of " + attachment.interface.str() + " is missing on the node");
            return;
        }
        check_port(host, *port, device, conf, found);
        if (port->name == host_interface_name(attachment).view() &&
            port->alias != host_interface_alias(attachment))
            found.push_back("the alias of the host end " + port->name + " is \"" + port->alias +
                            "\", not what ADD wrote: GC cannot find it");
        if (conf.macspoofchk)
            spoof_check_.check(attachment, net::interface_name::parse(port->name).value(), pod_link->mac,
                               found);
    }

    void gc(cni::valid_attachments const& valid, settings<bridge> const&, findings& found) {
        Netlink host;
        for (netlink::link const& link : host.links()) {
            if (link.kind != "veth" || !is_garbage(link, valid)) continue;
            try {
                host.delete_link(link.index);
            } catch (std::exception const& e) {
                found.push_back(e.what());
            }
        }
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

    static bool is_garbage(netlink::link const& link, cni::valid_attachments const& valid) {
        if (auto const digest = attachment_digest(link.alias, valid.network()); !digest.empty())
            return !valid.contains_digest(digest);
        return link.alias.empty() && link.group == network_group(valid.network()); // of a killed ADD
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

    /// isDefaultGateway: a default route a family, unless the IPAM gave one, with a gateway or without.
    static std::vector<cni::route> with_default_routes(std::vector<cni::route> routes,
                                                       std::vector<cni::ip> const& ips, config const& conf) {
        if (!conf.isDefaultGateway) return routes;
        for (cni::ip const& ip : ips) {
            auto const any = net::prefix::any(ip.address.family());
            auto const default_of_main = [&](cni::route const& r) {
                return r.dst.network() == any &&
                       (!r.table || *r.table == 0 || *r.table == netlink::route_spec{}.table);
            };
            if (ranges::any_of(routes, default_of_main)) continue;
            routes.push_back({.dst = any, .gw = ip.gateway});
        }
        return routes;
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
        if (ranges::any_of(ips, [](cni::ip const& ip) { return ip.address.is_v6(); })) refuse("the pod");
        for (auto const& [prefix, tentative, dad_failed] : host.addresses(bridge.index))
            if (prefix.is_v6() && !prefix.address().is_link_local()) refuse("the bridge " + bridge.name);
    }

    /// Both ends get a MAC address here, so that udev leaves them alone (MACAddressPolicy honours
    /// addr_assign_type SET).
    static void add_veth(Netlink& host, cni::attachment const& attachment,
                         net::interface_name const& host_name, std::optional<net::mac> const& mac, int pod,
                         netlink::link const& bridge, config const& conf, cni::rollback& undo) {
        try {
            host.add_veth({.host = {.name = host_name,
                                    .group = network_group(attachment.network),
                                    .mac = random_port_mac()},
                           .peer = {.name = attachment.interface, .mac = mac ? *mac : random_mac()},
                           .peer_netns = pod,
                           .mtu = static_cast<std::uint32_t>(conf.mtu),
                           .master = bridge.index,
                           .host_up = false});
        } catch (std::system_error const& e) {
            if (e.code() != std::errc::file_exists) throw;
            throw cni::error{
                cni::code::internal,
                host.find_link(host_name)
                    ? "the container " + attachment.container.str() + " is attached to the network " +
                          attachment.network.str() + " as " + attachment.interface.str() +
                          " already (its interface on the node is " + host_name.str() + "); DEL it first"
                    : "the interface " + attachment.interface.str() + " exists already in " +
                          attachment.netns + "; choose another CNI_IFNAME"};
        }
        undo.on_failure("delete the interface " + host_name.str(), [host_name] {
            Netlink netlink;
            if (auto const link = netlink.find_link(host_name)) netlink.delete_link(link->index);
        });
    }

    /// Given its name. Without an alias it is what a killed ADD left between its first two messages; somebody
    /// may have written another one there.
    static bool is_own(netlink::link const& link, cni::attachment const& attachment) {
        return link.kind == "veth" && !is_alias_of_another(link.alias, attachment);
    }

    static bool is_of_another(Netlink& host, netlink::link const& pod_link,
                              cni::attachment const& attachment) {
        auto const port = pod_link.peer != 0 ? host.find_link(pod_link.peer) : std::nullopt;
        return port && port->peer == pod_link.index && is_alias_of_another(port->alias, attachment);
    }

    static netlink::link just_made(Netlink& netlink, net::interface_name const& interface) {
        auto link = netlink.find_link(interface);
        if (!link)
            throw cni::error{cni::code::internal, "the interface " + interface.str() +
                                                      " was deleted by somebody else while it was set up"};
        return *std::move(link);
    }

    /// The kernel tells carrier and operstate from a work queue (net/core/link_watch.c); only then does the
    /// bridge forward.
    static void wait_operational(Netlink& host, netlink::index port) {
        using namespace std::chrono_literals;
        constexpr auto limit = 5s;
        auto const deadline = std::chrono::steady_clock::now() + limit;
        for (auto pause = 50us;; pause = std::min<std::chrono::microseconds>(pause * 2, 20ms)) {
            auto const link = host.find_link(port);
            if (link && link->operational) return;
            if (!link || std::chrono::steady_clock::now() > deadline)
                throw cni::error{cni::code::internal,
                                 link ? "the bridge port " + link->name +
                                            " did not become operational within 5 s"
                                      : "the bridge port was deleted by somebody else while it was set up"};
            std::this_thread::sleep_for(pause);
        }
    }

    /// Appends bridge, host end, pod's end, and the VLAN's gateway to the interfaces of the result.
    static void report(cni::result& result, cni::attachment const& attachment, netlink::link const& bridge,
                       netlink::link const& port, netlink::link const& pod,
                       std::optional<netlink::link> const& vlan_gateway) {
        auto const describe = [](netlink::link const& link, std::string sandbox) {
            return cni::interface{.name = link.name,
                                  .mac = link.mac.is_zero() ? "" : link.mac.str(),
                                  .mtu = link.mtu,
                                  .sandbox = std::move(sandbox)};
        };
        auto const pod_at = static_cast<unsigned>(result.interfaces.size() + 2);
        result.interfaces.push_back(describe(bridge, {}));
        result.interfaces.push_back(describe(port, {}));
        result.interfaces.push_back(describe(pod, attachment.netns));
        if (vlan_gateway) result.interfaces.push_back(describe(*vlan_gateway, {}));
        for (cni::ip& ip : result.ips) ip.interface = pod_at;
    }

    /// Index of the attachment's interface in the result; /var/run and /run are one place.
    static std::optional<unsigned> container_interface(cni::attachment const& attachment,
                                                       cni::result const& previous) {
        auto const same = [&](cni::interface const& i) {
            if (i.name != attachment.interface.view() || i.sandbox.empty()) return false;
            std::error_code gone;
            return i.sandbox == attachment.netns ||
                   std::filesystem::equivalent(i.sandbox, attachment.netns, gone);
        };
        auto const at = ranges::find_if(previous.interfaces, same);
        if (at == previous.interfaces.end()) return std::nullopt;
        return static_cast<unsigned>(at - previous.interfaces.begin());
    }

    static void check_pod_link(Netlink& inside, netlink::link const& link, config const& conf,
                               cni::result const& previous, unsigned interface, findings& found) {
        if (link.kind != "veth") found.push_back("the pod's " + link.name + " is not a veth");
        if (conf.disableContainerInterface == link.up)
            found.push_back("the pod's " + link.name + (link.up ? " is up, and should be down" : " is down"));
        auto const& told = previous.interfaces[interface];
        if (auto const mac = net::mac::parse(told.mac); mac && *mac != link.mac)
            found.push_back("the MAC address of the pod's " + link.name + " is " + link.mac.str() +
                            ", and was " + told.mac);
        auto const mtu = conf.mtu > 0 ? static_cast<std::uint32_t>(conf.mtu) : told.mtu;
        if (mtu != 0 && link.mtu != mtu)
            found.push_back("the MTU of the pod's " + link.name + " is " + std::to_string(link.mtu) +
                            ", and should be " + std::to_string(mtu));
        check_pod_interface(inside, link, previous, interface, found);
    }

    [[no_unique_address]] SpoofCheck spoof_check_;
};

} // namespace cnix::link
