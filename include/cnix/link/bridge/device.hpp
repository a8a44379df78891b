#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/cni/rollback.hpp>
#include <cnix/link/bridge/config.hpp>
#include <cnix/link/bridge/port.hpp>
#include <cnix/link/forwarding.hpp>
#include <cnix/link/pod_interface.hpp>
#include <cnix/link/veth.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cnix::link {

/// "<bridge>.<vlan>", the interface that has the gateway's addresses of a VLAN. bridge_config::check() bounds its length.
inline net::interface_name vlan_gateway_name(bridge_config const& config) {
    return net::interface_name::parse(config.bridge.str() + "." + std::to_string(config.vlan)).value();
}

/// The other end of vlan_gateway_name()'s veth pair, a port of the bridge.
inline net::interface_name vlan_gateway_port_name(bridge_config const& config) {
    return net::interface_name::parse("veth" + cni::digest(vlan_gateway_name(config)).substr(0, 11)).value();
}

/// Why the device cannot be the bridge.
inline std::string not_a_bridge(netlink::link const& device) {
    return '"' + device.name + "\" already exists but is not a bridge; remove it, or set another `bridge`";
}

/// The gateway's address as its interface has it, with the subnet's length.
inline net::prefix gateway_of(cni::ip const& ip) {
    return *net::prefix::make(*ip.gateway, ip.address.length());
}

/// The addresses of the bridge, `here`, that `gateway` cannot stand beside: of the same family, and with IPv6 of the same
/// subnet, unless they are gateways of `ips` too. Nothing: the gateway is there already.
inline std::optional<std::vector<net::prefix>> in_the_way(std::vector<netlink::link_address> const& here,
                                                          net::prefix const& gateway,
                                                          std::vector<cni::ip> const& ips) {
    if (ranges::contains(here, gateway, &netlink::link_address::address)) return std::nullopt;
    std::vector<net::prefix> others;
    for (auto const& [other, tentative, dad_failed] : here) {
        if (other.family() != gateway.family() || other.address().is_link_local()) continue;
        bool const ours = std::ranges::any_of(ips, [&](cni::ip const& ip) {
            return ip.gateway == other.address() && ip.address.length() == other.length();
        });
        if (!ours && (other.is_v4() || other.overlaps(gateway))) others.push_back(other);
    }
    return others;
}

/// Why the device cannot get the gateway's address beside `other`.
inline std::string gateway_conflict(netlink::link const& device, net::prefix const& gateway,
                                    net::prefix const& other) {
    return '"' + device.name + "\" already has an IP address different from " + gateway.str() + ": " +
           other.str() + "; remove it, or set `forceAddress` to replace it";
}

/// The bridge of an ADD: made if it is missing, used as it is if it is there. Pods of other ADDs may join it at any moment,
/// so what a failed ADD did to it is taken back only if no other ADD holds it and it has no port but `pod_port` (the failed
/// pod's) and the VLAN gateway's. That is asked when the failed pod's port is gone: of ADDs that fail together, one that is told
/// no would else leave it to the last one, which would take the port for that of a pod that stays.
template <netlink_backend Netlink> class bridge_device {
  public:
    bridge_device(Netlink& host, bridge_config const& config, net::interface_name const& pod_port,
                  cni::rollback& undo)
        : host_{host}, config_{config}, own_ports_{own_ports(config, pod_port)}, place_{undo.here()},
          hold_{std::make_shared<hold>()} {
        open(undo);
    }

    netlink::link const& link() const noexcept { return link_; }

    /// The interface of the VLAN's gateway: one end of a veth pair whose other end is an access port of the bridge. Made if
    /// it is missing; it serves all pods of the VLAN, so it stays.
    netlink::link vlan_gateway(cni::rollback& undo) {
        auto const name = vlan_gateway_name(config_);
        if (auto const found = host_.find_link(name); found && found->up)
            return *found; // up is the last step below
        auto const port_name = vlan_gateway_port_name(config_);
        try {
            host_.add_veth({.host = {.name = port_name, .mac = random_port_mac()},
                            .peer = {.name = name, .mac = random_mac()},
                            .mtu = link_.mtu,
                            .master = link_.index,
                            .host_up = false});
        } catch (std::system_error const& e) {
            if (e.code() != std::errc::file_exists) throw;
        }
        on_failure(undo, "delete the interface " + name.str(),
                   [name](Netlink& netlink) { delete_named(netlink, name); });
        auto const port = host_.find_link(port_name);
        auto const gateway = host_.find_link(name);
        if (!port || !gateway)
            throw cni::error{cni::code::internal, "could not make the VLAN's gateway interface " +
                                                      name.str() + ": an interface " + port_name.str() +
                                                      " is in the way"};
        without_ipv6(host_, port_name);
        configure_vlans(host_, port->index, {.vlan = config_.vlan});
        host_.change_link(port->index, {.up = true});
        host_.change_link(gateway->index, {.up = true});
        return *gateway;
    }

    /// Gives the device each gateway's address.
    void add_gateways(netlink::link const& device, std::vector<cni::ip> const& ips, cni::rollback& undo) {
        for (cni::ip const& ip : ips)
            if (ip.gateway) add_gateway(device, gateway_of(ip), ips, undo);
    }

  private:
    /// The interface group (IFLA_GROUP) of a bridge that has not served anybody yet. The first ADD that succeeds takes the mark
    /// off; of ADDs that fail, the last one deletes a bridge that still has it.
    static constexpr std::uint32_t provisional = 0x636e6978; // "cnix"

    using hold = decltype(std::declval<Netlink&>().hold(std::declval<net::interface_name const&>()));

    static std::vector<std::string> own_ports(bridge_config const& config,
                                              net::interface_name const& pod_port) {
        std::vector<std::string> names{pod_port.str()};
        if (config.vlan != 0 && config.gateway()) names.push_back(vlan_gateway_port_name(config).str());
        return names;
    }

    void open(cni::rollback& undo) {
        auto found = held_device();
        if (!found || found->group == provisional)
            on_failure(undo, "delete the bridge " + config_.bridge.str(),
                       [name = config_.bridge](Netlink& netlink) {
                           if (auto const now = netlink.find_link(name); now && now->group == provisional)
                               netlink.delete_link(now->index);
                       });
        for (int attempt = 0; !found; ++attempt) {
            if (attempt == 10)
                throw cni::error{cni::code::internal,
                                 "the bridge " + config_.bridge.str() + " was deleted by somebody else"};
            make();
            found = held_device();
            if (found) try_sysctl(host_, interface_sysctl(net::family::ipv6, found->name, "accept_ra"), "0");
        }
        link_ = *found;
        mac_is_set_ = link_.group == provisional;
        if (link_.kind != "bridge")
            throw cni::error{cni::code::invalid_network_config,
                             "failed to create bridge \"" + link_.name + "\": " + not_a_bridge(link_)};
        if (link_.group == provisional)
            undo.on_success([index = link_.index] { Netlink{}.change_link(index, {.group = 0}); });
        else if (!link_.mac
                      .is_zero()) // without ports, a bridge keeps the MAC address it took from the last one
            on_failure(undo, "give its MAC address back to the bridge " + link_.name,
                       [index = link_.index, mac = link_.mac](Netlink& netlink) {
                           if (auto const now = netlink.find_link(index); now && now->mac != mac)
                               netlink.change_link(index, {.mac = mac});
                       });
        netlink::link_change change;
        if (!link_.up) change.up = true;
        if (config_.promiscMode && !link_.promiscuous) change.promiscuous = true;
        if (config_.vlans() && !link_.vlan_filtering) change.vlan_filtering = true;
        if (change.up || change.promiscuous || change.vlan_filtering) {
            netlink::link_change back;
            if (change.up) back.up = false;
            if (change.promiscuous) back.promiscuous = false;
            if (change.vlan_filtering) back.vlan_filtering = false;
            on_failure(undo, "restore the bridge " + link_.name,
                       [index = link_.index, back](Netlink& netlink) { netlink.change_link(index, back); });
            host_.change_link(link_.index, change); // what fails may have been done in part
        }
    }

    /// First the hold: what is found then can only be deleted by others than cnix. Found without one, it was made in between,
    /// or cannot be held at all.
    std::optional<netlink::link> held_device() {
        for (int attempt = 0;; ++attempt) {
            *hold_ = host_.hold(config_.bridge);
            auto const found = host_.find_link(config_.bridge);
            if (!found || *hold_ || attempt == 2) return found;
        }
    }

    void make() {
        // A MAC address given at creation stays; otherwise the bridge would take the lowest one of its ports, and change it
        // as they come and go.
        netlink::bridge_spec const spec{.name = config_.bridge,
                                        .group = provisional,
                                        .mtu = static_cast<std::uint32_t>(config_.mtu),
                                        .mac = random_mac(),
                                        .vlan_filtering = config_.vlans()};
        try {
            host_.add_bridge(spec);
        } catch (std::system_error const& e) {
            if (config_.vlans() && e.code() == std::errc::operation_not_supported)
                throw cni::error{cni::code::internal,
                                 "this kernel has no bridge VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING), "
                                 "which `vlan` and "
                                 "`vlanTrunk` need; leave them out, or use another kernel"};
            if (e.code() != std::errc::file_exists) throw; // else another ADD was first
        }
    }

    void add_gateway(netlink::link const& device, net::prefix const& gateway, std::vector<cni::ip> const& ips,
                     cni::rollback& undo) {
        auto const others = in_the_way(host_.addresses(device.index), gateway, ips);
        if (!others) return;
        if (!others->empty()) {
            if (!config_.forceAddress)
                throw cni::error{cni::code::internal, "failed to set bridge addr: " +
                                                          gateway_conflict(device, gateway, others->front())};
            // Together and in their order: IPv4 addresses of a subnet are secondary to its first one, and go with it.
            on_failure(undo, "give its addresses back to " + device.name,
                       [index = device.index, others = *others](Netlink& netlink) {
                           for (auto const& other : others) netlink.delete_address(index, other);
                           for (auto const& other : others)
                               netlink.add_address(index, {.address = other, .no_dad = true});
                       });
            for (auto const& other : *others) host_.delete_address(device.index, other);
        }
        if (gateway.is_v6()) // else the kernel drops the address when somebody sets the device down
            try {
                switch_on(interface_sysctl(net::family::ipv6, device.name, "keep_addr_on_down"), undo);
            } catch (std::system_error const&) {
            }
        try {
            host_.add_address(device.index, {.address = gateway, .no_dad = true});
        } catch (std::system_error const& e) {
            if (e.code() == std::errc::file_exists) return; // another ADD was first
            throw;
        }
        on_failure(
            undo, "take " + gateway.str() + " from " + device.name,
            [index = device.index, gateway](Netlink& netlink) { netlink.delete_address(index, gateway); });
        // A bridge that others made gets the lowest MAC address of its ports, and changes it with them: pods would lose their
        // gateway. Setting the one it has pins it. (Without ports it may have none yet.)
        if (device.index == link_.index && !mac_is_set_) {
            host_.change_link(link_.index, {.mac = link_.mac.is_zero() ? random_mac() : link_.mac});
            mac_is_set_ = true;
        }
    }

    /// A sysctl that this kernel does not have stays out of it.
    void switch_on(std::string const& path, cni::rollback& undo) {
        auto const before = host_.sysctl(path);
        if (!before || *before == "1") return;
        host_.set_sysctl(path, "1");
        on_failure(undo, "restore " + path,
                   [path, before](Netlink& netlink) { netlink.set_sysctl(path, *before); });
    }

    static void delete_named(Netlink& netlink, net::interface_name const& name) {
        if (auto const link = netlink.find_link(name)) netlink.delete_link(link->index);
    }

    template <class F> void on_failure(cni::rollback& undo, std::string what, F undo_change) {
        undo.on_failure(place_, std::move(what),
                        [held = hold_, alone = alone_, name = config_.bridge, own = own_ports_, undo_change] {
                            Netlink netlink;
                            if (!*alone) *alone = held->alone(); // one answer for all of a failed ADD's steps
                            if (!**alone) return;                // another ADD is using the bridge
                            auto const links = netlink.links();
                            auto const device = std::ranges::find(links, name.view(), &netlink::link::name);
                            auto const serves_others = [&](netlink::link const& link) {
                                return device != links.end() && link.master == device->index &&
                                       !ranges::contains(own, link.name);
                            };
                            if (!std::ranges::any_of(links, serves_others)) undo_change(netlink);
                        });
    }

    Netlink& host_;
    bridge_config const& config_;
    std::vector<std::string> own_ports_;
    std::shared_ptr<std::optional<bool>> alone_ = std::make_shared<std::optional<bool>>();
    netlink::link link_;
    cni::rollback::place place_; ///< before the pod's port
    std::shared_ptr<hold> hold_; ///< also of the steps of a rollback, which come after this object's end
    bool mac_is_set_ = false;
};

/// Appends what of the bridge differs from what ADD made or found, given ADD's result. Promiscuous mode may be others' doing.
template <netlink_backend Netlink>
void check_bridge_device(Netlink& host, std::optional<netlink::link> const& bridge,
                         bridge_config const& config, cni::result const& previous, findings& found) {
    if (!bridge) {
        found.push_back("the bridge " + config.bridge.str() + " is missing");
        return;
    }
    if (bridge->kind != "bridge") {
        found.push_back("the interface " + bridge->name + " is not a bridge");
        return;
    }
    if (!bridge->up) found.push_back("the bridge " + bridge->name + " is down");
    if (config.promiscMode && !bridge->promiscuous)
        found.push_back("promiscuous mode of the bridge " + bridge->name + " is off, and should be on");
    if (config.vlans() && !bridge->vlan_filtering)
        found.push_back("VLAN filtering of the bridge " + bridge->name + " is off, and should be on");
    if (!config.gateway()) return;

    auto const device = config.vlan != 0 ? host.find_link(vlan_gateway_name(config)) : bridge;
    if (!device) {
        found.push_back("the VLAN's gateway interface " + vlan_gateway_name(config).str() + " is missing");
        return;
    }
    if (!device->up && config.vlan != 0) {
        found.push_back("the VLAN's gateway interface " + device->name +
                        " is down"); // and its other end without a carrier
    } else if (config.vlan != 0) {
        auto const port = host.find_link(vlan_gateway_port_name(config));
        if (port)
            check_port(host, *port, bridge, {.vlan = config.vlan}, found);
        else
            found.push_back("the bridge port of the VLAN's gateway interface " + device->name +
                            " is missing");
    }
    auto const addresses = host.addresses(device->index);
    for (cni::ip const& ip : previous.ips) {
        if (!ip.gateway) continue;
        auto const gateway = gateway_of(ip);
        if (!ranges::contains(addresses, gateway, &netlink::link_address::address))
            found.push_back("the gateway address " + gateway.str() + " is missing on " + device->name);
    }
    for (auto family : {net::family::ipv4, net::family::ipv6}) {
        if (!first_gateway(previous.ips, family)) continue;
        std::string const of_device = interface_sysctl(family, device->name, "forwarding");
        // The node's switch turns the device's.
        for (std::string const& path : {std::string{forwarding_sysctl(family)}, of_device})
            if (auto const value = host.sysctl(path); value && *value == "0") {
                found.push_back("the node does not forward: " + path + " is 0");
                break;
            }
    }
}

} // namespace cnix::link
