#include <ipamd/http_server.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_static_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <chrono>
#include <list>
#include <mutex>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace cnix::ipamd {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using namespace std::chrono_literals;
using boost::system::error_code;

namespace {

using protocol = asio::generic::stream_protocol;
using acceptor = asio::basic_socket_acceptor<protocol>;
using stream = boost::beast::basic_stream<protocol>;

constexpr auto time_limit = 5s; ///< upstream's
constexpr auto first_pause = 1s;
constexpr auto longest_pause = 60s;

asio::ip::address address_of(net::address const& from) { return asio::ip::make_address(from.str()); }

/// A socket that nobody listens on any more. Whether there was one, and it is gone.
bool remove_stale(std::string const& path, asio::io_context& context) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
    asio::local::stream_protocol::socket probe{context};
    error_code error;
    probe.connect(asio::local::stream_protocol::endpoint{path}, error);
    return error == asio::error::connection_refused && ::unlink(path.c_str()) == 0;
}

} // namespace

class http_server::implementation {
  public:
    implementation(std::string what, http_address address, handler serve,
                   std::function<void(std::string const&)> complain)
        : what_{std::move(what)}, address_{std::move(address)}, serve_{std::move(serve)},
          complain_{std::move(complain)} {
        try_to_listen();
        asio::co_spawn(context_, accept(), asio::detached);
        thread_ = std::thread{[this] { context_.run(); }};
    }
    ~implementation() {
        context_.stop();
        thread_.join();
        if (!address_.path.empty() && acceptor_.is_open()) ::unlink(address_.path.c_str());
    }

    std::string fault() const {
        std::lock_guard const locked{mutex_};
        return fault_;
    }

  private:
    bool try_to_listen() {
        error_code error = address_.path.empty() ? listen_on_tcp() : listen_on_path();
        if (error) {
            error_code ignored;
            acceptor_.close(ignored);
        }
        std::string text;
        if (error)
            text = "cannot serve " + what_ + " at " + address_.text() + ": " + error.message() +
                   (error == asio::error::address_in_use
                        ? "; end what listens there, or choose another address (it is tried again until then)"
                        : "; choose another address (it is tried again until then)");
        tell(std::move(text));
        return !error;
    }

    error_code bind(protocol::endpoint const& to) {
        error_code error;
        acceptor_.open(to.protocol(), error);
        if (!error && address_.path.empty())
            acceptor_.set_option(asio::socket_base::reuse_address{true}, error);
        // Both families, if the address is not one of the other's.
        if (!error && !address_.address && to.protocol().family() == AF_INET6)
            acceptor_.set_option(asio::ip::v6_only{false}, error);
        if (!error) acceptor_.bind(to, error);
        return error;
    }

    error_code listen_on_tcp() {
        error_code error;
        if (address_.address) {
            error = bind(asio::ip::tcp::endpoint{address_of(*address_.address), address_.port});
        } else {
            error = bind(asio::ip::tcp::endpoint{asio::ip::tcp::v6(), address_.port});
            if (error == asio::error::address_family_not_supported ||
                error == asio::error::no_protocol_option) {
                error_code ignored; // a node without IPv6
                acceptor_.close(ignored);
                error = bind(asio::ip::tcp::endpoint{asio::ip::tcp::v4(), address_.port});
            }
        }
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        return error;
    }

    error_code listen_on_path() {
        asio::local::stream_protocol::endpoint const to{address_.path};
        error_code error = bind(to);
        if (error == asio::error::address_in_use && remove_stale(address_.path, context_)) {
            error_code ignored;
            acceptor_.close(ignored);
            error = bind(to);
        }
        if (!error && ::chmod(address_.path.c_str(), 0660) != 0)
            error.assign(errno, boost::system::system_category());
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        return error;
    }

    void tell(std::string text) {
        {
            std::lock_guard const locked{mutex_};
            if (text == fault_) return;
            fault_ = text;
        }
        if (!text.empty()) complain_(text);
    }

    asio::awaitable<void> wait(std::chrono::milliseconds how_long) {
        asio::steady_timer timer{context_, how_long};
        error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }

    asio::awaitable<void> accept() {
        for (std::chrono::milliseconds pause = first_pause; !acceptor_.is_open();) {
            co_await wait(pause);
            pause = std::min<std::chrono::milliseconds>(2 * pause, longest_pause);
            try_to_listen();
        }
        for (;;) {
            protocol::socket from{context_};
            error_code error;
            co_await acceptor_.async_accept(from, asio::redirect_error(asio::use_awaitable, error));
            if (error) { // no descriptors, say; connections wait in the kernel meanwhile
                co_await wait(100ms);
                continue;
            }
            if (open_.size() >= most_connections) open_.front()->close();
            asio::co_spawn(context_, serve(std::move(from)), asio::detached);
        }
    }

    asio::awaitable<void> serve(protocol::socket from) {
        stream peer{std::move(from)};
        auto const place = open_.insert(open_.end(), &peer);
        struct leaving {
            std::list<stream*>& all;
            std::list<stream*>::iterator place;
            ~leaving() { all.erase(place); }
        } const on_return{open_, place};

        boost::beast::flat_static_buffer<longest_header> buffer;
        http::request_parser<http::empty_body> request;
        request.header_limit(longest_header);
        error_code error;
        peer.expires_after(time_limit); // for all of it, however slowly it comes
        co_await http::async_read(peer, buffer, request, asio::redirect_error(asio::use_awaitable, error));
        bool const is_refused =
            error.category() == http::make_error_code(http::error::bad_version).category();
        if (error &&
            (!is_refused || error == http::error::end_of_stream || error == http::error::partial_message))
            co_return; // it has gone, or hangs

        auto reply = error
                         ? refuse(error == http::error::header_limit || error == http::error::buffer_overflow
                                      ? http::status::request_header_fields_too_large
                                      : http::status::bad_request)
                         : answer(request.get());
        reply.keep_alive(false);
        reply.prepare_payload();
        bool const head = !error && request.get().method() == http::verb::head;
        http::response_serializer<http::string_body> writer{reply};
        peer.expires_after(time_limit);
        if (head)
            co_await http::async_write_header(peer, writer, asio::redirect_error(asio::use_awaitable, error));
        else
            co_await http::async_write(peer, writer, asio::redirect_error(asio::use_awaitable, error));
        peer.socket().shutdown(asio::socket_base::shutdown_send, error);
        co_await drain(peer);
    }

    /// What was sent beyond what was read would make the kernel reset the connection, and the peer lose the reply.
    asio::awaitable<void> drain(stream& peer) {
        char unwanted[1024];
        error_code error;
        for (std::size_t total = 0; !error && total < 1 << 20;)
            total += co_await peer.async_read_some(asio::buffer(unwanted),
                                                   asio::redirect_error(asio::use_awaitable, error));
    }

    static http::response<http::string_body> refuse(http::status why) {
        http::response<http::string_body> reply{why, 11};
        reply.set(http::field::content_type, "text/plain");
        reply.body() = std::string{http::obsolete_reason(why)} + '\n';
        return reply;
    }

    http::response<http::string_body> answer(http::request<http::empty_body> const& request) {
        if (request.method() != http::verb::get && request.method() != http::verb::head) {
            auto reply = refuse(http::status::method_not_allowed);
            reply.set(http::field::allow, "GET, HEAD");
            return reply;
        }
        std::string_view const target{request.target().data(), request.target().size()};
        try {
            auto found = serve_(target.substr(0, target.find('?')));
            if (!found) return refuse(http::status::not_found);
            http::response<http::string_body> reply{http::status::ok, 11};
            reply.set(http::field::content_type, found->type);
            reply.body() = std::move(found->body);
            return reply;
        } catch (std::exception const& e) {
            complain_("cannot serve " + what_ + ": " + e.what());
            return refuse(http::status::internal_server_error);
        }
    }

    std::string what_;
    http_address address_;
    handler serve_;
    std::function<void(std::string const&)> complain_;
    mutable std::mutex mutex_;
    std::string fault_;
    std::list<stream*>
        open_; ///< of the thread; the oldest first. Outlives the context, whose coroutines leave it
    asio::io_context context_{1};
    acceptor acceptor_{context_};
    std::thread thread_;
};

http_server::http_server(std::string what, http_address address, handler serve,
                         std::function<void(std::string const&)> complain)
    : implementation_{std::make_unique<implementation>(std::move(what), std::move(address), std::move(serve),
                                                       std::move(complain))} {}
http_server::~http_server() = default;

std::string http_server::fault() const { return implementation_->fault(); }

} // namespace cnix::ipamd
