#pragma once
#include <cnix/concepts/cni_backend.hpp>

#include <string_view>

namespace cnix::backends {

/// The address daemon and the network policy agent, asked by gRPC: protobuf's messages over nghttp2's HTTP/2.
///
/// Every call makes a connection, and ends with it. grpc++'s own client has channels, resolvers, balancers and threads for
/// services that are asked again and again: to start them takes ten times as long as the call (docs/design/grpc.md).
template <rpc_generation Generation> class grpc {
  public:
    using generation = Generation;

    rpc::add_reply add_network(rpc::target const& to, rpc::add_request const& request);

    rpc::del_reply del_network(rpc::target const& to, rpc::del_request const& request);

    bool enforce_network_policy(rpc::target const& to, rpc::enforce_request const& request);

    bool delete_network_policy(rpc::target const& to, rpc::delete_policy_request const& request);

    rpc::health health(rpc::target const& to, std::string_view service);

  private:
    static rpc::error no_agent(rpc::target const& to);
};
static_assert(cni_backend<grpc<rpc::v1_7>> && cni_backend<grpc<rpc::v1_10>> && cni_backend<grpc<rpc::v1_20>>);

} // namespace cnix::backends

#include <cnix/backends/grpc.ipp> // in no library: its messages are generated for the protobuf that is there
