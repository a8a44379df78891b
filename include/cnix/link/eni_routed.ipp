#pragma once
#include <cnix/eni/pod_routing.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/link/eni_routed/branch.hpp>
#include <cnix/link/eni_routed/pod_end.hpp>
#include <cnix/link/forwarding.hpp>
#include <cnix/link/veth_pair.hpp>
#include <cnix/prebuilt.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace cnix::link {

template <netlink_backend Netlink> struct eni_routed<Netlink>::listing {
    std::vector<netlink::link> links;
    std::vector<netlink::route_spec> routes;

    explicit listing(Netlink& host) : links{host.links()}, routes{host.routes(net::family::ipv4)} {
        auto const ipv6 = host.routes(net::family::ipv6);
        routes.insert(routes.end(), ipv6.begin(), ipv6.end());
    }
    std::vector<net::address> routed_to(netlink::link const& host_end) const {
        std::vector<net::address> all;
        for (netlink::route_spec const& route : routes)
            if (route.device == host_end.index && is_to_pod(route)) all.push_back(route.dst.address());
        return all;
    }
};

template <netlink_backend Netlink> struct eni_routed<Netlink>::told_eni {
    std::optional<int> device{}; ///< absent: not told
    std::uint16_t vlan = 0;      ///< of a branch ENI; 0: it has none
};

template <netlink_backend Netlink>
template <ns_policy Ns>
void eni_routed<Netlink>::prepare(cni::attachment const& attachment, settings<eni_routed> const& keys,
                                  Ns& pod, cni::rollback& undo) {
    Netlink host;
    auto const host_end = host_name(attachment, keys, 0);
    if (host.find_link(host_end)) return;
    prepared_ = make_pair(host, attachment, keys, pod, host_end, attachment.interface, undo);
}

template <netlink_backend Netlink>
template <ns_policy Ns>
void eni_routed<Netlink>::add(cni::attachment const& attachment, settings<eni_routed> const& keys, Ns& pod,
                              lease const& leased, cni::result& result, cni::rollback& undo) {
    Netlink host;
    result.ips.clear();
    result.routes.clear();
    auto const count = std::max<std::size_t>(leased.allocations.size(), 1); // none: layer 2 only
    for (std::size_t i = 0; i < count; ++i)
        add_interface(host, attachment, keys, pod, i,
                      i < leased.allocations.size() ? leased.allocations[i] : eni::allocation{},
                      leased.branch, result, undo);
    if (has_family(result.ips, net::family::ipv4))
        ensure_sysctl(host, std::string{forwarding_sysctl(net::family::ipv4)}, "1");
    if (!keys.cni_args.of_kubernetes() && !leased.branch)
        return; // podman takes no interface whose MAC address is none
    int const device = leased.allocations.empty() ? 0 : leased.allocations.front().device_number;
    auto const dummy = dummy_name(attachment, keys);
    result.interfaces.push_back(
        leased.branch ? cni::interface{.name = dummy, .mac = std::to_string(leased.branch->vlan)}
                      : cni::interface{.name = dummy, .mac = "0", .sandbox = std::to_string(device)});
}

template <netlink_backend Netlink>
template <ns_policy Ns>
void eni_routed<Netlink>::del(cni::attachment const& attachment, settings<eni_routed> const& keys, Ns* pod) {
    Netlink host;
    listing const now{host};
    auto const ours = own_links(now.links, attachment, keys);
    auto addresses = attachment.addresses;
    for (netlink::link const& one : ours)
        for (net::address const& address : now.routed_to(one))
            if (!ranges::contains(addresses, address)) addresses.push_back(address);
    // First: by the routes, a DEL that is repeated knows the addresses.
    if (pod) pod->run([&] { delete_pod_rules(addresses); });
    delete_branches(host, attachment, branches_of(host, ours, host_names(attachment, keys), addresses));
    for (net::address const& address : addresses)
        if (!is_of_another(host, address, ours)) eni::unroute_pod(host, address);
    for (netlink::link const& one : ours) host.delete_link(one.index);
    findings failed;
    delete_orphans(host, now, ours, failed);
    if (!failed.empty()) throw cni::error{cni::code::internal, failed.front()};
}

template <netlink_backend Netlink>
template <ns_policy Ns>
pod_interfaces eni_routed<Netlink>::inspect(cni::attachment const& attachment,
                                            settings<eni_routed> const& keys, Ns* pod) {
    auto const ours = own_links(Netlink{}.links(), attachment, keys);
    return inspect_pod<Netlink>(attachment, pod, [&](netlink::link const& link) {
        return link.kind == "veth" && is_further(link.name) &&
               ranges::contains(ours, link.peer, &netlink::link::index);
    });
}

template <netlink_backend Netlink> bool eni_routed<Netlink>::is_further(std::string_view interface) {
    return eni::is_further_interface(interface);
}

template <netlink_backend Netlink>
template <ns_policy Ns>
bool eni_routed<Netlink>::is_attached(cni::attachment const& attachment, settings<eni_routed> const&,
                                      Ns& pod) {
    return pod.run([&] { return Netlink{}.find_link(attachment.interface).has_value(); });
}

template <netlink_backend Netlink>
template <ns_policy Ns>
void eni_routed<Netlink>::check(cni::attachment const& attachment, settings<eni_routed> const& keys, Ns& pod,
                                cni::result const& previous, findings& found) {
    Netlink host;
    for (std::size_t i = 0; i == 0 || has_further(previous, attachment, i); ++i) {
        auto end = attachment;
        end.interface = eni::pod_end_name(attachment, i);
        auto const told = i == 0 ? told_by(previous, attachment, keys, found) : told_eni{};
        auto const prefix = told.vlan != 0 && keys.config.strict() ? strict_prefix : keys.config.prefix();
        auto const pair = check_veth_pair(host, end, pod, previous,
                                          {.host_name = host_name(attachment, keys, i, prefix),
                                           .alias_of = attachment,
                                           .mtu = keys.config.mtu_or_default()},
                                          found);
        if (!pair) continue;
        check_host_end(host, pair->host, found);
        for (cni::ip const& ip : pair->ips) {
            auto const address = ip.address.address();
            if (told.vlan != 0)
                check_branch(host, pair->host, address, told.vlan, keys.config.strict(), found);
            else
                eni::check_pod_routing(host, pair->host, address,
                                       {.exactly = {}, .device = told.device, .further_card = i > 0}, found);
            check_neighbour(host, pair->host, {address, pair->pod.mac, pair->host.index}, found);
            if (auto const path = std::string{forwarding_sysctl(address.family())}; host.sysctl(path) == "0")
                found.push_back("the node does not forward: " + path + " is 0");
        }
        pod.run([&] {
            Netlink inside;
            check_routed_pod(inside, pair->pod, pair->host.mac, pair->ips, i, found);
        });
    }
}

template <netlink_backend Netlink>
void eni_routed<Netlink>::gc(cni::valid_attachments const& valid, settings<eni_routed> const&,
                             findings& found) {
    Netlink host;
    listing const now{host};
    std::vector<netlink::link> garbage;
    for (netlink::link const& link : now.links) {
        if (link.kind != "veth" || !detail::is_garbage(link, valid)) continue;
        garbage.push_back(link);
        for (net::address const& address : now.routed_to(link)) {
            try {
                eni::unroute_pod(host, address);
            } catch (std::exception const& e) {
                found.emplace_back(e.what());
            }
        }
    }
    delete_garbage<Netlink>(valid, found);
    delete_orphans(host, now, garbage, found);
}

template <netlink_backend Netlink>
void eni_routed<Netlink>::status(settings<eni_routed> const& keys, findings& found) {
    Netlink host;
    std::string const path{forwarding_sysctl(net::family::ipv6)};
    if (has_family(keys.expected, net::family::ipv6) && host.sysctl(path) == "0")
        found.push_back(path +
                        " is 0: the node would not forward the pods' packets; set up the node, or write 1");
    for (auto const family : {net::family::ipv4, net::family::ipv6})
        if (auto const lost = eni::pods_without_rule(host, family); !lost.empty())
            throw cni::error{
                cni::code::limited_connectivity,
                std::to_string(lost.size()) + " pods cannot be reached, " + lost.front().str() +
                    " among them: somebody deleted the policy rules to them; recreate them, and see "
                    "that systemd-networkd leaves others' rules (ManageForeignRoutingPolicyRules=no)"};
}

template <netlink_backend Netlink> void eni_routed<Netlink>::status_of(lease const& leased, findings& found) {
    Netlink host;
    for (eni::allocation const& one : leased.allocations)
        for (net::address const& address : one.addresses)
            if (one.table != eni::main_table && !eni::has_default_route(host, address.family(), one.table))
                eni::add_no_default_route(address.family(), one.table, found);
}

template <netlink_backend Netlink> std::vector<net::address> eni_routed<Netlink>::in_use() {
    Netlink host;
    listing const now{host};
    std::vector<net::address> all;
    for (netlink::route_spec const& route : now.routes)
        if (route.table == eni::main_table && is_to_pod(route)) {
            auto const end = std::ranges::find(now.links, route.device, &netlink::link::index);
            if (end != now.links.end() && end->kind == "veth" && is_host_end_name(end->name))
                all.push_back(route.dst.address());
        }
    return all;
}

template <netlink_backend Netlink>
net::interface_name eni_routed<Netlink>::host_name(cni::attachment const& attachment,
                                                   settings<eni_routed> const& keys, std::size_t interface,
                                                   std::string_view prefix) {
    return eni::host_end_name(prefix, keys.cni_args, attachment, interface);
}

template <netlink_backend Netlink>
net::interface_name eni_routed<Netlink>::host_name(cni::attachment const& attachment,
                                                   settings<eni_routed> const& keys, std::size_t interface) {
    return host_name(attachment, keys, interface, keys.config.prefix());
}

template <netlink_backend Netlink>
std::string eni_routed<Netlink>::dummy_name(cni::attachment const& attachment,
                                            settings<eni_routed> const& keys) {
    return "dummy" + eni::pod_digest(keys.cni_args, attachment);
}

template <netlink_backend Netlink> bool eni_routed<Netlink>::is_to_pod(netlink::route_spec const& route) {
    return route.dst == net::prefix::host(route.dst.address());
}

template <netlink_backend Netlink>
void eni_routed<Netlink>::delete_orphans(Netlink& host, listing const& then,
                                         std::vector<netlink::link> const& deleted, findings& found) {
    for (netlink::link const& link : then.links)
        if (link.kind == "veth" && link.alias.starts_with("cnix:") && is_host_end_name(link.name) &&
            then.routed_to(link).empty() && !ranges::contains(deleted, link.index, &netlink::link::index))
            return;
    eni::delete_orphaned_rules(host, then.routes, found);
    delete_orphaned_branch_rules(host, found);
}

template <netlink_backend Netlink>
template <ns_policy Ns>
netlink::link eni_routed<Netlink>::make_pair(Netlink& host, cni::attachment const& attachment,
                                             settings<eni_routed> const& keys, Ns& pod,
                                             net::interface_name const& host_end,
                                             net::interface_name const& pod_end, cni::rollback& undo) {
    return add_veth_pair(host, attachment,
                         {.pod_netns = pod.fd(),
                          .host_name = host_end,
                          .pod_name = pod_end,
                          .mtu = keys.config.mtu_or_default(),
                          .ipv6_sysctls = {host_end_sysctls.begin(), host_end_sysctls.end()}},
                         undo);
}

template <netlink_backend Netlink>
template <ns_policy Ns>
void eni_routed<Netlink>::add_interface(Netlink& host, cni::attachment const& attachment,
                                        settings<eni_routed> const& keys, Ns& pod, std::size_t at,
                                        eni::allocation const& allocation,
                                        std::optional<eni::branch> const& branch, cni::result& result,
                                        cni::rollback& undo) {
    bool const strict = branch && keys.config.strict();
    auto const host_end_name = host_name(attachment, keys, at, strict ? strict_prefix : keys.config.prefix());
    auto const pod_end_name = eni::pod_end_name(attachment, at);
    auto prepared = at == 0 ? std::exchange(prepared_, {}) : std::nullopt;
    if (!prepared || prepared->name != host_end_name.view())
        refuse_or_delete_former(host, pod, host_end_name, attachment);
    for (net::address const& address : allocation.addresses) refuse_taken(host, address, attachment);
    if (prepared && prepared->name != host_end_name.view())
        prepared = rename_host_end(host, *prepared, host_end_name, undo);
    auto const host_end =
        prepared ? *prepared : make_pair(host, attachment, keys, pod, host_end_name, pod_end_name, undo);
    if (at > 0)
        undo.on_failure("remove the policy rules in the pod", [attachment, addresses = allocation.addresses] {
            Ns::open(attachment.netns).run([&] { delete_pod_rules(addresses); });
        });
    auto const pod_end = pod.run([&] {
        Netlink inside;
        auto const made = just_made(inside, pod_end_name);
        configure_routed_pod(inside, made, host_end.mac, allocation.addresses, at);
        return made;
    });
    if (branch) {
        for (auto const family : {net::family::ipv4, net::family::ipv6}) // of a former pod
            eni::delete_rules(host, branch_rule(family, host_end_name, 0));
        add_branch(host, attachment, *branch, undo);
    }
    for (net::address const& address : allocation.addresses) {
        host.replace_neighbour({address, pod_end.mac, host_end.index});
        if (strict) {
            route_pod_strictly(host, address, *branch, host_end, undo);
            continue;
        }
        undo.on_failure("remove the rules of " + address.str(), [address, end = host_end.index] {
            Netlink netlink;
            eni::unroute_own_pod(netlink, address, end);
        });
        eni::route_pod(host, address, host_end.index,
                       branch ? eni::table_of_branch(branch->vlan) : allocation.table);
    }
    wait_operational(host, host_end.index);

    result.interfaces.push_back({.name = host_end.name});
    for (net::address const& address : allocation.addresses)
        result.ips.push_back({.address = net::prefix::host(address),
                              .gateway = branch ? std::optional{branch->gateway} : std::nullopt,
                              .interface = static_cast<unsigned>(result.interfaces.size())});
    result.interfaces.push_back(
        {.name = pod_end.name,
         .mac = keys.config.compatResult ? std::to_string(allocation.table) : pod_end.mac.str(),
         .sandbox = attachment.netns});
}

template <netlink_backend Netlink>
template <ns_policy Ns>
void eni_routed<Netlink>::refuse_or_delete_former(Netlink& host, Ns& pod, net::interface_name const& end,
                                                  cni::attachment const& attachment) {
    auto const former = host.find_link(end);
    if (!former) return;
    if (former->kind != "veth")
        throw cni::error{cni::code::internal,
                         "the node has an interface " + end.str() +
                             " that is no pod's; delete or rename it, or choose another `vethPrefix`"};
    bool const in_use = pod.run([&] {
        Netlink inside;
        return std::ranges::any_of(inside.links(), [&](netlink::link const& link) {
            return link.index == former->peer && link.peer == former->index && link.kind == "veth";
        });
    });
    if (in_use && is_alias_of_another(former->alias, attachment))
        throw cni::error{cni::code::internal,
                         "the pod is attached to ENIs already, by the attachment " +
                             former->alias.substr(former->alias.find(' ') + 1) +
                             ", whose interface on the node is " + end.str() +
                             ": a pod can have one such attachment; leave out the second"};
    if (in_use)
        throw cni::error{cni::code::internal, "the container " + attachment.container.str() +
                                                  " is attached already (its interface on the node is " +
                                                  end.str() + "); DEL it first"};
    host.delete_link(former->index);
}

template <netlink_backend Netlink>
void eni_routed<Netlink>::delete_pod_rules(std::vector<net::address> const& addresses) {
    Netlink inside;
    for (net::address const& address : addresses) eni::delete_rules(inside, pod_rule(address, 0));
}

template <netlink_backend Netlink>
bool eni_routed<Netlink>::is_of_another(Netlink& host, net::address const& address,
                                        std::vector<netlink::link> const& own) {
    auto const route = host.reach(address).host_route;
    return route && !ranges::contains(own, route->device, &netlink::link::index);
}

template <netlink_backend Netlink>
bool eni_routed<Netlink>::has_further(cni::result const& previous, cni::attachment const& attachment,
                                      std::size_t interface) {
    auto const wanted = eni::pod_end_name(attachment, interface);
    return wanted != attachment.interface &&
           std::ranges::any_of(previous.interfaces, [&](cni::interface const& one) {
               return one.name == wanted.view() && !one.sandbox.empty();
           });
}

template <netlink_backend Netlink>
auto eni_routed<Netlink>::told_by(cni::result const& previous, cni::attachment const& attachment,
                                  settings<eni_routed> const& keys, findings& found) -> told_eni {
    auto const number = [](std::string const& text) {
        int value = -1;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    };
    auto const dummy = dummy_name(attachment, keys);
    for (cni::interface const& one : previous.interfaces) {
        if (one.name != dummy) continue;
        if (int const vlan = number(one.mac); vlan > 0 && vlan < 4095)
            return {.device = {}, .vlan = static_cast<std::uint16_t>(vlan)};
        if (int const device = number(one.sandbox); device >= 0) return {.device = device};
    }
    if (!keys.cni_args.of_kubernetes()) return {};
    found.push_back("prevResult does not tell the ENI's device number as `sandbox` of the interface " +
                    dummy);
    return {};
}

template <netlink_backend Netlink>
std::vector<std::string> eni_routed<Netlink>::host_names(cni::attachment const& attachment,
                                                         settings<eni_routed> const& keys,
                                                         std::size_t interface) {
    std::vector<std::string> all;
    for (std::string_view const prefix : {keys.config.prefix(), strict_prefix, usual_prefix})
        all.push_back(host_name(attachment, keys, interface, prefix).str());
    return all;
}

template <netlink_backend Netlink>
std::vector<netlink::link> eni_routed<Netlink>::own_links(std::vector<netlink::link> const& all,
                                                          cni::attachment const& attachment,
                                                          settings<eni_routed> const& keys) {
    std::vector<netlink::link> own;
    auto const append_named = [&](std::vector<std::string> const& names) {
        auto const before = own.size();
        for (netlink::link const& link : all)
            if (ranges::contains(names, link.name) && detail::is_own(link, attachment)) own.push_back(link);
        return own.size() != before;
    };
    for (std::size_t i = 0; append_named(host_names(attachment, keys, i)) || i == 0; ++i) {
    }
    for (netlink::link const& link : all)
        if ((link.kind == "veth" || link.kind == "vlan") && is_alias_of(link.alias, attachment) &&
            !ranges::contains(own, link.index, &netlink::link::index))
            own.push_back(link);
    return own;
}

template <netlink_backend Netlink> bool eni_routed<Netlink>::is_host_end_name(std::string_view end) {
    return !end.starts_with("veth") && end.size() >= eni::name_digits &&
           end.substr(end.size() - eni::name_digits).find_first_not_of("0123456789abcdef") == end.npos;
}

template <netlink_backend Netlink>
void eni_routed<Netlink>::refuse_taken(Netlink& host, net::address const& address,
                                       cni::attachment const& attachment) {
    auto const found = host.reach(address);
    if (found.local)
        throw cni::error{cni::code::try_again_later,
                         "the address " + address.str() +
                             " that the IPAM gives the pod is the node's own: take it from "
                             "one of them"};
    auto const end = found.host_route ? host.find_link(found.host_route->device) : std::nullopt;
    if (end && end->kind == "veth" && end->operational && is_host_end_name(end->name) &&
        !is_alias_of(end->alias, attachment))
        throw cni::error{cni::code::try_again_later,
                         "the address " + address.str() +
                             " that the IPAM gives the pod is another one's, whose interface " + end->name +
                             " is in use" + (end->alias.empty() ? "" : " (" + end->alias + ")") +
                             ": two pods cannot have it"};
}

} // namespace cnix::link
