#include <ipamd/grpc_connection.hpp>
#include <cnix/backends/grpc/framing.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <ranges>
#include <stop_token>
#include <utility>
#include <vector>

namespace cnix::ipamd {

namespace asio = boost::asio;
using namespace backends::grpc_detail;
using boost::system::error_code;

namespace {

void check(int result) {
    if (result == NGHTTP2_ERR_NOMEM) throw std::bad_alloc{};
}

/// The headers that tell how a call ended.
struct status_headers {
    explicit status_headers(rpc_refusal const& from)
        : code{std::to_string(static_cast<int>(from.code))}, message{status_message(from.message)} {}
    void append(std::vector<nghttp2_nv>& to) const {
        to.push_back(header("grpc-status", code));
        if (!message.empty()) to.push_back(header("grpc-message", message));
    }
    std::string code, message;
};

} // namespace

std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text) {
    using namespace std::chrono;
    std::int64_t count = 0;
    if (text.size() < 2 || text.size() > 9) return std::nullopt;
    char const unit = text.back();
    text.remove_suffix(1);
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size() || count < 0) return std::nullopt;
    switch (unit) {
    case 'H':
        return hours{std::min<std::int64_t>(count, 1'000'000)}; // more nanoseconds than fit, else
    case 'M':
        return minutes{count};
    case 'S':
        return seconds{count};
    case 'm':
        return milliseconds{count};
    case 'u':
        return microseconds{count};
    case 'n':
        return nanoseconds{count};
    default:
        return std::nullopt;
    }
}

std::string status_message(std::string_view text) {
    constexpr std::string_view hexadecimal = "0123456789ABCDEF";
    std::string made;
    for (char const byte : text) {
        if (byte >= ' ' && byte <= '~' && byte != '%') {
            made += byte;
        } else {
            auto const bits = static_cast<unsigned char>(byte);
            made += {'%', hexadecimal[bits >> 4U], hexadecimal[bits & 0xFU]};
        }
    }
    return made;
}

struct grpc_connection::call {
    std::int32_t stream;
    asio::steady_timer timer; ///< of the deadline
    std::string http_method{}, method{}, content_type{};
    std::optional<std::string> timeout{};
    clock::time_point const begun = clock::now();
    std::string request{};   ///< with its prefix
    bool is_handled = false; ///< somebody is to answer it
    std::stop_source gone{};
    bool has_head = false; ///< the answer's headers were handed over
    std::string unsent{};
    std::optional<rpc_refusal> status{};
};

/// What nghttp2 calls. None may throw but std::bad_alloc, which ends the process.
struct grpc_connection::callbacks {
    static grpc_connection& self(void* of) { return *static_cast<grpc_connection*>(of); }

    static int on_begin(nghttp2_session*, nghttp2_frame const* frame, void* of) {
        if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
        auto const stream = frame->hd.stream_id;
        self(of).calls_.try_emplace(stream, stream, asio::steady_timer{self(of).timer_.get_executor()});
        return 0;
    }

    static int on_header(nghttp2_session*, nghttp2_frame const* frame, std::uint8_t const* name,
                         std::size_t name_size, std::uint8_t const* value, std::size_t value_size,
                         std::uint8_t, void* of) {
        call* const one = self(of).open_call(frame->hd.stream_id);
        if (!one || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
        std::string_view const key{reinterpret_cast<char const*>(name), name_size};
        std::string_view const text{reinterpret_cast<char const*>(value), value_size};
        if (key == ":method") one->http_method = text;
        if (key == ":path") one->method = text;
        if (key == "content-type") one->content_type = text;
        if (key == "grpc-timeout") one->timeout = text;
        return 0;
    }

    static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, std::uint8_t const* bytes,
                       std::size_t size, void* of) {
        if (call* const one = self(of).open_call(stream))
            self(of).add(*one, {reinterpret_cast<char const*>(bytes), size});
        return 0;
    }

    static int on_frame(nghttp2_session*, nghttp2_frame const* frame, void* of) {
        if (frame->hd.type == NGHTTP2_SETTINGS) self(of).speaks_ = true;
        bool const may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
        if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
            if (call* const one = self(of).open_call(frame->hd.stream_id)) self(of).handle(*one);
        return 0;
    }

    /// Whoever was answered before the request's end need not go on sending it (RFC 9113, 8.1).
    static int on_sent(nghttp2_session* session, nghttp2_frame const* frame, void*) {
        bool const may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
        if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
            ::nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
            check(::nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                              NGHTTP2_NO_ERROR));
        return 0;
    }

    static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* of) {
        auto const found = self(of).calls_.find(stream);
        if (found == self(of).calls_.end()) return 0;
        if (error != NGHTTP2_NO_ERROR || !found->second.status) found->second.gone.request_stop();
        self(of).calls_.erase(found);
        return 0;
    }

    static ssize_t read_answer(nghttp2_session* session, std::int32_t stream, std::uint8_t* into,
                               std::size_t room, std::uint32_t* flags, nghttp2_data_source*, void* of) {
        auto const found = self(of).calls_.find(stream);
        if (found == self(of).calls_.end()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        call& one = found->second;
        std::size_t const size = std::min(room, one.unsent.size());
        one.unsent.copy(reinterpret_cast<char*>(into), size);
        one.unsent.erase(0, size);
        if (one.unsent.empty() && one.status) {
            *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
            status_headers const status{*one.status};
            std::vector<nghttp2_nv> trailers;
            status.append(trailers);
            check(::nghttp2_submit_trailer(session, stream, trailers.data(), trailers.size()));
        } else if (size == 0) {
            return NGHTTP2_ERR_DEFERRED;
        }
        return static_cast<ssize_t>(size);
    }

    static nghttp2_session* session_of(grpc_connection& connection) {
        nghttp2_session_callbacks* raw = nullptr;
        check(::nghttp2_session_callbacks_new(&raw));
        std::unique_ptr<nghttp2_session_callbacks, decltype(&::nghttp2_session_callbacks_del)> const all{
            raw, &::nghttp2_session_callbacks_del};
        ::nghttp2_session_callbacks_set_on_begin_headers_callback(raw, &on_begin);
        ::nghttp2_session_callbacks_set_on_header_callback(raw, &on_header);
        ::nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw, &on_data);
        ::nghttp2_session_callbacks_set_on_frame_recv_callback(raw, &on_frame);
        ::nghttp2_session_callbacks_set_on_frame_send_callback(raw, &on_sent);
        ::nghttp2_session_callbacks_set_on_stream_close_callback(raw, &on_close);
        nghttp2_option* raw_option = nullptr;
        check(::nghttp2_option_new(&raw_option));
        std::unique_ptr<nghttp2_option, decltype(&::nghttp2_option_del)> const option{raw_option,
                                                                                      &::nghttp2_option_del};
        ::nghttp2_option_set_no_closed_streams(raw_option, 1); // they would be kept for priorities only
        nghttp2_session* made = nullptr;
        check(::nghttp2_session_server_new2(&made, raw, &connection, raw_option));
        return made;
    }
};

grpc_connection::grpc_connection(socket peer, std::shared_ptr<shared const> with)
    : with_{std::move(with)}, peer_{std::move(peer)}, timer_{peer_.get_executor()},
      session_{callbacks::session_of(*this), &::nghttp2_session_del} {}
grpc_connection::~grpc_connection() = default;

void grpc_connection::start() {
    nghttp2_settings_entry const settings[]{{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, most_calls}};
    check(::nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings, std::size(settings)));
    write();
    if (!peer_.is_open()) return;
    end_in(greets_within);
    read();
}

void grpc_connection::drain() {
    if (!speaks_ || lingers_) return close();
    drains_ = true;
    check(::nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                                  ::nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                                  nullptr, 0));
    write();
}

void grpc_connection::close() {
    if (!peer_.is_open()) return;
    auto const stays = shared_from_this();
    error_code ignored;
    peer_.close(ignored);
    timer_.cancel();
    session_.reset(); // it has the calls' numbers
    for (auto& [stream, one] : calls_) one.gone.request_stop();
    calls_.clear();
    with_->closed(*this);
}

void grpc_connection::end_in(clock::duration time) {
    timer_.expires_after(time);
    timer_.async_wait([self = weak_from_this()](error_code const& error) {
        if (auto const one = self.lock(); one && !error) one->watch();
    });
}

void grpc_connection::watch() {
    if (!speaks_ || lingers_) return close();
    bool const is_waiting =
        std::ranges::any_of(calls_ | std::views::values, [](call const& one) { return one.is_handled; });
    auto const silent = clock::now() - heard_;
    if (!is_waiting && silent >= silent_for) return drain();
    end_in(is_waiting ? silent_for : silent_for - silent);
}

void grpc_connection::read() {
    peer_.async_wait(socket::wait_read, [self = shared_from_this()](error_code const& error) {
        if (!error) self->receive();
    });
}

void grpc_connection::receive() {
    auto const stays = shared_from_this();
    std::array<char, 16384> bytes; // not one a connection, of which there may be hundreds
    error_code error;
    std::size_t const size = peer_.read_some(asio::buffer(bytes), error);
    if (error == asio::error::would_block || error == asio::error::interrupted) return read();
    if (error) return close();
    if (!lingers_) {
        heard_ = clock::now();
        bool const spoke = speaks_;
        // What is left of the peer's errors nghttp2 tells it itself.
        if (::nghttp2_session_mem_recv(session_.get(), reinterpret_cast<std::uint8_t const*>(bytes.data()),
                                       size) < 0)
            return close();
        if (speaks_ && !spoke) end_in(silent_for);
        write();
    }
    if (peer_.is_open()) read();
}

void grpc_connection::write() {
    if (waits_to_write_ || !peer_.is_open() || lingers_) return;
    for (;;) {
        std::uint8_t const* bytes = nullptr;
        ssize_t size = 0;
        while (unsent_.size() < 65536 && (size = ::nghttp2_session_mem_send(session_.get(), &bytes)) > 0)
            unsent_.append(reinterpret_cast<char const*>(bytes), static_cast<std::size_t>(size));
        if (size < 0) return close();
        if (unsent_.empty()) break;
        error_code error;
        unsent_.erase(0, peer_.write_some(asio::buffer(unsent_), error));
        if (error == asio::error::would_block) {
            waits_to_write_ = true;
            return peer_.async_wait(socket::wait_write,
                                    [self = shared_from_this()](error_code const& failed) {
                                        self->waits_to_write_ = false;
                                        if (!failed) self->write();
                                    });
        }
        if (error && error != asio::error::interrupted) return close();
    }
    bool const is_over =
        ::nghttp2_session_want_read(session_.get()) == 0 && ::nghttp2_session_want_write(session_.get()) == 0;
    if (!is_over && !(drains_ && calls_.empty())) return;
    // What the peer has sent meanwhile would make the kernel reset the connection, and the peer lose the answer.
    error_code error;
    peer_.shutdown(socket::shutdown_send, error);
    if (error) return close();
    lingers_ = true;
    end_in(lingers);
}

grpc_connection::call* grpc_connection::open_call(std::int32_t stream) {
    auto const found = calls_.find(stream);
    return found == calls_.end() || found->second.status ? nullptr : &found->second;
}

void grpc_connection::add(call& to, std::string_view bytes) {
    to.request += bytes;
    if (to.request.size() < prefix_size) return;
    std::size_t const told = message_size(to.request);
    std::size_t const size = std::max(told, to.request.size() - prefix_size);
    if (size > with_->max_request)
        answer(to.stream, std::nullopt,
               rpc_refusal{rpc::status::resource_exhausted, "the request is larger than max (" +
                                                                std::to_string(size) + " vs. " +
                                                                std::to_string(with_->max_request) + ')'});
}

void grpc_connection::handle(call& one) {
    auto const refuse = [&](rpc::status code, std::string why) {
        answer(one.stream, std::nullopt, rpc_refusal{code, std::move(why)});
    };
    bool const is_grpc = one.content_type.starts_with("application/grpc");
    if (one.http_method != "POST" || !is_grpc) {
        one.status = rpc_refusal{};
        nghttp2_nv const head = header(":status", is_grpc ? "405" : "415");
        return check(::nghttp2_submit_response(session_.get(), one.stream, &head, 1, nullptr));
    }
    if (one.request.size() < prefix_size) return refuse(rpc::status::internal, "the call has no request");
    if (is_packed(one.request))
        return refuse(rpc::status::unimplemented, "the request is compressed, which nobody offered");
    if (message_size(one.request) != one.request.size() - prefix_size)
        return refuse(rpc::status::internal, "the request is not one message");
    auto deadline = clock::time_point::max();
    if (one.timeout) {
        auto const time = parse_timeout(*one.timeout);
        if (!time) return refuse(rpc::status::internal, "malformed grpc-timeout");
        deadline = one.begun + std::chrono::duration_cast<clock::duration>(*time);
        one.timer.expires_at(deadline);
        one.timer.async_wait([self = weak_from_this(), stream = one.stream](error_code const& error) {
            auto const connection = self.lock();
            call* const late = connection && !error ? connection->open_call(stream) : nullptr;
            if (!late) return;
            late->gone.request_stop();
            connection->answer(stream, std::nullopt,
                               rpc_refusal{rpc::status::deadline_exceeded, "Deadline Exceeded"});
            connection->write();
        });
    }
    one.is_handled = true;
    with_->handle({std::move(one.method), one.request.substr(prefix_size), {deadline, one.gone.get_token()}},
                  grpc_answer{[self = weak_from_this(), post = with_->post,
                               stream = one.stream](auto message, auto status) {
                      post([self, stream, message = std::move(message), status = std::move(status)] {
                          auto const connection = self.lock();
                          if (!connection) return;
                          connection->answer(stream, message, status);
                          connection->write();
                      });
                  }});
}

void grpc_connection::answer(std::int32_t stream, std::optional<std::string> const& message,
                             std::optional<rpc_refusal> const& status) {
    call* const one = open_call(stream);
    if (!one) return;
    if (message) append_message(one->unsent, *message);
    one->status = status;
    if (status) one->timer.cancel();
    if (one->has_head) return check(::nghttp2_session_resume_data(session_.get(), stream));
    std::vector<nghttp2_nv> head{header(":status", "200"), header("content-type", "application/grpc")};
    one->has_head = true;
    if (message) {
        nghttp2_data_provider const body{{.ptr = nullptr}, &callbacks::read_answer};
        return check(::nghttp2_submit_response(session_.get(), stream, head.data(), head.size(), &body));
    }
    status_headers const how{*status};
    how.append(head);
    check(::nghttp2_submit_response(session_.get(), stream, head.data(), head.size(), nullptr));
}

} // namespace cnix::ipamd
