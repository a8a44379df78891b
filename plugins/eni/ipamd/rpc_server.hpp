#pragma once
#include <cnix/concepts/cni_backend.hpp>
#include <cnix/net/prefix.hpp>
#include <cnix/sys/file_lock.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cnix::ipamd {

/// An answer that is an error of gRPC.
struct rpc_refusal {
    rpc::status code;
    std::string message;
};
/// Takes the answer of a call, once, in any thread.
template <class Reply> using respond = std::function<void(std::variant<Reply, rpc_refusal>)>;

/// When and whether a caller still waits.
struct caller {
    std::chrono::steady_clock::time_point deadline; ///< max(): it told none
    std::stop_token gone;                           ///< it hung up, or its deadline has passed
};

/// What every answer tells of the node.
struct node_facts {
    bool external_snat = false;
    std::vector<net::prefix> vpc_cidrs{}; ///< with what SNAT leaves out
    std::string network_policy_mode{};
    std::string node_ipv4{}, node_ipv6{}, instance_id{}, region{};
};

/// What the server asks of the daemon. Called in the server's thread; none may block. Until `respond` is called the caller waits;
/// after the server has ended it does nothing.
struct rpc_handlers {
    std::function<void(rpc::add_request, caller, respond<rpc::add_reply>)> add;
    std::function<void(rpc::del_request, caller, respond<rpc::del_reply>)> remove;
    std::function<rpc::health(std::string_view service)> health; ///< service_unknown: there is none
    std::function<std::vector<std::string>()> services;          ///< those that have a health
    std::function<std::shared_ptr<node_facts const>()> facts;    ///< null: they are not known so far
};

/// Most bytes of a request: upstream's plugin needs 500.
constexpr inline std::size_t max_request = 16 * 1024;

/// For as long as it lives, no other of cnix's daemons listens at this Unix socket, or will: by SOCKET.lock beside it. Makes the
/// directory (0755). Throws std::runtime_error, with what to do.
sys::file_lock lock_socket(std::string const& path);

/// rpc.CNIBackend in one generation, rpc.ConfigServerBackend and grpc.health.v1 at one endpoint.
class rpc_server {
  public:
    /// Listens. A Unix socket that nobody listens at any more is replaced, its directory made (0755), the socket is 0660. Throws
    /// std::runtime_error, with what to do.
    template <cnix::rpc_generation Generation>
    static std::unique_ptr<rpc_server> listen(rpc::endpoint const& at, rpc_handlers handlers);

    virtual ~rpc_server() = default;
    /// Accepts nothing more, tells those who watch the health and lets them go, waits until what is in flight is answered, at
    /// most so long, and cancels the rest.
    virtual void stop(std::chrono::milliseconds within) = 0;
    /// Tells those who watch a service's health (Health/Watch) that it may have changed.
    virtual void health_changed() = 0;
};

extern template std::unique_ptr<rpc_server> rpc_server::listen<rpc::v1_7>(rpc::endpoint const&, rpc_handlers);
extern template std::unique_ptr<rpc_server> rpc_server::listen<rpc::v1_10>(rpc::endpoint const&,
                                                                           rpc_handlers);
extern template std::unique_ptr<rpc_server> rpc_server::listen<rpc::v1_20>(rpc::endpoint const&,
                                                                           rpc_handlers);

} // namespace cnix::ipamd
