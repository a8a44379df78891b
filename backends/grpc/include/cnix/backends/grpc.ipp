#pragma once
#include <cnix/backends/grpc.hpp>
#include <cnix/backends/grpc/call.hpp>
#include <cnix/backends/grpc/messages.hpp>
#include <cnix/cni/quoted.hpp>

#include <cnix_rpc_health.pb.h>
#include <google/protobuf/stubs/logging.h>
#include <string>

namespace cnix::backends {

namespace grpc_detail {

/// Gives what `read` makes of the answer.
template <class Generation, class Reply, class Request, class Read>
auto ask(rpc::target const& to, std::string const& method, Request const& request, Read&& read) {
    auto const begin = clock::now();
    auto const bytes = call(to, method, request.SerializeAsString());
    auto const bad = [&](std::string const& what) {
        return rpc::bad_reply{rpc::status::internal, what, to, since(begin), true};
    };
    google::protobuf::LogSilencer const silent; // what fails is the caller's to tell
    Reply reply;
    if (!reply.ParseFromString(bytes)) throw bad("the answer to " + method + " is no such message");
    try {
        return read(reply);
    } catch (bad_field const& wrong) {
        throw bad("the answer to " + method + " has " + std::string{wrong.field} + ' ' +
                  cni::quoted(std::string_view{wrong.text}.substr(0, 64)) + ", which is not " +
                  std::string{wrong.form} + "; this plugin speaks with daemons of " +
                  std::string{Generation::name});
    }
}

} // namespace grpc_detail

template <rpc_generation Generation>
rpc::add_reply grpc<Generation>::add_network(rpc::target const& to, rpc::add_request const& request) {
    using messages = grpc_detail::messages<Generation>;
    typename messages::add_request message;
    grpc_detail::set_pod(message, request.pod);
    message.set_netns(request.netns);
    if constexpr (requires { message.set_multi_nic(true); }) message.set_multi_nic(request.multi_nic);
    return grpc_detail::ask<Generation, typename messages::add_reply>(
        to, "/rpc.CNIBackend/AddNetwork", message, [](auto const& reply) {
            auto made = grpc_detail::reply_of<rpc::add_reply>(reply);
            made.why = reply.why();
            made.branch_mac = grpc_detail::parsed<net::mac>("PodENIMAC", reply.branch_mac());
            made.branch_gateway = grpc_detail::parsed<net::address>("PodENISubnetGW", reply.branch_gateway());
            made.trunk = reply.trunk();
            return made;
        });
}

template <rpc_generation Generation>
rpc::del_reply grpc<Generation>::del_network(rpc::target const& to, rpc::del_request const& request) {
    using messages = grpc_detail::messages<Generation>;
    typename messages::del_request message;
    grpc_detail::set_pod(message, request.pod);
    message.set_reason(request.reason);
    if constexpr (requires { message.set_pod_uid(""); }) message.set_pod_uid(request.uid);
    return grpc_detail::ask<Generation, typename messages::del_reply>(
        to, "/rpc.CNIBackend/DelNetwork", message,
        [](auto const& reply) { return grpc_detail::reply_of<rpc::del_reply>(reply); });
}

template <rpc_generation Generation>
bool grpc<Generation>::enforce_network_policy(rpc::target const& to, rpc::enforce_request const& request) {
    using messages = grpc_detail::messages<Generation>;
    if constexpr (requires { typename messages::enforce_request; }) {
        typename messages::enforce_request message;
        message.set_pod_name(request.name);
        message.set_pod_namespace(request.name_space);
        message.set_network_policy_mode(request.mode);
        if constexpr (requires { message.set_interface_count(1); })
            message.set_interface_count(request.interfaces);
        return grpc_detail::ask<Generation, typename messages::enforce_reply>(
            to, "/rpc.NPBackend/EnforceNpToPod", message, [](auto const& reply) { return reply.success(); });
    } else {
        throw no_agent(to);
    }
}

template <rpc_generation Generation>
bool grpc<Generation>::delete_network_policy(rpc::target const& to,
                                             rpc::delete_policy_request const& request) {
    using messages = grpc_detail::messages<Generation>;
    if constexpr (requires { typename messages::delete_policy_request; }) {
        typename messages::delete_policy_request message;
        message.set_pod_name(request.name);
        message.set_pod_namespace(request.name_space);
        return grpc_detail::ask<Generation, typename messages::delete_policy_reply>(
            to, "/rpc.NPBackend/DeletePodNp", message, [](auto const& reply) { return reply.success(); });
    } else {
        throw no_agent(to);
    }
}

template <rpc_generation Generation>
rpc::health grpc<Generation>::health(rpc::target const& to, std::string_view service) {
    proto::health::HealthCheckRequest message;
    message.set_service(std::string{service});
    return grpc_detail::ask<Generation, proto::health::HealthCheckResponse>(
        to, "/grpc.health.v1.Health/Check", message,
        [](auto const& reply) { return static_cast<rpc::health>(reply.status()); });
}

template <rpc_generation Generation> rpc::error grpc<Generation>::no_agent(rpc::target const& to) {
    return {rpc::status::unimplemented,
            "daemons of " + std::string{Generation::name} + " have no network policy agent",
            to,
            {},
            false};
}

} // namespace cnix::backends
