#pragma once
#include <ipamd/grpc_listener.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nghttp2/nghttp2.h>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::ipamd {

/// The time that a header `grpc-timeout` tells; nothing: it is none.
/// (gRPC over HTTP2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Timeout")
std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text);

/// As the header `grpc-message` has it (ibid., "Percent-Encoded").
std::string status_message(std::string_view text);

/// A peer and its calls. Used by the listener's thread only.
class grpc_connection : public std::enable_shared_from_this<grpc_connection> {
  public:
    using clock = std::chrono::steady_clock;
    using socket = boost::asio::generic::stream_protocol::socket;

    static constexpr std::uint32_t most_calls = 256;        ///< at once; further ones wait at the peer
    static constexpr std::chrono::seconds greets_within{5}; ///< with HTTP/2's preface and settings
    static constexpr std::chrono::seconds silent_for{300};  ///< at most, when no call is open
    static constexpr std::chrono::milliseconds lingers{
        200}; ///< at most, for a peer to take what it was sent last

    /// What the connections of a listener share.
    struct shared {
        std::size_t max_request;
        grpc_handler handle;
        /// Does something in the listener's thread, unless the listener has ended. From any thread.
        std::function<void(std::function<void()>)> post;
        /// The connection is closed.
        std::function<void(grpc_connection&)> closed;
    };

    /// `peer` does not block.
    grpc_connection(socket peer, std::shared_ptr<shared const> with);
    ~grpc_connection();

    void start();
    /// Takes no calls any more, and closes when those that are open have ended.
    void drain();
    /// Its callers are gone.
    void close();

  private:
    struct call;
    struct callbacks;

    void read();
    void receive();
    /// Sends what is to be sent, as far as the peer takes it.
    void write();
    void watch();
    void end_in(clock::duration time);

    call* open_call(std::int32_t stream);
    void add(call& to, std::string_view bytes);
    void handle(call& one);
    void answer(std::int32_t stream, std::optional<std::string> const& message,
                std::optional<rpc_refusal> const& status);

    std::shared_ptr<shared const> with_;
    socket peer_;
    boost::asio::steady_timer timer_;
    std::unique_ptr<nghttp2_session, decltype(&::nghttp2_session_del)> session_;
    std::map<std::int32_t, call> calls_; ///< by their stream's number
    std::string unsent_{};
    clock::time_point heard_ = clock::now(); ///< of the peer
    bool speaks_ = false;                    ///< HTTP/2
    bool waits_to_write_ = false;
    bool drains_ = false;
    bool lingers_ = false; ///< all is sent
};

} // namespace cnix::ipamd
