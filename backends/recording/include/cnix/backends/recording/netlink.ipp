#pragma once
#include <cnix/backends/recording/commands.hpp>
#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/backends/recording/netlink.hpp>
#include <cnix/backends/recording/sysctls.hpp>
#include <cnix/prebuilt.hpp>

namespace cnix::backends::recording {

CNIX_INLINE netlink::netlink() : space_{&kernel::self().current()} {}

CNIX_INLINE std::optional<nl::link> netlink::find_link(net::interface_name const& name) {
    faults::call("look up the interface \"" + name.str() + '"');
    interface const* const found = space_->find(name);
    if (found == nullptr) return std::nullopt;
    return kernel::self().to_link(*space_, *found);
}

CNIX_INLINE std::optional<nl::link> netlink::find_link(nl::index index) {
    faults::call("look up the interface of index " + std::to_string(index));
    interface const* const found = space_->find(index);
    if (found == nullptr) return std::nullopt;
    return kernel::self().to_link(*space_, *found);
}

CNIX_INLINE std::vector<nl::link> netlink::links() {
    faults::call("list the interfaces");
    std::vector<nl::link> all;
    for (auto const& [index, entry] : space_->interfaces)
        all.push_back(kernel::self().to_link(*space_, entry));
    return all;
}

CNIX_INLINE void netlink::add_bridge(nl::bridge_spec const& bridge) {
    std::string const what = "add the bridge \"" + bridge.name.str() + '"';
    faults::call(what);
    check_new(*space_, bridge.name, bridge.mac, bridge.mtu, what);
    interface made;
    made.link.name = bridge.name;
    made.link.kind = "bridge";
    made.link.mac = bridge.mac.value_or(net::mac{});
    made.link.mtu = bridge.mtu != 0 ? bridge.mtu : 1500;
    made.link.up = bridge.up;
    made.link.group = bridge.group;
    made.link.vlan_filtering = bridge.vlan_filtering;
    made.mac_is_set = bridge.mac.has_value();
    kernel::self().add(*space_, made);
    note(commands::add_bridge(bridge), {commands::delete_link(bridge.name.view())});
}

CNIX_INLINE void netlink::add_veth(nl::veth_spec const& veth) {
    std::string const what =
        "add the veth \"" + veth.host.name.str() + "\" with its peer \"" + veth.peer.name.str() + '"';
    faults::call(what);
    auto& model = kernel::self();
    network_namespace* const peer_space = veth.peer_netns < 0 ? space_ : model.of_descriptor(veth.peer_netns);
    if (peer_space == nullptr || peer_space->gone) sys::throw_errno(EINVAL, what);
    check_new(*space_, veth.host.name, veth.host.mac, veth.mtu, what);
    check_new(*peer_space, veth.peer.name, veth.peer.mac, veth.mtu, what);
    if (peer_space == space_ && veth.host.name == veth.peer.name) sys::throw_errno(EEXIST, what);
    if (veth.master != 0) check_master(veth.master, what);
    auto const make = [&](network_namespace& space, nl::veth_end const& end) -> interface& {
        interface made;
        made.link.name = end.name;
        made.link.kind = "veth";
        made.link.mac = end.mac.value_or(net::mac{});
        made.link.mtu = veth.mtu != 0 ? veth.mtu : 1500;
        made.link.group = end.group;
        return model.add(space, made);
    };
    // Indices: the kernel registers the peer first (veth_newlink).
    interface& peer = make(*peer_space, veth.peer);
    interface& host = make(*space_, veth.host);
    host.peer = peer.link.index;
    host.peer_namespace = peer_space;
    peer.peer = host.link.index;
    peer.peer_namespace = space_;
    model.set_up(*space_, host, veth.host_up);
    model.set_master(*space_, host, veth.master);
    note(commands::add_veth(*space_, veth, peer_space == space_ ? "" : peer_space->path),
         {commands::delete_link(veth.host.name.view())});
}

CNIX_INLINE void netlink::add_vlan(nl::vlan_spec const& vlan) {
    std::string const what =
        "add the VLAN " + std::to_string(vlan.id) + " \"" + vlan.name.str() + "\" on " + named(vlan.on);
    faults::call(what);
    interface const* const on = space_->find(vlan.on);
    if (on == nullptr) sys::throw_errno(ENODEV, what);
    if (vlan.id == 0 || vlan.id > 4094) sys::throw_errno(ERANGE, what);
    check_new(*space_, vlan.name, vlan.mac, 0, what);
    for (auto const& [index, other] : space_->interfaces)
        if (other.link.kind == "vlan" && other.peer == vlan.on && other.link.vlan == vlan.id)
            sys::throw_errno(EEXIST, what);
    interface made;
    made.link.name = vlan.name;
    made.link.kind = "vlan";
    made.link.vlan = vlan.id;
    made.link.group = vlan.group;
    made.link.mac = vlan.mac.value_or(on->link.mac);
    made.link.mtu = on->link.mtu;
    made.peer = vlan.on;
    kernel::self().add(*space_, made);
    note(commands::add_vlan(*space_, vlan), {commands::delete_link(vlan.name.view())});
}

CNIX_INLINE void netlink::change_link(nl::index index, nl::link_change const& change) {
    std::string const what = "set " + named(index);
    faults::call(what);
    interface& entry = existing(index, what);
    bool const is_bridge = entry.link.kind == "bridge";
    if (change.mac && (change.mac->is_zero() || change.mac->is_multicast()))
        sys::throw_errno(EADDRNOTAVAIL, what);
    if (change.mtu && !mtu_is_valid(*change.mtu)) sys::throw_errno(EINVAL, what);
    if (change.alias && change.alias->size() > 255) sys::throw_errno(ERANGE, what);
    if (change.addr_gen_mode && (*change.addr_gen_mode < 0 || *change.addr_gen_mode > 3))
        sys::throw_errno(EINVAL, what);
    if (change.vlan_filtering && !is_bridge) sys::throw_errno(EOPNOTSUPP, what);
    if (change.master && *change.master != 0) check_master(*change.master, what);
    if (change.master && *change.master == index) sys::throw_errno(ELOOP, what);
    if (change.addr_gen_mode && change.mtu.value_or(entry.link.mtu) < 1280)
        sys::throw_errno(EAFNOSUPPORT, what);
    auto& model = kernel::self();
    if (change.name && change.name->view() != entry.link.name) {
        if (entry.link.up) sys::throw_errno(EBUSY, what);
        if (space_->find(change.name->view()) != nullptr) sys::throw_errno(EEXIST, what);
        std::string const old = entry.link.name;
        model.rename(*space_, entry, change.name->str());
        note(commands::rename_link(old, entry.link.name), {commands::rename_link(entry.link.name, old)});
    }
    std::vector<std::string> const journalled = commands::change_link(*space_, index, change);
    std::vector<std::string> const undo = commands::change_link(*space_, index, former(entry, change));
    if (change.mac) {
        entry.link.mac = *change.mac;
        entry.mac_is_set = true;
    }
    if (change.mtu) entry.link.mtu = *change.mtu;
    if (change.promiscuous) entry.link.promiscuous = *change.promiscuous;
    if (change.alias) entry.link.alias = *change.alias;
    if (change.group) entry.link.group = *change.group;
    if (change.addr_gen_mode)
        space_->sysctls["net/ipv6/conf/" + entry.link.name + "/addr_gen_mode"] =
            std::to_string(*change.addr_gen_mode);
    if (change.vlan_filtering) entry.link.vlan_filtering = *change.vlan_filtering;
    if (change.master) model.set_master(*space_, entry, *change.master);
    if (change.up) model.set_up(*space_, entry, *change.up);
    for (std::size_t i = 0; i < journalled.size(); ++i) note(journalled[i], {undo[i]});
}

CNIX_INLINE auto netlink::hold(net::interface_name const&) -> held { return {}; }

CNIX_INLINE bool netlink::delete_link(nl::index index) {
    std::string const what = "delete the interface " + named(index);
    faults::call(what);
    interface const* const found = space_->find(index);
    if (found == nullptr) return false;
    if (found->link.name == "lo") sys::throw_errno(EOPNOTSUPP, what);
    note(commands::delete_link(found->link.name), {});
    kernel::self().remove(*space_, index);
    return true;
}

CNIX_INLINE std::optional<nl::bridge_port> netlink::port(nl::index index) {
    std::string const what = "look up the bridge port " + named(index);
    faults::call(what);
    interface const& entry = existing(index, what);
    if (entry.link.master == 0) return std::nullopt;
    return entry.port;
}

CNIX_INLINE void netlink::change_port(nl::index index, nl::bridge_port const& port) {
    std::string const what = "change the bridge port " + named(index);
    faults::call(what);
    interface& entry = existing(index, what);
    if (entry.link.master == 0) sys::throw_errno(EOPNOTSUPP, what);
    auto const former = std::exchange(entry.port, port);
    note(commands::change_port(*space_, index, port), {commands::change_port(*space_, index, former)});
}

CNIX_INLINE std::vector<nl::port_vlan> netlink::port_vlans(nl::index index) {
    std::string const what = "list the VLANs of the bridge port " + named(index);
    faults::call(what);
    interface const& entry = existing(index, what);
    if (entry.link.master == 0) sys::throw_errno(EINVAL, what);
    std::vector<nl::port_vlan> all;
    for (auto const& [vid, vlan] : entry.vlans) all.push_back(vlan);
    return all;
}

CNIX_INLINE void netlink::add_port_vlan(nl::index index, nl::port_vlan const& vlan) {
    std::string const what =
        "add the VLAN " + std::to_string(vlan.vid) + " to the bridge port " + named(index);
    faults::call(what);
    interface& entry = existing(index, what);
    if (entry.link.master == 0) sys::throw_errno(EOPNOTSUPP, what);
    if (vlan.vid == 0 || vlan.vid > 4094) sys::throw_errno(EINVAL, what);
    std::vector<std::string> undo{commands::port_vlan(*space_, "del", index, vlan)};
    for (auto& [vid, other] : entry.vlans)
        if (vid == vlan.vid || (vlan.pvid && other.pvid)) {
            undo.push_back(commands::port_vlan(*space_, "add", index, other));
            other.pvid = false;
        }
    entry.vlans[vlan.vid] = vlan;
    note(commands::port_vlan(*space_, "add", index, vlan), undo);
}

CNIX_INLINE bool netlink::delete_port_vlan(nl::index index, nl::port_vlan const& vlan) {
    faults::call("delete the VLAN " + std::to_string(vlan.vid) + " of the bridge port " + named(index));
    interface* const entry = space_->find(index);
    if (entry == nullptr) return false;
    auto const gone = entry->vlans.extract(vlan.vid);
    if (gone.empty()) return false;
    note(commands::port_vlan(*space_, "del", index, vlan),
         {commands::port_vlan(*space_, "add", index, gone.mapped())});
    return true;
}

CNIX_INLINE std::vector<nl::link_address> netlink::addresses(nl::index index) {
    std::string const what = "list the addresses of " + named(index);
    faults::call(what);
    return existing(index, what).addresses;
}

CNIX_INLINE void netlink::add_address(nl::index index, nl::address_spec const& spec) {
    net::prefix const& address = spec.address;
    std::string const what = "add the address " + address.str() + " to " + named(index);
    faults::call(what);
    interface& entry = existing(index, what);
    if (address.is_v6() && value_of("net/ipv6/conf/" + entry.link.name + "/disable_ipv6") == "1")
        sys::throw_errno(EACCES, what);
    for (auto const& other : entry.addresses) {
        bool const same =
            address.is_v6() ? other.address.address() == address.address() : other.address == address;
        if (same) sys::throw_errno(EEXIST, what);
    }
    // Duplicate address detection ends at once here: nobody else is on the wire.
    entry.addresses.push_back({address, false, false});
    if (entry.link.up) kernel::self().add_connected(*space_, index, address);
    note(commands::add_address(*space_, index, spec), {commands::delete_address(*space_, index, address)});
}

CNIX_INLINE bool netlink::delete_address(nl::index index, net::prefix const& address) {
    faults::call("delete the address " + address.str() + " of " + named(index));
    interface* const entry = space_->find(index);
    if (entry == nullptr) return false;
    if (std::erase_if(entry->addresses, [&](auto const& other) { return other.address == address; }) == 0)
        return false;
    kernel::self().remove_connected(*space_, index, address);
    note(commands::delete_address(*space_, index, address),
         {commands::add_address(*space_, index, {.address = address})});
    return true;
}

CNIX_INLINE std::vector<nl::route_spec> netlink::routes(net::family family) {
    faults::call("list the routes");
    return routes_where([&](auto const& route) { return route.dst.family() == family; });
}

CNIX_INLINE std::vector<nl::route_spec> netlink::routes(net::family family, nl::index device) {
    std::string const what = "list the routes of " + named(device);
    faults::call(what);
    existing(device, what);
    return routes_where(
        [&](auto const& route) { return route.dst.family() == family && route.device == device; });
}

CNIX_INLINE nl::reached netlink::reach(net::address const& address) {
    faults::call("look up the route to " + address.str());
    nl::reached found;
    for (auto const& [index, entry] : space_->interfaces)
        for (auto const& own : entry.addresses) found.local = found.local || own.address.address() == address;
    for (auto const& route : space_->routes)
        if (route.table == 254 && route.dst == net::prefix::host(address) && !found.host_route)
            found.host_route = route;
    return found;
}

CNIX_INLINE void netlink::add_route(nl::route_spec const& route) {
    std::string const what = "add the route " + route.dst.str();
    faults::call(what);
    nl::route_spec const made = resolved(route, what);
    for (auto const& other : space_->routes)
        if (same_slot(other, made) && other.gateway == made.gateway && other.device == made.device)
            sys::throw_errno(EEXIST, what);
    // `ip route add` refuses a second way to a destination, which the kernel and this operation accept.
    auto const first = first_in_slot(made);
    std::string const verb = first == space_->routes.end() ? "add" : made.dst.is_v4() ? "prepend" : "append";
    note(commands::route(*space_, verb, route), {commands::route(*space_, "del", route)});
    space_->routes.insert(made.dst.is_v4() ? first : space_->routes.end(), made);
}

CNIX_INLINE void netlink::replace_route(nl::route_spec const& route) {
    std::string const what = "replace the route " + route.dst.str();
    faults::call(what);
    nl::route_spec const made = resolved(route, what);
    auto const first = first_in_slot(made);
    bool const is_new = first == space_->routes.end();
    note(commands::route(*space_, "replace", route),
         {is_new ? commands::route(*space_, "del", route) : commands::route(*space_, "replace", *first)});
    if (is_new)
        space_->routes.push_back(made);
    else
        *first = made;
}

CNIX_INLINE bool netlink::delete_route(nl::route_spec const& route) {
    faults::call("delete the route " + route.dst.str());
    auto const at = std::find_if(space_->routes.begin(), space_->routes.end(), [&](auto const& other) {
        return other.dst == route.dst.network() && other.table == route.table &&
               (route.priority == 0 || other.priority == route.priority) &&
               (!route.gateway || other.gateway == route.gateway) &&
               (route.device == 0 || other.device == route.device) && other.protocol == route.protocol &&
               (!route.scope || route.dst.is_v6() || other.scope == route.scope);
    });
    if (at == space_->routes.end()) return false;
    note(commands::route(*space_, "del", route), {commands::route(*space_, "add", *at)});
    space_->routes.erase(at);
    return true;
}

CNIX_INLINE std::vector<nl::rule_spec> netlink::rules(net::family family) {
    faults::call("list the policy rules");
    std::vector<nl::rule_spec> all;
    for (auto const& rule : space_->rules)
        if (rule.family == family) all.push_back(rule);
    return all;
}

CNIX_INLINE void netlink::add_rule(nl::rule_spec const& rule) {
    std::string const what = "add the policy rule of priority " + std::to_string(rule.priority);
    faults::call(what);
    auto const& rules = space_->rules;
    if (std::find(rules.begin(), rules.end(), rule) != rules.end()) sys::throw_errno(EEXIST, what);
    kernel::add_rule(*space_, rule);
    note(commands::rule("add", rule), {commands::rule("del", rule)});
}

CNIX_INLINE bool netlink::delete_rule(nl::rule_spec const& rule) {
    faults::call("delete the policy rule of priority " + std::to_string(rule.priority));
    auto const at = std::find_if(space_->rules.begin(), space_->rules.end(), [&](auto const& other) {
        return other.family == rule.family && other.priority == rule.priority &&
               (rule.table == 0 || other.table == rule.table) &&
               (!rule.source || other.source == rule.source) &&
               (!rule.destination || other.destination == rule.destination) &&
               (rule.input_interface.empty() || other.input_interface == rule.input_interface) &&
               (rule.mask == 0 || (other.mark == rule.mark && other.mask == rule.mask)) &&
               (rule.protocol == 0 || other.protocol == rule.protocol) &&
               (rule.transport == 0 || other.transport == rule.transport);
    });
    if (at == space_->rules.end()) return false;
    note(commands::rule("del", *at), {commands::rule("add", *at)});
    space_->rules.erase(at);
    return true;
}

CNIX_INLINE std::vector<nl::neighbour_spec> netlink::neighbours(nl::index index) {
    faults::call("list the neighbours of " + named(index));
    std::vector<nl::neighbour_spec> all;
    for (auto const& neighbour : space_->neighbours)
        if (neighbour.device == index) all.push_back(neighbour);
    return all;
}

CNIX_INLINE void netlink::replace_neighbour(nl::neighbour_spec const& neighbour) {
    std::string const what = "set the neighbour " + neighbour.address.str();
    faults::call(what);
    existing(neighbour.device, what);
    auto const former = take_neighbour(neighbour);
    space_->neighbours.push_back(neighbour);
    note(commands::neighbour(*space_, "replace", neighbour),
         {former ? commands::neighbour(*space_, "replace", *former)
                 : commands::neighbour(*space_, "del", neighbour)});
}

CNIX_INLINE bool netlink::delete_neighbour(nl::neighbour_spec const& neighbour) {
    faults::call("delete the neighbour " + neighbour.address.str());
    auto const former = take_neighbour(neighbour);
    if (!former) return false;
    note(commands::neighbour(*space_, "del", neighbour), {commands::neighbour(*space_, "replace", *former)});
    return true;
}

CNIX_INLINE std::optional<std::string> netlink::sysctl(std::string_view path) {
    faults::call("read the sysctl \"" + std::string{path} + '"');
    return value_of(path, kernel::self().current());
}

CNIX_INLINE void netlink::set_sysctl(std::string_view path, std::string_view text) {
    std::string const what = "write \"" + std::string{text} + "\" to the sysctl \"" + std::string{path} + '"';
    faults::call(what);
    network_namespace& space = kernel::self().current();
    if (!default_sysctl(space, path)) sys::throw_errno(ENOENT, what);
    std::string_view const digits = text.starts_with('-') ? text.substr(1) : text;
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
        sys::throw_errno(EINVAL, what);
    std::string const former = value_of(path, space).value();
    space.sysctls[std::string{path}] = text;
    // The node's switch is every interface's, and the default of those to come (inet_forward_change in
    // net/ipv4/devinet.c, addrconf_fixup_forwarding in net/ipv6/addrconf.c).
    if (bool const v4 = path == "net/ipv4/ip_forward"; v4 || path == "net/ipv6/conf/all/forwarding") {
        std::string const root = v4 ? "net/ipv4/conf/" : "net/ipv6/conf/";
        for (auto const& [index, interface] : space.interfaces)
            space.sysctls[root + interface.link.name + "/forwarding"] = text;
        for (char const* const all : {"all", "default"}) space.sysctls[root + all + "/forwarding"] = text;
    }
    note(commands::sysctl(path, text), {commands::sysctl(path, former)});
}

CNIX_INLINE void netlink::note(std::string const& command, std::vector<std::string> undo) {
    journal::prefix const there{enter_command(*space_)};
    journal::append(command, std::move(undo));
}

CNIX_INLINE nl::link_change netlink::former(interface const& entry, nl::link_change const& change) {
    auto was = change;
    if (was.up) was.up = entry.link.up;
    if (was.mac) was.mac = entry.link.mac;
    if (was.mtu) was.mtu = entry.link.mtu;
    if (was.promiscuous) was.promiscuous = entry.link.promiscuous;
    if (was.alias) was.alias = entry.link.alias;
    if (was.group) was.group = entry.link.group;
    if (was.master) was.master = entry.link.master;
    if (was.vlan_filtering) was.vlan_filtering = entry.link.vlan_filtering;
    if (was.addr_gen_mode) {
        auto const mode = value_of("net/ipv6/conf/" + entry.link.name + "/addr_gen_mode");
        was.addr_gen_mode = mode.value_or("0").front() - '0';
    }
    return was;
}

CNIX_INLINE std::string netlink::named(nl::index index) const {
    interface const* const found = space_->find(index);
    return found != nullptr ? '"' + found->link.name + '"'
                            : "the interface of index " + std::to_string(index);
}

CNIX_INLINE bool netlink::mtu_is_valid(std::uint32_t mtu) noexcept { return mtu >= 68 && mtu <= 65535; }

CNIX_INLINE void netlink::check_new(network_namespace& space, std::string_view name,
                                    std::optional<net::mac> const& mac, std::uint32_t mtu,
                                    std::string const& what) {
    if (mac && (mac->is_zero() || mac->is_multicast())) sys::throw_errno(EADDRNOTAVAIL, what);
    if (space.find(name) != nullptr) sys::throw_errno(EEXIST, what);
    if (mtu != 0 && !mtu_is_valid(mtu)) sys::throw_errno(EINVAL, what);
}

CNIX_INLINE void netlink::check_master(nl::index index, std::string const& what) {
    interface const* const bridge = space_->find(index);
    if (bridge == nullptr) sys::throw_errno(EINVAL, what);
    if (bridge->link.kind != "bridge") sys::throw_errno(EOPNOTSUPP, what);
    auto const ports = std::count_if(space_->interfaces.begin(), space_->interfaces.end(),
                                     [&](auto const& item) { return item.second.link.master == index; });
    if (ports >= 1023) sys::throw_errno(EXFULL, what); // BR_MAX_PORTS
}

CNIX_INLINE auto netlink::existing(nl::index index, std::string const& what) -> interface& {
    interface* const found = space_->find(index);
    if (found == nullptr) sys::throw_errno(ENODEV, what);
    return *found;
}

CNIX_INLINE std::optional<std::string> netlink::value_of(std::string_view path, network_namespace& space) {
    auto const usual = default_sysctl(space, path);
    if (!usual) return std::nullopt;
    auto const written = space.sysctls.find(path);
    if (written != space.sysctls.end()) return written->second;
    return std::string{*usual};
}

CNIX_INLINE std::optional<std::string> netlink::value_of(std::string_view path) {
    return value_of(path, *space_);
}

template <class Predicate> std::vector<nl::route_spec> netlink::routes_where(Predicate keep) {
    std::vector<nl::route_spec> all;
    std::copy_if(space_->routes.begin(), space_->routes.end(), std::back_inserter(all), keep);
    return all;
}

CNIX_INLINE bool netlink::same_slot(nl::route_spec const& a, nl::route_spec const& b) {
    return a.dst == b.dst && a.table == b.table && a.priority == b.priority;
}

CNIX_INLINE auto netlink::first_in_slot(nl::route_spec const& route)
    -> std::vector<nl::route_spec>::iterator {
    return std::find_if(space_->routes.begin(), space_->routes.end(),
                        [&](auto const& other) { return same_slot(other, route); });
}

CNIX_INLINE nl::route_spec netlink::resolved(nl::route_spec route, std::string const& what) {
    if (route.dst.is_v4() && route.dst.has_host_bits()) sys::throw_errno(EINVAL, what);
    route.dst = route.dst.network();
    if (route.dst.is_v6() && route.priority == 0) route.priority = 1024; // IP6_RT_PRIO_USER
    if (route.dst.is_v6())
        route.scope = 0;
    else if (!route.scope)
        route.scope = route.gateway ? 0 : 253;
    if (route.gateway && !route.onlink) {
        auto const way = std::find_if(space_->routes.begin(), space_->routes.end(), [&](auto const& other) {
            return !other.gateway && other.dst.contains(*route.gateway) &&
                   (route.device == 0 || other.device == route.device);
        });
        if (way == space_->routes.end()) {
            if (route.device != 0) check_up(route.device, what);
            sys::throw_errno(route.gateway->is_v4() ? ENETUNREACH : EHOSTUNREACH, what);
        }
        route.device = way->device;
    }
    check_up(route.device, what);
    return route;
}

CNIX_INLINE void netlink::check_up(nl::index device, std::string const& what) {
    if (!existing(device, what).link.up) sys::throw_errno(ENETDOWN, what);
}

CNIX_INLINE std::optional<nl::neighbour_spec> netlink::take_neighbour(nl::neighbour_spec const& neighbour) {
    auto& all = space_->neighbours;
    auto const at = std::find_if(all.begin(), all.end(), [&](auto const& other) {
        return other.device == neighbour.device && other.address == neighbour.address;
    });
    if (at == all.end()) return std::nullopt;
    auto const taken = *at;
    all.erase(at);
    return taken;
}

} // namespace cnix::backends::recording
