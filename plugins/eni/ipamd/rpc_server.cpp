#include <ipamd/grpc_listener.hpp>
#include <ipamd/rpc_messages.hpp>
#include <ipamd/rpc_server.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/sys/directory.hpp>
#include <cnix/sys/fd.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utility>
#include <variant>

namespace cnix::ipamd {
namespace {

/// The message of a request. Nothing: it is none.
template <class Message> std::optional<Message> read(std::string const& bytes) {
    Message message;
    if (!message.ParseFromString(bytes)) return std::nullopt;
    return message;
}

std::string answer_of(rpc::health health) {
    proto::health::HealthCheckResponse reply;
    reply.set_status(static_cast<int>(health));
    return reply.SerializeAsString();
}

/// Those who wait for changes of a service's health (Health/Watch).
class watchers {
  public:
    using health_of = std::function<rpc::health(std::string_view)>;

    explicit watchers(health_of ask) : ask_{std::move(ask)} {}

    void add(std::string service, std::stop_token gone, grpc_answer to) {
        std::lock_guard const lock{mutex_};
        tell(all_.emplace_back(std::move(service), std::move(gone), std::move(to)));
        if (stopping_) let_go();
    }
    void look() {
        std::lock_guard const lock{mutex_};
        std::erase_if(all_, [](watcher const& one) { return one.gone.stop_requested(); });
        for (watcher& one : all_) tell(one);
    }
    /// Nobody watches a server that stops: all are told the health of now, and let go.
    void stop() {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
        for (watcher& one : all_) tell(one);
        let_go();
    }

  private:
    struct watcher {
        watcher(std::string of, std::stop_token when_gone, grpc_answer to)
            : service{std::move(of)}, gone{std::move(when_gone)}, answer{std::move(to)} {}
        std::string service;
        std::stop_token gone;
        grpc_answer answer;
        std::optional<rpc::health> told{};
    };

    void tell(watcher& one) const {
        auto const now = ask_(one.service);
        if (one.told != now) one.answer.send(answer_of(now));
        one.told = now;
    }
    void let_go() {
        for (watcher const& one : all_) one.answer.refuse({rpc::status::unavailable, "the server stops"});
        all_.clear();
    }

    health_of ask_;
    std::mutex mutex_{};
    std::list<watcher> all_{};
    bool stopping_ = false;
};

/// What the calls of a server are answered with. It outlives the server, as long as one is not answered.
template <cnix::rpc_generation Generation>
class service_of : public std::enable_shared_from_this<service_of<Generation>> {
    using messages = wire::messages<Generation>;

  public:
    explicit service_of(rpc_handlers handlers)
        : handlers_{std::move(handlers)}, watchers_{handlers_.health} {}

    void health_changed() { watchers_.look(); }
    void stop_watching() { watchers_.stop(); }

    void handle(grpc_request const& request, grpc_answer to) {
        if (request.method == "/rpc.CNIBackend/AddNetwork")
            return call<typename messages::add_request>(
                request, std::move(to), handlers_.add, wire::read_add<typename messages::add_request>,
                [self = this->shared_from_this()](rpc::add_reply const& reply) {
                    static node_facts const none;
                    auto const facts = self->handlers_.facts();
                    return wire::write_add<typename messages::add_reply>(reply, facts ? *facts : none);
                });
        if (request.method == "/rpc.CNIBackend/DelNetwork")
            return call<typename messages::del_request>(request, std::move(to), handlers_.remove,
                                                        wire::read_del<typename messages::del_request>,
                                                        wire::write_del<typename messages::del_reply>);
        if (request.method == "/rpc.ConfigServerBackend/GetNetworkPolicyConfigs") {
            auto const facts = handlers_.facts();
            if (!facts) return to.refuse({rpc::status::unavailable, "the address manager is starting"});
            return to.reply(policy_of(*facts));
        }
        if (request.method == "/grpc.health.v1.Health/List") return to.reply(list());
        bool const watches = request.method == "/grpc.health.v1.Health/Watch";
        if (watches || request.method == "/grpc.health.v1.Health/Check") {
            auto const asked = read<proto::health::HealthCheckRequest>(request.message);
            if (!asked) return to.refuse({rpc::status::invalid_argument, "no HealthCheckRequest"});
            if (watches) return watchers_.add(asked->service(), request.from.gone, std::move(to));
            auto const health = handlers_.health(asked->service());
            if (health == rpc::health::service_unknown)
                return to.refuse({rpc::status::not_found, "unknown service"});
            return to.reply(answer_of(health));
        }
        to.refuse(
            {rpc::status::unimplemented, "there is no method " + cni::quoted(request.method.substr(0, 200))});
    }

  private:
    std::string list() const {
        proto::health::HealthListResponse reply;
        for (auto const& one : handlers_.services())
            (*reply.mutable_statuses())[one].set_status(static_cast<int>(handlers_.health(one)));
        return reply.SerializeAsString();
    }

    template <class Message, class Handler, class Read, class Write>
    static void call(grpc_request const& request, grpc_answer to, Handler const& handler, Read read_message,
                     Write write) {
        auto const message = read<Message>(request.message);
        if (!message)
            return to.refuse({rpc::status::invalid_argument, "the request is no message of the generation " +
                                                                 std::string{Generation::name}});
        handler(read_message(*message), request.from, [to = std::move(to), write](auto const& answer) {
            if (auto const* const why = std::get_if<rpc_refusal>(&answer))
                to.refuse(*why);
            else
                to.reply(write(std::get<0>(answer)).SerializeAsString());
        });
    }

    static std::string policy_of(node_facts const& node) {
        proto::v1_20::NetworkPolicyAgentConfigReply reply;
        reply.set_network_policy_mode(node.network_policy_mode);
        reply.set_node_ipv4(node.node_ipv4);
        reply.set_node_ipv6(node.node_ipv6);
        reply.set_instance_id(node.instance_id);
        reply.set_region(node.region);
        return reply.SerializeAsString();
    }

    rpc_handlers handlers_;
    watchers watchers_;
};

template <cnix::rpc_generation Generation> class server final : public rpc_server {
  public:
    server(rpc::endpoint const& at, rpc_handlers handlers)
        : service_{std::make_shared<service_of<Generation>>(std::move(handlers))},
          listener_{at, max_request, [service = service_](grpc_request const& request, grpc_answer to) {
                        service->handle(request, std::move(to));
                    }} {}

    void stop(std::chrono::milliseconds within) override {
        service_->stop_watching();
        listener_.stop(within);
    }
    void health_changed() override { service_->health_changed(); }

  private:
    std::shared_ptr<service_of<Generation>> service_;
    grpc_listener listener_;
};

struct umask_guard {
    mode_t const before;
    explicit umask_guard(mode_t mask) : before{::umask(mask)} {}
    ~umask_guard() { ::umask(before); }
};

std::runtime_error another_listens(std::string const& path) {
    return std::runtime_error{"cannot listen at " + path + ": another daemon does; stop it first"};
}

sys::directory make_directory_of(std::filesystem::path const& socket) {
    umask_guard const open_directory{0022};
    return sys::directory::open_or_create(socket.parent_path().string(), 0755);
}

/// Makes way for a Unix socket.
void clear(std::string const& path) {
    make_directory_of(path);
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
    if (failed == 0 || errno == EAGAIN) throw another_listens(path);
    std::filesystem::remove(path);
}

} // namespace

sys::file_lock lock_socket(std::string const& path) {
    try {
        return {make_directory_of(path), std::filesystem::path{path}.filename().string() + ".lock",
                std::chrono::milliseconds{0}};
    } catch (sys::lock_timeout const&) {
        throw another_listens(path);
    }
}

template <cnix::rpc_generation Generation>
std::unique_ptr<rpc_server> rpc_server::listen(rpc::endpoint const& at, rpc_handlers handlers) {
    if (!at.is_unix()) return std::make_unique<server<Generation>>(at, std::move(handlers));
    std::string const path{at.path()};
    clear(path);
    umask_guard const group_only{0117};
    return std::make_unique<server<Generation>>(at, std::move(handlers));
}

template std::unique_ptr<rpc_server> rpc_server::listen<rpc::v1_7>(rpc::endpoint const&, rpc_handlers);
template std::unique_ptr<rpc_server> rpc_server::listen<rpc::v1_10>(rpc::endpoint const&, rpc_handlers);
template std::unique_ptr<rpc_server> rpc_server::listen<rpc::v1_20>(rpc::endpoint const&, rpc_handlers);

} // namespace cnix::ipamd
