#include <ipamd/rpc_messages.hpp>
#include <ipamd/rpc_server.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/sys/fd.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>
#include <mutex>
#include <set>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utility>

namespace cnix::ipamd {
namespace {

using clock = std::chrono::steady_clock;

::grpc::Status status_of(rpc_refusal const& why) {
    return {static_cast<::grpc::StatusCode>(why.code), why.message};
}

::grpc::ByteBuffer bytes_of(auto const& message) {
    ::grpc::Slice const slice{message.SerializeAsString()};
    return {&slice, 1};
}

/// The message of a request. Nothing: it is none.
template <class Message> std::optional<Message> read(::grpc::ByteBuffer& from) {
    std::vector<::grpc::Slice> slices;
    if (!from.Dump(&slices).ok()) return std::nullopt;
    std::string bytes;
    for (::grpc::Slice const& one : slices)
        bytes.append(reinterpret_cast<char const*>(one.begin()), one.size());
    Message message;
    if (!message.ParseFromString(bytes)) return std::nullopt;
    return message;
}

caller caller_of(::grpc::GenericCallbackServerContext const& context, std::stop_token gone) {
    auto const deadline = context.deadline();
    if (deadline == std::chrono::system_clock::time_point::max())
        return {clock::time_point::max(), std::move(gone)};
    auto const left = deadline - std::chrono::system_clock::now();
    return {clock::now() + std::chrono::duration_cast<clock::duration>(left), std::move(gone)};
}

/// A call with one request and one answer. It is there until gRPC says OnDone, which comes after the answer.
class unary final : public ::grpc::ServerGenericBidiReactor {
  public:
    /// Gets the request's bytes.
    using handler = std::function<void(::grpc::ByteBuffer&, unary&)>;

    explicit unary(handler handle) : handle_{std::move(handle)} { StartRead(&request_); }

    void answer(::grpc::ByteBuffer reply) {
        reply_ = std::move(reply);
        StartWriteAndFinish(&reply_, {}, ::grpc::Status::OK);
    }
    void refuse(rpc_refusal const& why) { Finish(status_of(why)); }
    std::stop_token gone() const { return gone_.get_token(); }

    void OnReadDone(bool ok) override {
        if (!ok) return refuse({rpc::status::internal, "the call has no request"});
        // The answer may end this object, in another thread, before the handler returns.
        auto const handle = std::move(handle_);
        handle(request_, *this);
    }
    void OnCancel() override { gone_.request_stop(); }
    void OnDone() override { delete this; }

  private:
    handler handle_;
    ::grpc::ByteBuffer request_, reply_;
    std::stop_source gone_;
};

/// Health/Watch: the service's health now, and each time that it changes.
class watcher final : public ::grpc::ServerGenericBidiReactor {
  public:
    using health_of = std::function<rpc::health(std::string_view)>;

    watcher(health_of ask, std::function<void(watcher*)> joins, std::function<void(watcher*)> leaves)
        : ask_{std::move(ask)}, joins_{std::move(joins)}, leaves_{std::move(leaves)} {
        StartRead(&request_);
    }
    void look() {
        std::lock_guard const lock{mutex_};
        tell();
    }
    /// Nobody watches a server that stops: it is told the health of now, and let go.
    void leave() {
        {
            std::lock_guard const lock{mutex_};
            leaving_ = true;
            tell();
            if (writing_) return; // OnWriteDone() ends it
        }
        end({rpc::status::unavailable, "the server stops"});
    }

    void OnReadDone(bool ok) override {
        auto const asked = ok ? read<proto::health::HealthCheckRequest>(request_) : std::nullopt;
        if (!asked) return end({rpc::status::invalid_argument, "no HealthCheckRequest"});
        service_ = asked->service();
        joins_(this);
        look();
    }
    void OnWriteDone(bool ok) override {
        if (!ok) return end({rpc::status::cancelled, "the caller is gone"});
        {
            std::lock_guard const lock{mutex_};
            writing_ = false;
            tell();
            if (writing_ || !leaving_) return;
        }
        end({rpc::status::unavailable, "the server stops"});
    }
    void OnCancel() override { end({rpc::status::cancelled, "cancelled"}); }
    void OnDone() override {
        leaves_(this);
        delete this;
    }

  private:
    void tell() {
        if (writing_ || ended_) return;
        auto const now = ask_(service_);
        if (now == told_) return;
        told_ = now;
        proto::health::HealthCheckResponse message;
        message.set_status(static_cast<int>(now));
        reply_ = bytes_of(message);
        writing_ = true;
        StartWrite(&reply_);
    }
    void end(rpc_refusal const& why) {
        {
            std::lock_guard const lock{mutex_};
            if (std::exchange(ended_, true)) return;
        }
        Finish(status_of(why)); // it may be the end of this object
    }

    health_of ask_;
    std::function<void(watcher*)> joins_, leaves_;
    ::grpc::ByteBuffer request_, reply_;
    std::string service_;
    std::mutex mutex_;
    bool writing_ = false, ended_ = false, leaving_ = false;
    std::optional<rpc::health> told_;
};

template <cnix::rpc_generation Generation>
class server final : public rpc_server, private ::grpc::CallbackGenericService {
    using messages = wire::messages<Generation>;

  public:
    server(rpc::endpoint const& at, rpc_handlers handlers) : handlers_{std::move(handlers)} {
        ::grpc::ServerBuilder builder;
        builder.RegisterCallbackGenericService(this);
        builder.SetMaxReceiveMessageSize(max_request);
        // Two daemons at one port would each get half of the calls.
        builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
        // Who connects and says nothing is hung up on.
        builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5'000);
        builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 300'000);
        int port = 0;
        builder.AddListeningPort(at.str(), ::grpc::InsecureServerCredentials(), &port);
        server_ = builder.BuildAndStart();
        if (!server_ || port == 0)
            throw std::runtime_error{"cannot listen at " + at.str() +
                                     ": is another program there? Stop it, or name another endpoint"};
    }
    ~server() override { server::stop(std::chrono::milliseconds{0}); }

    void stop(std::chrono::milliseconds within) override {
        {
            std::lock_guard const lock{watchers_mutex_};
            stopping_ = true;
            for (watcher* one : watchers_) one->leave();
        }
        server_->Shutdown(std::chrono::system_clock::now() + within);
        server_->Wait();
    }
    void health_changed() override {
        std::lock_guard const lock{watchers_mutex_};
        for (watcher* one : watchers_) one->look();
    }

  private:
    ::grpc::ServerGenericBidiReactor* CreateReactor(::grpc::GenericCallbackServerContext* context) override {
        auto const& method = context->method();
        if (method == "/rpc.CNIBackend/AddNetwork")
            return call<typename messages::add_request>(
                context, handlers_.add, wire::read_add<typename messages::add_request>,
                [this](rpc::add_reply const& reply) {
                    return bytes_of(wire::write_add<typename messages::add_reply>(reply, *handlers_.facts()));
                });
        if (method == "/rpc.CNIBackend/DelNetwork")
            return call<typename messages::del_request>(
                context, handlers_.remove, wire::read_del<typename messages::del_request>,
                [](rpc::del_reply const& reply) {
                    return bytes_of(wire::write_del<typename messages::del_reply>(reply));
                });
        if (method == "/rpc.ConfigServerBackend/GetNetworkPolicyConfigs")
            return new unary{[this](::grpc::ByteBuffer&, unary& to) {
                auto const node = handlers_.facts();
                proto::v1_20::NetworkPolicyAgentConfigReply reply;
                reply.set_network_policy_mode(node->network_policy_mode);
                reply.set_node_ipv4(node->node_ipv4);
                reply.set_node_ipv6(node->node_ipv6);
                reply.set_instance_id(node->instance_id);
                reply.set_region(node->region);
                to.answer(bytes_of(reply));
            }};
        if (method == "/grpc.health.v1.Health/Check")
            return new unary{[this](::grpc::ByteBuffer& request, unary& to) { check_health(request, to); }};
        if (method == "/grpc.health.v1.Health/Watch")
            return new watcher{handlers_.health,
                               [this](watcher* one) {
                                   std::lock_guard const lock{watchers_mutex_};
                                   watchers_.insert(one);
                                   if (stopping_) one->leave();
                               },
                               [this](watcher* one) {
                                   std::lock_guard const lock{watchers_mutex_};
                                   watchers_.erase(one);
                               }};
        return new unary{[method](::grpc::ByteBuffer&, unary& to) {
            to.refuse(
                {rpc::status::unimplemented, "there is no method " + cni::quoted(method.substr(0, 200))});
        }};
    }

    template <class Message, class Handler, class Read, class Write>
    static unary* call(::grpc::GenericCallbackServerContext* context, Handler const& handler,
                       Read read_message, Write write) {
        return new unary{[=, &handler](::grpc::ByteBuffer& request, unary& to) {
            auto const message = read<Message>(request);
            if (!message)
                return to.refuse(
                    {rpc::status::invalid_argument,
                     "the request is no message of the generation " + std::string{Generation::name}});
            handler(read_message(*message), caller_of(*context, to.gone()), [&to, write](auto const& answer) {
                if (auto const* const why = std::get_if<rpc_refusal>(&answer))
                    to.refuse(*why);
                else
                    to.answer(write(std::get<0>(answer)));
            });
        }};
    }

    void check_health(::grpc::ByteBuffer& request, unary& to) const {
        auto const asked = read<proto::health::HealthCheckRequest>(request);
        if (!asked) return to.refuse({rpc::status::invalid_argument, "no HealthCheckRequest"});
        auto const health = handlers_.health(asked->service());
        if (health == rpc::health::service_unknown)
            return to.refuse({rpc::status::not_found, "unknown service"});
        proto::health::HealthCheckResponse reply;
        reply.set_status(static_cast<int>(health));
        to.answer(bytes_of(reply));
    }

    rpc_handlers handlers_;
    std::mutex watchers_mutex_;
    std::set<watcher*> watchers_;
    bool stopping_ = false;
    std::unique_ptr<::grpc::Server> server_;
};

/// Makes way for a Unix socket: gRPC would remove any file of that name, a daemon's in use too.
void clear(std::string const& path) {
    std::filesystem::create_directories(std::filesystem::path{path}.parent_path());
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return;
    if (!S_ISSOCK(status.st_mode))
        throw std::runtime_error{"cannot listen at " + path +
                                 ": it is there and no socket; remove it, or name another"};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    sys::fd const probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    int const failed = ::connect(probe.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address);
    // EAGAIN: its backlog is full.
    if (failed == 0 || errno == EAGAIN)
        throw std::runtime_error{"cannot listen at " + path + ": another daemon does; stop it first"};
    std::filesystem::remove(path);
}

} // namespace

template <cnix::rpc_generation Generation>
std::unique_ptr<rpc_server> rpc_server::listen(rpc::endpoint const& at, rpc_handlers handlers) {
    if (!at.is_unix()) return std::make_unique<server<Generation>>(at, std::move(handlers));
    std::string const path{at.path()};
    struct umask_guard {
        mode_t const before;
        explicit umask_guard(mode_t mask) : before{::umask(mask)} {}
        ~umask_guard() { ::umask(before); }
    };
    {
        umask_guard const open_directory{0022};
        clear(path);
    }
    umask_guard const group_only{0117};
    return std::make_unique<server<Generation>>(at, std::move(handlers));
}

template std::unique_ptr<rpc_server> rpc_server::listen<rpc::v1_7>(rpc::endpoint const&, rpc_handlers);
template std::unique_ptr<rpc_server> rpc_server::listen<rpc::v1_10>(rpc::endpoint const&, rpc_handlers);
template std::unique_ptr<rpc_server> rpc_server::listen<rpc::v1_20>(rpc::endpoint const&, rpc_handlers);

} // namespace cnix::ipamd
