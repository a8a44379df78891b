#include <ipamd/status.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace cnix::ipamd {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

using stream = boost::beast::basic_stream<asio::generic::stream_protocol>;

constexpr std::size_t longest_reply = 256 << 20; ///< of a pool of a million addresses

stream::endpoint_type endpoint_of(http_address const& from) {
    if (!from.path.empty()) return asio::local::stream_protocol::endpoint{from.path};
    auto const address =
        from.address ? asio::ip::make_address(from.address->str()) : asio::ip::address_v4::loopback();
    return asio::ip::tcp::endpoint{address, from.port};
}

asio::awaitable<std::string> ask(asio::io_context& context, http_address const& at,
                                 std::chrono::milliseconds limit) {
    stream peer{context};
    peer.expires_after(limit);
    co_await peer.async_connect(endpoint_of(at), asio::use_awaitable);
    http::request<http::empty_body> request{http::verb::get, "/v1/status", 11};
    request.set(http::field::host, "localhost");
    co_await http::async_write(peer, request, asio::use_awaitable);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> reply;
    reply.body_limit(longest_reply);
    co_await http::async_read(peer, buffer, reply, asio::use_awaitable);
    if (reply.get().result() != http::status::ok)
        throw std::runtime_error{"it replied " + std::to_string(reply.get().result_int())};
    co_return std::move(reply.get().body());
}

} // namespace

std::string ask_status(settings const& in_force, std::chrono::milliseconds limit) {
    if (!in_force.serve_introspection)
        throw std::runtime_error{"introspection is disabled, and nothing else tells the daemon's state; set "
                                 "disable-introspection to false "
                                 "and restart the daemon"};
    std::string reply;
    std::exception_ptr failure;
    asio::io_context context{1};
    asio::co_spawn(context, ask(context, in_force.introspection, limit),
                   [&](std::exception_ptr error, std::string body) {
                       failure = error;
                       reply = std::move(body);
                   });
    context.run();
    if (!failure) return reply;
    std::string const where = "no answer from the daemon at " + in_force.introspection.text() + ": ";
    try {
        std::rethrow_exception(failure);
    } catch (boost::system::system_error const& e) {
        throw std::runtime_error{where + e.code().message() +
                                 "; is it running (systemctl status cnix-ipamd), and is its "
                                 "introspection-bind-address this one?"};
    } catch (std::exception const& e) {
        throw std::runtime_error{where + e.what() + "; is it cnix-ipamd that listens there?"};
    }
}

int run_status(settings const& in_force, bool json) {
    try {
        auto const reply = ask_status(in_force);
        auto const text = json ? reply + '\n' : status_text(reply);
        bool const ready = says_ready(reply);
        if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
            return ready ? 0 : 3;
        std::fputs("cnix-ipamd: could not write to standard output\n", stderr);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "cnix-ipamd: %s\n", e.what());
    }
    return 1;
}

} // namespace cnix::ipamd
