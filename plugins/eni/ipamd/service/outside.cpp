#include <ipamd/log.hpp>
#include <ipamd/requests.hpp>
#include <ipamd/service/service.hpp>

#include <algorithm>
#include <functional>
#include <future>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace cnix::ipamd {
namespace {

using namespace std::chrono_literals;

/// The service whose health kubelet's probe of upstream's manifest asks.
constexpr std::string_view probed_service = "grpc.health.v1.aws-node";
/// The parts that have a health, each as a service of this name behind the prefix.
constexpr std::string_view part_prefix = "cnix.";
constexpr std::string_view parts[]{"checkpoint", "cloud", "limits", "node", "server", "spool"};
/// How long an ADD without a deadline waits for an address that is on its way: upstream's plugin sends none.
constexpr std::chrono::seconds without_deadline{20};
/// An answer must get back before the caller's deadline.
constexpr std::chrono::milliseconds way_back{100};

/// Until an ADD is answered.
struct waiting_caller {
    bool answered = false;
    std::optional<std::stop_callback<std::function<void()>>> gone{};
};

} // namespace

rpc_handlers service::handlers() {
    return {.add = [this](rpc::add_request const& request, caller const& from,
                          respond<rpc::add_reply> answer) { add(request, from, std::move(answer)); },
            .remove = [this](rpc::del_request const& request, caller const&,
                             respond<rpc::del_reply> answer) { remove(request, std::move(answer)); },
            .health = [this](std::string_view asked) { return health(asked); },
            .services =
                [] {
                    std::vector<std::string> all{"", std::string{probed_service},
                                                 std::string{rpc::free_addresses_service}};
                    for (auto const part : parts) all.push_back(std::string{part_prefix} + std::string{part});
                    return all;
                },
            .facts =
                [this] {
                    std::lock_guard const lock{outside_mutex_};
                    return started_ ? facts_ : nullptr;
                }};
}

rpc::health service::health(std::string_view asked) {
    auto const serving = [](bool does) { return does ? rpc::health::serving : rpc::health::not_serving; };
    if (asked.empty() || asked == probed_service) return serving(is_ready());
    if (asked == rpc::free_addresses_service) return serving(is_ready() && has_free_);
    if (!asked.starts_with(part_prefix)) return rpc::health::service_unknown;
    auto const part = std::ranges::find(parts, asked.substr(part_prefix.size()));
    if (part == std::end(parts)) return rpc::health::service_unknown;
    std::lock_guard const lock{outside_mutex_};
    auto const known = health_.find(*part);
    return known != health_.end() ? known->second : rpc::health::unknown;
}

void service::set_health(std::string const& part, rpc::health what) {
    {
        std::lock_guard const lock{outside_mutex_};
        if (std::exchange(health_[part], what) == what) return;
    }
    for (auto const& one : servers_) one->health_changed();
}

rpc_refusal service::not_started() const {
    std::string why = std::string{program_.name} + " is starting";
    for (auto const& one : troubles()) why += "; " + one;
    return {rpc::status::failed_precondition, std::move(why)};
}

void service::add(rpc::add_request const& request, caller const& from, respond<rpc::add_reply> answer) {
    auto const began = clock::now();
    auto const& pod = request.pod;
    if (pod.container.empty() || pod.interface.empty() || pod.network.empty())
        return answer(rpc::add_reply{.why = "the request lacks its ContainerID, IfName or NetworkName"});
    auto const key = key_of(pod);
    if (auto const* const refused = std::get_if<rpc_refusal>(&key)) return answer(*refused);

    boost::asio::post(loop_, [this, began, request, from, answer = std::move(answer),
                              key = std::get<eni::pod_key>(key)] {
        if (!started_) return answer(not_started());
        auto const state = std::make_shared<waiting_caller>();
        auto const left = from.deadline == clock::time_point::max() ? clock::duration{without_deadline}
                                                                    : from.deadline - clock::now() - way_back;
        auto const until = now() + std::chrono::duration_cast<time_point::duration>(left);
        auto const& keys = manager_.settings();
        eni::wanted const what{keys.ipv4, keys.ipv6, request.multi_nic && keys.multi_nic};
        auto const answered = [=, this](add_outcome ended) {
            state->answered = true;
            // While the Provider tries again, the manager has not heard of it.
            if (ended.refused == refusal::warming_up && !cloud_trouble_.empty())
                ended.why += "; " + cloud_trouble_;
            state->gone.reset();
            metrics_.add_answered(ended.refused ? name(*ended.refused) : "ok", clock::now() - began);
            if (ended.refused)
                log_warn("no address for " + name_of(request.pod) + ": " + ended.why,
                         {{"container", request.pod.container}});
            else
                log_debug("gave " + addresses_of(ended.assignment) + " to " + name_of(request.pod),
                          {{"container", request.pod.container}});
            if (!ended.refused && from.gone.stop_requested()) manager_.take_back(ended, now());
            answer(reply_of(ended, line_.values.network_policy_mode));
        };
        auto const id = manager_.add(key, what, metadata_of(request.pod), until, now(), answered);
        if (!state->answered)
            state->gone.emplace(from.gone, [this, id] {
                boost::asio::post(loop_, [this, id] {
                    manager_.cancel(id, now());
                    pump();
                });
            });
        pump();
    });
}

void service::remove(rpc::del_request const& request, respond<rpc::del_reply> answer) {
    auto const began = clock::now();
    auto const key = key_of(request.pod);
    if (auto const* const refused = std::get_if<rpc_refusal>(&key)) return answer(*refused);
    boost::asio::post(
        loop_, [this, began, request, answer = std::move(answer), key = std::get<eni::pod_key>(key)] {
            if (!started_) return answer(not_started());
            manager_.remove(key, now(), [=, this](remove_outcome const& ended) {
                metrics_.delete_answered(!ended.known            ? "unknown"
                                         : ended.unsaved.empty() ? "ok"
                                                                 : "unsaved",
                                         request.reason, clock::now() - began);
                if (ended.known)
                    log_debug("took " + addresses_of(ended.assignment) + " back from " + name_of(request.pod),
                              {{"container", request.pod.container}});
                std::visit([&](auto const& one) { answer(one); },
                           reply_of(ended, line_.values.network_policy_mode));
            });
            pump();
        });
}

/// The state as the loop has it, for another thread.
struct service::view {
    std::optional<snapshot> pool{};
    daemon_view daemon{};
    settings in_force{};
};

service::view service::look_from_outside() {
    auto const answered = std::make_shared<std::promise<view>>();
    auto answer = answered->get_future();
    boost::asio::post(loop_, [this, answered] {
        view seen{manager_.look(now()), {}, line_.values};
        seen.daemon = {
            std::string{program_.name}, CNIX_VERSION, wall_start_, is_ready(), troubles(), spooled_};
        answered->set_value(std::move(seen));
    });
    for (auto const until = clock::now() + 2s; clock::now() < until && !stopping_.stop_requested();)
        if (answer.wait_for(20ms) == std::future_status::ready) return answer.get();
    return {};
}

void service::show() {
    auto const complain = [](std::string const& what) { log_warn(what); };
    settings const& keys = line_.values;
    if (keys.serve_metrics)
        metrics_server_.emplace(
            "metrics", keys.metrics,
            [this](std::string_view path) -> std::optional<http_page> {
                if (path != "/metrics") return std::nullopt;
                auto const now = look_from_outside();
                return http_page{std::string{metrics::content_type},
                                 metrics_.text(now.pool ? &*now.pool : nullptr)};
            },
            complain);
    if (keys.serve_introspection)
        introspection_server_.emplace(
            "introspection", keys.introspection,
            [this](std::string_view path) {
                auto const now = look_from_outside();
                if (!now.pool) throw std::runtime_error{"the loop did not answer within 2 s"};
                return introspect(path, now.in_force, &*now.pool, now.daemon);
            },
            complain);
}

} // namespace cnix::ipamd
