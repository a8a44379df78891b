#pragma once
#include <ipamd/rpc_server.hpp>
#include <cnix/backends/grpc/messages.hpp>

#include <cnix_rpc_health.pb.h>
#include <concepts>
#include <string>

/// The messages of rpc.CNIBackend as a server reads and writes them: backends/grpc's the other way round.
namespace cnix::ipamd::wire {

using backends::grpc_detail::messages;

template <class Message> rpc::pod pod_of(Message const& from) {
    return {from.pod_name(),  from.pod_namespace(), from.infra_container(),
            from.container(), from.network(),       from.interface()};
}

template <class Message> rpc::add_request read_add(Message const& from) {
    rpc::add_request made{pod_of(from), from.netns(), false};
    if constexpr (requires { from.multi_nic(); }) made.multi_nic = from.multi_nic();
    return made;
}

template <class Message> rpc::del_request read_del(Message const& from) {
    rpc::del_request made{pod_of(from), {}, from.reason()};
    if constexpr (requires { from.pod_uid(); }) made.uid = from.pod_uid();
    return made;
}

template <class Message> void write_allocation(Message& to, rpc::allocation const& from) {
    if (from.ipv4) to.set_ipv4(from.ipv4->str());
    if constexpr (requires { to.set_ipv6(std::string{}); }) {
        if (from.ipv6) to.set_ipv6(from.ipv6->str());
    }
    to.set_device_number(from.device_number);
    if constexpr (requires { to.set_table(0); }) to.set_table(from.table);
}

/// The fields that replies to both calls have. Before v1_20 there is room for one interface.
template <class Message> void write_reply(Message& to, auto const& from) {
    to.set_success(from.success);
    if constexpr (requires { to.add_allocations(); }) {
        for (rpc::allocation const& one : from.allocations) write_allocation(*to.add_allocations(), one);
    } else if (!from.allocations.empty()) {
        write_allocation(to, from.allocations.front());
    }
    if constexpr (requires { to.set_network_policy_mode(std::string{}); })
        to.set_network_policy_mode(from.network_policy_mode);
}

template <class Message> Message write_add(rpc::add_reply const& from, node_facts const& node) {
    Message to;
    write_reply(to, from);
    if (!from.success) {
        to.set_why(from.why);
        return to;
    }
    to.set_external_snat(node.external_snat);
    for (net::prefix const& cidr : node.vpc_cidrs) {
        if (cidr.family() == net::family::ipv4) to.add_vpc_v4_cidrs(cidr.str());
        if constexpr (requires { to.add_vpc_v6_cidrs(std::string{}); }) {
            if (cidr.family() == net::family::ipv6) to.add_vpc_v6_cidrs(cidr.str());
        }
    }
    return to;
}

template <class Message> Message write_del(rpc::del_reply const& from) {
    Message to;
    write_reply(to, from);
    return to;
}

} // namespace cnix::ipamd::wire
