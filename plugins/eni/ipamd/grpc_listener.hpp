#pragma once
#include <ipamd/rpc_server.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace cnix::ipamd {

/// A call's request.
struct grpc_request {
    std::string method;  ///< as in "/rpc.CNIBackend/AddNetwork"
    std::string message; ///< its bytes
    caller from;
};

/// What answers a call, from any thread. Once the call has ended, or the listener has, it does nothing.
class grpc_answer {
  public:
    /// Sends a message, and ends the call if there is a status.
    using action = std::function<void(std::optional<std::string> message, std::optional<rpc_refusal> status)>;

    explicit grpc_answer(action act) : act_{std::move(act)} {}

    void reply(std::string message) const { act_(std::move(message), rpc_refusal{rpc::status::ok, {}}); }
    void refuse(rpc_refusal why) const { act_(std::nullopt, std::move(why)); }
    /// A message after which others may come.
    void send(std::string message) const { act_(std::move(message), std::nullopt); }

  private:
    action act_;
};

/// What is called with each call, in the listener's thread. It may not block.
using grpc_handler = std::function<void(grpc_request, grpc_answer)>;

/// A server of gRPC on a thread of its own: what gRPC says over HTTP/2 (without TLS), whose frames and headers nghttp2 reads and
/// writes. A call has one request, which is not compressed, and ends at its deadline.
///
/// Who connects and does not speak HTTP/2 within 5 s is hung up on, and who is silent for 5 minutes and waits for nothing.
class grpc_listener {
  public:
    /// Throws std::runtime_error, with what to do. A Unix socket's file must not be there; it goes with the listener.
    grpc_listener(rpc::endpoint const& at, std::size_t largest_request, grpc_handler handle);
    /// As stop(0).
    ~grpc_listener();
    grpc_listener(grpc_listener const&) = delete;
    grpc_listener& operator=(grpc_listener const&) = delete;

    /// Accepts nothing more, waits until what is in flight is answered, at most so long, and cancels the rest.
    void stop(std::chrono::milliseconds within);

  private:
    class implementation;
    std::shared_ptr<implementation> implementation_;
};

} // namespace cnix::ipamd
