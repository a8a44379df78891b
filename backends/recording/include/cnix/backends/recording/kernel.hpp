#pragma once
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/names.hpp>
#include <cnix/sys/errors.hpp>

#include <algorithm>
#include <any>
#include <cerrno>
#include <map>
#include <memory>
#include <typeindex>
#include <utility>

namespace cnix::backends::recording {

struct network_namespace;

/// An interface of the model.
struct interface {
    nl::link link{};         ///< but for operational and peer, which to_link() finds
    bool mac_is_set = false; ///< addr_assign_type SET: a bridge keeps it whatever ports come and go
    network_namespace* peer_namespace = nullptr; ///< of a veth
    nl::index peer = 0;
    nl::bridge_port port{};
    std::map<std::uint16_t, nl::port_vlan> vlans{};
    std::vector<nl::link_address> addresses{};
};

struct network_namespace {
    std::string path; ///< empty: the node's
    int descriptor = -1;
    bool gone = false;
    std::map<nl::index, interface> interfaces;
    nl::index next_index = 1;
    std::vector<nl::route_spec> routes; ///< connected ones and those added; of IPv4 and IPv6
    std::vector<nl::rule_spec> rules;
    std::vector<nl::neighbour_spec> neighbours;
    std::map<std::string, std::string, std::less<>> sysctls; ///< those that were written

    interface* find(std::string_view name) {
        for (auto& [index, entry] : interfaces)
            if (entry.link.name == name) return &entry;
        return nullptr;
    }
    interface* find(nl::index index) {
        auto const at = interfaces.find(index);
        return at == interfaces.end() ? nullptr : &at->second;
    }
};

/// What stands before a command that is to run there.
inline std::string enter_command(network_namespace const& space) {
    return space.path.empty() ? "" : "nsenter --net=" + recording::quoted(space.path) + ' ';
}

/// The network namespaces of a node that exists in memory only: the node's own and one a pod. One for the
/// process. Holds to what rtnetlink answers as far as cnix asks it; carries no packet. Not thread safe.
class kernel {
  public:
    static kernel& self() {
        static kernel one;
        return one;
    }

    /// A fresh node: lo, no pod, and each part() as it is made.
    void reset() {
        parts_.clear();
        namespaces_.clear();
        next_descriptor_ = first_descriptor;
        next_mac_ = 0;
        current_ = &add_namespace("");
    }

    /// The state of another subsystem, of type Part.
    template <class Part> Part& part() {
        std::any& held = parts_[typeid(Part)];
        if (!held.has_value()) held = Part{};
        return *std::any_cast<Part>(&held);
    }

    network_namespace& current() noexcept { return *current_; }
    /// Makes another namespace the current one; returns the former.
    network_namespace& enter(network_namespace& next) noexcept { return *std::exchange(current_, &next); }

    /// The pod's namespace of that path, made when first asked for. Null once it was removed.
    network_namespace* pod(std::string const& path) {
        for (auto& known : namespaces_)
            if (!known->path.empty() && known->path == path) return known->gone ? nullptr : known.get();
        return &add_namespace(path);
    }
    /// The pod ends: its interfaces go, and with each veth its other end.
    void remove_pod(std::string const& path) {
        network_namespace* const space = pod(path);
        if (space == nullptr) return;
        while (!space->interfaces.empty()) remove(*space, space->interfaces.begin()->first);
        space->gone = true;
    }
    network_namespace* of_descriptor(int descriptor) noexcept {
        for (auto& known : namespaces_)
            if (known->descriptor == descriptor) return known.get();
        return nullptr;
    }

    interface& add(network_namespace& space, interface made) {
        made.link.index = space.next_index++;
        if (made.link.mac.is_zero() && made.link.name != "lo") {
            std::uint32_t const number = ++next_mac_; // as random as a test can use: no two are the same
            made.link.mac = net::mac{
                {0x0a, 0x58, static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
                 static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)}};
        }
        start_with_defaults(space, made.link.name);
        return space.interfaces.emplace(made.link.index, std::move(made)).first->second;
    }

    void remove(network_namespace& space, nl::index index) {
        interface* const found = space.find(index);
        if (found == nullptr) return;
        interface const entry = *found;
        set_master(space, *found, 0);
        for (auto& [other, port] : space.interfaces)
            if (port.link.master == index) set_master(space, port, 0);
        std::erase_if(space.routes, [&](auto const& route) { return route.device == index; });
        std::erase_if(space.neighbours, [&](auto const& neighbour) { return neighbour.device == index; });
        std::erase_if(space.sysctls, [&](auto const& item) {
            return item.first.find("/conf/" + entry.link.name + '/') != std::string::npos;
        });
        space.interfaces.erase(index);
        if (entry.peer_namespace != nullptr) remove(*entry.peer_namespace, entry.peer);
        std::vector<nl::index> tagged;
        for (auto const& [other, on_it] : space.interfaces)
            if (on_it.link.kind == "vlan" && on_it.peer == index) tagged.push_back(other);
        for (nl::index other : tagged) remove(space, other);
    }

    void rename(network_namespace& space, interface& entry, std::string name) {
        std::string const old = "/conf/" + std::exchange(entry.link.name, std::move(name)) + '/';
        std::map<std::string, std::string, std::less<>> sysctls;
        for (auto const& [path, value] : space.sysctls) {
            auto const at = path.find(old);
            sysctls[at == path.npos ? path
                                    : path.substr(0, at) + "/conf/" + entry.link.name + '/' +
                                          path.substr(at + old.size())] = value;
        }
        space.sysctls = std::move(sysctls);
    }

    /// 0 releases.
    void set_master(network_namespace& space, interface& port, nl::index master) {
        nl::index const former = std::exchange(port.link.master, master);
        if (former == master) return;
        port.port = {};
        port.vlans.clear();
        if (master != 0) port.vlans[1] = {1, true, true}; // the bridge's default_pvid
        for (nl::index touched : {former, master})
            if (interface* const bridge = space.find(touched); bridge != nullptr)
                follow_ports(space, *bridge);
    }

    void set_up(network_namespace& space, interface& entry, bool up) {
        if (std::exchange(entry.link.up, up) == up) return;
        nl::index const index = entry.link.index;
        if (up) {
            for (auto const& address : entry.addresses) add_connected(space, index, address.address);
        } else {
            std::erase_if(space.routes, [&](auto const& route) { return route.device == index; });
            std::erase_if(space.neighbours, [&](auto const& neighbour) { return neighbour.device == index; });
        }
    }

    /// The route that an address brings while its interface is up (fib_add_ifaddr, addrconf_prefix_route).
    void add_connected(network_namespace& space, nl::index device, net::prefix const& address) {
        if (address.length() == net::bits(address.family()) && address.is_v4()) return;
        space.routes.push_back(connected(device, address));
    }
    void remove_connected(network_namespace& space, nl::index device, net::prefix const& address) {
        auto const gone = connected(device, address);
        auto const at = std::find_if(space.routes.begin(), space.routes.end(), [&](auto const& route) {
            return route.dst == gone.dst && route.device == device && route.protocol == gone.protocol;
        });
        if (at != space.routes.end()) space.routes.erase(at);
    }

    /// After those of the same priority.
    static void add_rule(network_namespace& space, nl::rule_spec const& rule) {
        auto const before = [](auto const& one, auto const& other) { return one.priority < other.priority; };
        space.rules.insert(std::upper_bound(space.rules.begin(), space.rules.end(), rule, before), rule);
    }

    /// As the kernel would tell of it.
    nl::link to_link(network_namespace& space, interface const& entry) {
        nl::link link = entry.link;
        link.operational = operational(space, entry);
        link.peer = entry.peer;
        return link;
    }

  private:
    static constexpr int first_descriptor = 1 << 20; ///< no descriptor that a process has

    kernel() { reset(); }

    network_namespace& add_namespace(std::string const& path) {
        auto& space = *namespaces_.emplace_back(std::make_unique<network_namespace>());
        space.path = path;
        space.descriptor = next_descriptor_++;
        interface lo;
        lo.link.name = "lo";
        lo.link.mtu = 65536;
        add(space, lo);
        for (net::family const family : {net::family::ipv4, net::family::ipv6}) { // as fib_default_rules_init
            add_rule(space, {.family = family, .priority = 0, .table = 255, .protocol = 2});
            add_rule(space, {.family = family, .priority = 32766, .table = 254, .protocol = 2});
            if (family == net::family::ipv4)
                add_rule(space, {.family = family, .priority = 32767, .table = 253, .protocol = 2});
        }
        return space;
    }

    static nl::route_spec connected(nl::index device, net::prefix const& address) {
        nl::route_spec route{.dst = address.network(), .device = device, .protocol = 2}; // RTPROT_KERNEL
        route.scope = address.is_v4() ? 253 : 0;
        if (address.is_v4())
            route.source = address.address();
        else
            route.priority = 256; // IP6_RT_PRIO_ADDRCONF
        return route;
    }

    /// A new interface's sysctls begin as conf/default's are (inetdev_init, ipv6_add_dev).
    static void start_with_defaults(network_namespace& space, std::string const& interface) {
        for (std::string const root : {"net/ipv4/conf/", "net/ipv6/conf/"}) {
            std::string const defaults = root + "default/";
            for (auto at = space.sysctls.lower_bound(defaults);
                 at != space.sysctls.end() && at->first.starts_with(defaults); ++at)
                space.sysctls[root + interface + '/' + at->first.substr(defaults.size())] = at->second;
        }
    }

    /// A bridge without an address of its own has the lowest of its ports (br_stp_recalculate_bridge_id).
    static void follow_ports(network_namespace& space, interface& bridge) {
        if (bridge.mac_is_set) return;
        std::optional<net::mac> lowest;
        for (auto const& [index, port] : space.interfaces)
            if (port.link.master == bridge.link.index && (!lowest || port.link.mac < *lowest))
                lowest = port.link.mac;
        if (lowest) bridge.link.mac = *lowest;
    }

    static bool operational(network_namespace& space, interface const& entry) {
        if (!entry.link.up) return entry.link.kind.empty(); // lo, always UNKNOWN
        if (entry.link.kind == "veth") {
            interface const* const peer = entry.peer_namespace->find(entry.peer);
            return peer != nullptr && peer->link.up;
        }
        if (entry.link.kind == "bridge")
            return std::any_of(space.interfaces.begin(), space.interfaces.end(), [&](auto const& item) {
                return item.second.link.master == entry.link.index && operational(space, item.second);
            });
        return true;
    }

    std::vector<std::unique_ptr<network_namespace>> namespaces_;
    std::map<std::type_index, std::any> parts_;
    network_namespace* current_ = nullptr;
    int next_descriptor_ = first_descriptor;
    std::uint32_t next_mac_ = 0;
};

} // namespace cnix::backends::recording
