#pragma once
#include <cnix/concepts/cni_backend.hpp>

#include <cnix_rpc_v1_10.pb.h>
#include <cnix_rpc_v1_20.pb.h>
#include <cnix_rpc_v1_7.pb.h>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::backends::grpc_detail {

/// The messages of a generation. (v1_7 has no network policies.)
template <class Generation> struct messages;

template <> struct messages<rpc::v1_7> {
    using add_request = proto::v1_7::AddNetworkRequest;
    using add_reply = proto::v1_7::AddNetworkReply;
    using del_request = proto::v1_7::DelNetworkRequest;
    using del_reply = proto::v1_7::DelNetworkReply;
};
template <> struct messages<rpc::v1_10> {
    using add_request = proto::v1_10::AddNetworkRequest;
    using add_reply = proto::v1_10::AddNetworkReply;
    using del_request = proto::v1_10::DelNetworkRequest;
    using del_reply = proto::v1_10::DelNetworkReply;
    using enforce_request = proto::v1_10::EnforceNpRequest;
    using enforce_reply = proto::v1_10::EnforceNpReply;
    using delete_policy_request = proto::v1_10::DeleteNpRequest;
    using delete_policy_reply = proto::v1_10::DeleteNpReply;
};
template <> struct messages<rpc::v1_20> {
    using add_request = proto::v1_20::AddNetworkRequest;
    using add_reply = proto::v1_20::AddNetworkReply;
    using del_request = proto::v1_20::DelNetworkRequest;
    using del_reply = proto::v1_20::DelNetworkReply;
    using enforce_request = proto::v1_20::EnforceNpRequest;
    using enforce_reply = proto::v1_20::EnforceNpReply;
    using delete_policy_request = proto::v1_20::DeleteNpRequest;
    using delete_policy_reply = proto::v1_20::DeleteNpReply;
};

/// A text that is not what its field holds.
struct bad_field {
    std::string_view field;
    std::string text;
    std::string_view form;
};

/// Nothing for no text.
template <class Value> std::optional<Value> parsed(std::string_view field, std::string const& text) {
    if (text.empty()) return std::nullopt;
    auto const value = Value::parse(text);
    if (!value) throw bad_field{field, text, Value::form};
    return value;
}

template <class Message> void set_pod(Message& to, rpc::pod const& pod) {
    to.set_pod_name(pod.name);
    to.set_pod_namespace(pod.name_space);
    to.set_infra_container(pod.infra_container);
    to.set_container(pod.container);
    to.set_network(pod.network);
    to.set_interface(pod.interface);
}

/// Of a message with the fields of one interface: the reply itself, before v1_20.
template <class Message> rpc::allocation allocation_of(Message const& from) {
    rpc::allocation made;
    made.ipv4 = parsed<net::address>("IPv4Addr", from.ipv4());
    if constexpr (requires { from.ipv6(); }) made.ipv6 = parsed<net::address>("IPv6Addr", from.ipv6());
    made.device_number = from.device_number();
    if constexpr (requires { from.table(); }) made.table = from.table();
    return made;
}

/// The fields that replies to both calls have.
template <class Reply, class Message> Reply reply_of(Message const& from) {
    Reply made;
    made.success = from.success();
    if constexpr (requires { from.allocations(); }) {
        for (auto const& one : from.allocations()) made.allocations.push_back(allocation_of(one));
    } else {
        auto const one = allocation_of(from);
        if (one.ipv4 || one.ipv6) made.allocations.push_back(one);
    }
    made.vlan = from.vlan();
    if constexpr (requires { from.network_policy_mode(); })
        made.network_policy_mode = from.network_policy_mode();
    return made;
}

} // namespace cnix::backends::grpc_detail
