#include <ipamd/grpc_connection.hpp>
#include <ipamd/grpc_listener.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <netinet/tcp.h>
#include <set>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace cnix::ipamd {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

class grpc_listener::implementation : public std::enable_shared_from_this<implementation> {
  public:
    implementation(rpc::endpoint const& at, std::size_t largest_request, grpc_handler handle)
        : path_{at.is_unix() ? at.path() : ""},
          to_{at.is_unix() ? protocol::endpoint{asio::local::stream_protocol::endpoint{path_}}
                           : protocol::endpoint{asio::ip::tcp::endpoint{
                                 asio::ip::make_address(at.address().str()), at.port()}}},
          shared_{largest_request, std::move(handle), {}, {}} {
        int const yes = 1;
        int const listening =
            ::socket(to_.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (listening >= 0) acceptor_.assign(to_.protocol(), listening);
        if (listening < 0 ||
            (path_.empty() && ::setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) ||
            ::bind(listening, to_.data(), static_cast<socklen_t>(to_.size())) != 0 ||
            ::listen(listening, SOMAXCONN) != 0)
            throw std::runtime_error{"cannot listen at " + at.str() + ": " + std::strerror(errno) +
                                     "; stop what listens there, or name another endpoint"};
    }

    void start() {
        shared_.post = [self = weak_from_this()](std::function<void()> action) {
            if (auto const one = self.lock()) asio::post(one->context_, std::move(action));
        };
        shared_.closed = [this](grpc_connection& gone) { connections_.erase(gone.shared_from_this()); };
        with_ = std::make_shared<grpc_connection::shared const>(shared_);
        accept();
        thread_ = std::thread{[this] {
            context_.run();
            std::lock_guard const lock{mutex_};
            has_ended_ = true;
            ended_.notify_all();
        }};
    }

    void stop(std::chrono::milliseconds within) {
        if (!thread_.joinable()) return;
        asio::post(context_, [this] {
            error_code ignored;
            if (!path_.empty()) ::unlink(path_.c_str()); // while nobody else can have the name
            acceptor_.close(ignored);
            pause_.cancel();
            for (auto const& one : std::set{connections_}) one->drain();
        });
        std::unique_lock lock{mutex_};
        if (!ended_.wait_for(lock, within, [this] { return has_ended_; }))
            asio::post(context_, [this] {
                for (auto const& one : std::set{connections_}) one->close();
            });
        lock.unlock();
        thread_.join();
    }

  private:
    using protocol = asio::generic::stream_protocol;

    void accept() {
        acceptor_.async_wait(asio::socket_base::wait_read, [this](error_code const& error) {
            if (error) return; // it is closed
            int const peer =
                ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (peer >= 0) {
                int const yes = 1;
                if (path_.empty()) ::setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                auto const fresh = std::make_shared<grpc_connection>(
                    protocol::socket{context_, to_.protocol(), peer}, with_);
                connections_.insert(fresh);
                fresh->start();
            } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                // Connections wait in the kernel meanwhile.
                pause_.expires_after(100ms);
                return pause_.async_wait([this](error_code const& ended) {
                    if (!ended) accept();
                });
            }
            accept();
        });
    }

    std::string path_;
    protocol::endpoint to_;
    grpc_connection::shared shared_;
    std::shared_ptr<grpc_connection::shared const> with_{};
    asio::io_context context_{1};
    asio::basic_socket_acceptor<protocol> acceptor_{context_};
    asio::steady_timer pause_{context_};
    std::set<std::shared_ptr<grpc_connection>> connections_{};
    std::mutex mutex_{};
    std::condition_variable ended_{};
    bool has_ended_ = false;
    std::thread thread_{};
};

grpc_listener::grpc_listener(rpc::endpoint const& at, std::size_t largest_request, grpc_handler handle)
    : implementation_{std::make_shared<implementation>(at, largest_request, std::move(handle))} {
    implementation_->start();
}
grpc_listener::~grpc_listener() { stop(0ms); }
void grpc_listener::stop(std::chrono::milliseconds within) { implementation_->stop(within); }

} // namespace cnix::ipamd
