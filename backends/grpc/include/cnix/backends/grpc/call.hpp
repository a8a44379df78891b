#pragma once
#include <cnix/backends/grpc/connection.hpp>
#include <cnix/backends/grpc/framing.hpp>
#include <cnix/backends/grpc/status.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <nghttp2/nghttp2.h>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace cnix::backends::grpc_detail {

constexpr inline char const* no_http2 = "no gRPC server listens there: it does not speak HTTP/2";

/// Most bytes of an answer. One with an interface of each of 15 network cards has 1 kB.
constexpr inline std::uint32_t max_reply = 256 * 1024;

/// One unary call, from the request's first byte to the answer's status: what gRPC says over HTTP/2, whose frames and headers
/// nghttp2 reads and writes.
class exchange {
  public:
    /// `method` is as in "/rpc.CNIBackend/AddNetwork".
    exchange(rpc::target const& to, std::string const& method, std::string const& request,
             std::chrono::milliseconds within) {
        append_message(body_, request);
        nghttp2_session_callbacks* raw = nullptr;
        check(::nghttp2_session_callbacks_new(&raw));
        std::unique_ptr<nghttp2_session_callbacks, decltype(&::nghttp2_session_callbacks_del)> const
            callbacks{raw, &::nghttp2_session_callbacks_del};
        ::nghttp2_session_callbacks_set_on_header_callback(raw, &exchange::on_header);
        ::nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw, &exchange::on_data);
        ::nghttp2_session_callbacks_set_on_frame_recv_callback(raw, &exchange::on_frame);
        ::nghttp2_session_callbacks_set_on_stream_close_callback(raw, &exchange::on_close);
        nghttp2_option* raw_options = nullptr;
        check(::nghttp2_option_new(&raw_options));
        std::unique_ptr<nghttp2_option, decltype(&::nghttp2_option_del)> const options{raw_options,
                                                                                       &::nghttp2_option_del};
        // A message may begin and end with blanks, which gRPC's servers do not escape. nghttp2 would drop all of it.
        ::nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(raw_options, 1);
        nghttp2_session* session = nullptr;
        check(::nghttp2_session_client_new2(&session, raw, this, raw_options));
        session_.reset(session);

        // Room for the largest answer from the start: no update of the window is needed.
        nghttp2_settings_entry const settings[]{{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                                {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2 * max_reply}};
        check(::nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)));
        check(::nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, 2 * max_reply));
        // As gRPC for Go names a Unix socket. A server may check it.
        std::string const authority = to.endpoint.is_unix() ? "localhost" : to.endpoint.str();
        // At most 8 digits (gRPC over HTTP2, "TimeoutValue").
        auto const timeout = std::to_string(std::clamp<std::int64_t>(within.count(), 1, 99'999'999)) + 'm';
        nghttp2_nv const headers[]{header(":method", "POST"),    header(":scheme", "http"),
                                   header(":path", method),      header(":authority", authority),
                                   header("te", "trailers"),     header("content-type", "application/grpc"),
                                   header("user-agent", "cnix"), header("grpc-timeout", timeout)};
        nghttp2_data_provider const body{{.ptr = this}, &exchange::read_body};
        check(::nghttp2_submit_request(session, nullptr, headers, std::size(headers), &body, nullptr));
    }
    exchange(exchange const&) = delete;
    exchange& operator=(exchange const&) = delete;

    bool ended() const noexcept { return ended_; }

    /// Appends what is to be sent next, if there is any. To be called when all before is sent: what nghttp2 keeps of a peer that only
    /// asks is bounded.
    void send(std::string& to) {
        std::uint8_t const* bytes = nullptr;
        ssize_t size = 0;
        while ((size = ::nghttp2_session_mem_send(session_.get(), &bytes)) > 0)
            to.append(reinterpret_cast<char const*>(bytes), static_cast<std::size_t>(size));
        check_memory(size);
        // It has told the peer, in these bytes, what was wrong with the peer's.
        if (::nghttp2_session_want_read(session_.get()) == 0) end(rpc::status::unavailable, no_http2);
    }

    void received(std::string_view bytes) {
        if (std::exchange(first_, false) && bytes.starts_with("HTTP/1")) {
            end(rpc::status::unavailable, "no gRPC server listens there: it speaks HTTP/1");
            return;
        }
        auto const read = ::nghttp2_session_mem_recv(
            session_.get(), reinterpret_cast<std::uint8_t const*>(bytes.data()), bytes.size());
        check_memory(read == NGHTTP2_ERR_NOMEM ? read : 0);
        if (read < 0) end(rpc::status::unavailable, no_http2);
    }

    /// The peer has closed the connection, or it broke: `why` with a colon before, or empty.
    void closed(std::string const& why) {
        end(rpc::status::unavailable,
            "the peer hung up" + why + ": no gRPC server listens there, or it ended just now");
    }

    /// What came of it; of one that has ended.
    call_status const& status() const noexcept { return status_; }
    /// The answer of a status that is ok.
    std::string_view reply() const noexcept { return std::string_view{reply_}.substr(prefix_size); }

  private:
    static void check(int result) {
        if (result < 0) throw std::bad_alloc{}; // nothing else can fail before a byte has come
    }

    void check_memory(ssize_t result) const {
        if (failure_) std::rethrow_exception(failure_);
        if (result < 0) throw std::bad_alloc{};
    }

    void end(rpc::status code, std::string message) {
        if (!std::exchange(ended_, true)) status_ = {code, std::move(message)};
    }

    static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                             std::uint32_t* flags, nghttp2_data_source* source, void*) {
        std::string& body = static_cast<exchange*>(source->ptr)->body_;
        std::size_t const size = std::min(room, body.size());
        body.copy(reinterpret_cast<char*>(into), size);
        body.erase(0, size);
        if (body.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(size);
    }

    /// What nghttp2 calls: no exception may pass through its frames, which are C's.
    template <class Act> static int guarded(void* self, Act const act) noexcept {
        auto& made = *static_cast<exchange*>(self);
        try {
            act(made);
            return 0;
        } catch (...) {
            made.failure_ = std::current_exception();
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }

    static int on_header(nghttp2_session*, nghttp2_frame const* frame, std::uint8_t const* name,
                         std::size_t name_size, std::uint8_t const* value, std::size_t value_size,
                         std::uint8_t, void* self) {
        return guarded(self, [&](exchange& made) {
            made.head_.add({reinterpret_cast<char const*>(name), name_size},
                           {reinterpret_cast<char const*>(value), value_size},
                           (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
        });
    }

    static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t stream, std::uint8_t const* bytes,
                       std::size_t size, void* self) {
        return guarded(self, [&](exchange& made) {
            if (made.reply_.size() + size > prefix_size + max_reply) {
                made.end(rpc::status::resource_exhausted,
                         "the answer is larger than max (" + std::to_string(max_reply) + " bytes)");
                check(::nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL));
                return;
            }
            made.reply_.append(reinterpret_cast<char const*>(bytes), size);
        });
    }

    static int on_frame(nghttp2_session*, nghttp2_frame const* frame, void* self) {
        return guarded(self, [&](exchange& made) {
            if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.last_stream_id == 0)
                made.end(rpc::status::unavailable,
                         "the peer takes no calls: " +
                             std::string{::nghttp2_http2_strerror(frame->goaway.error_code)});
        });
    }

    static int on_close(nghttp2_session*, std::int32_t, std::uint32_t error, void* self) {
        return guarded(self, [&](exchange& made) {
            call_status status = made.head_.status(error);
            if (status.code == rpc::status::ok) status = made.judge_reply();
            made.end(status.code, std::move(status.message));
        });
    }

    call_status judge_reply() const {
        if (reply_.size() < prefix_size) return {rpc::status::internal, "there is no message in the answer"};
        // Unpacked it might have any size, and nobody was told that it may be packed.
        if (is_packed(reply_)) return {rpc::status::internal, "the answer is compressed"};
        if (message_size(reply_) != reply_.size() - prefix_size)
            return {rpc::status::internal, "the answer is not one message"};
        return {};
    }

    std::unique_ptr<nghttp2_session, decltype(&::nghttp2_session_del)> session_{nullptr,
                                                                                &::nghttp2_session_del};
    std::string body_;
    response_head head_;
    std::string reply_;
    bool first_ = true;
    bool ended_ = false;
    call_status status_;
    std::exception_ptr failure_; ///< what a callback threw
};

/// One call of a method over a connection of its own: the bytes of its answer. Throws rpc::error.
inline std::string call(rpc::target const& to, std::string const& method, std::string const& request) {
    auto const begin = clock::now();
    sys::fd const socket = connect(to, begin);
    auto const left = [&] { return std::max(std::chrono::milliseconds{0}, to.within - since(begin)); };
    auto const fail = [&](call_status const& status) {
        throw rpc::error{status.code, status.message, to, since(begin), true};
    };

    exchange made{to, method, request, left()};
    std::string unsent;
    for (;;) {
        if (unsent.empty()) made.send(unsent);
        if (made.ended()) break;
        if (!unsent.empty()) {
            auto const sent = ::send(socket.get(), unsent.data(), unsent.size(), MSG_NOSIGNAL);
            if (sent >= 0)
                unsent.erase(0, static_cast<std::size_t>(sent));
            else if (errno == EPIPE || errno == ECONNRESET)
                unsent.clear(); // a peer that has hung up may have said why before
            else if (errno != EAGAIN && errno != EINTR)
                fail({rpc::status::unavailable, std::string{"send: "} + std::strerror(errno)});
        }
        pollfd waiting{socket.get(), static_cast<short>(unsent.empty() ? POLLIN : POLLIN | POLLOUT), 0};
        ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left().count(), 60'000)) + 1);
        if (left().count() == 0) fail({rpc::status::deadline_exceeded, "Deadline Exceeded"});
        if ((waiting.revents & ~POLLOUT) == 0) continue;
        char buffer[16384];
        auto const read = ::recv(socket.get(), buffer, sizeof buffer, 0);
        if (read > 0)
            made.received({buffer, static_cast<std::size_t>(read)});
        else if (read == 0)
            made.closed("");
        else if (errno != EAGAIN && errno != EINTR)
            made.closed(std::string{": "} + std::strerror(errno));
    }
    if (made.status().code != rpc::status::ok) fail(made.status());
    return std::string{made.reply()};
}

} // namespace cnix::backends::grpc_detail
