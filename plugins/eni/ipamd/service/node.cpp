#include <ipamd/log.hpp>
#include <ipamd/requests.hpp>
#include <ipamd/service/service.hpp>

#include <algorithm>
#include <future>
#include <malloc.h>
#include <span>
#include <tuple>

namespace cnix::ipamd {
namespace {
using namespace std::chrono_literals;
/// How often the kernel and the spool are looked at where nobody says that there is news.
constexpr std::chrono::seconds compares_each{60};
/// How many releases of the spool one write of the checkpoint serves. Each has a file open meanwhile.
constexpr std::size_t replays_at_once = 200;
/// How long an ENI's interface may take to show before nobody waits for its addresses.
constexpr std::chrono::seconds appears_within{60};

/// The metrics' word for what a finding is about (metrics::repaired).
std::string_view subject_of(std::string_view finding) {
    auto const has = [&](std::string_view text) { return finding.find(text) != finding.npos; };
    if (finding.starts_with("nftables") || finding.starts_with("iptables") ||
        finding.starts_with("ip6tables"))
        return has("mark") ? "connmark" : "snat";
    if (has("policy rule")) return "rule";
    if (has("route")) return "route";
    return has("sysctl") ? "sysctl" : "interface";
}
} // namespace

/// Compares the kernel with what it should have and puts it right; `then` is told whether it could be looked at.
void service::repair(std::function<void(bool)> then) {
    kernel_busy_ = true;
    kernel_changed_ = false;
    bool const is_set_up = !started_ || has_new_eni();
    work_on(
        kernel_thread_, loop_,
        [this, enis = manager_.store().interfaces(), config = line_.values.node, pods = placed()] {
            auto node = kernel_.repair_node(config, enis);
            auto found = kernel_.repair_pods(pods, [this](eni::pod_key const& key) { return hold(key); });
            return std::tuple{enis, std::move(node), std::move(found), kernel_.traces()};
        },
        [this, is_set_up, then = std::move(then)](auto ended) {
            kernel_busy_ = false;
            next_repair_ = clock::now() + (kernel_changed_ ? std::chrono::seconds{1} : compares_each);
            bool worked = true;
            try {
                auto const [enis, node, pods, traces] = ended.get();
                tell_repaired("node", node.repaired, is_set_up);
                tell_repaired("pods", pods, !started_);
                settle_enis(enis, node.absent);
                reclaim(traces);
                fine("node");
            } catch (std::exception const& e) {
                worked = false;
                fault("node", e.what());
                next_repair_ = clock::now() + 5s;
            }
            metrics_.compared(worked);
            if (is_ready()) check_socket();
            then(worked);
            pump();
            // What a look at every pod took lies between what stays; it is given back once the work is gone.
            boost::asio::post(loop_, [] { ::malloc_trim(0); });
        });
}

void service::tell_repaired(std::string const& part, findings const& what, bool is_set_up) {
    for (auto const& one : what) {
        if (is_set_up) {
            log_debug(part + ": " + one);
            continue;
        }
        log_warn(part + ": put right: " + one);
        metrics_.repaired(subject_of(one));
    }
}

void service::settle_enis(std::vector<eni::network_interface> const& seen,
                          std::map<std::string, std::string> const& absent) {
    auto const time = clock::now();
    std::erase_if(absent_since_, [&](auto const& one) { return !absent.contains(one.first); });
    for (auto const& one : seen) {
        auto const missing = absent.find(one.id);
        if (missing == absent.end()) {
            manager_.set_up(one.id, now());
            continue;
        }
        auto const since = absent_since_.try_emplace(one.id, time).first->second;
        if (time - since > appears_within)
            manager_.broken(one.id, missing->second, now());
        else
            next_repair_ = std::min(next_repair_, time + 200ms);
    }
}

/// Whether an ENI's network is to be set up now: not after a failure, and not of one that was looked for just now.
bool service::has_new_eni() const {
    return !faults_.contains("node") && std::ranges::any_of(manager_.to_set_up(), [&](auto const& one) {
        return !absent_since_.contains(one.id);
    });
}

void service::reclaim(pod_traces const& traces) {
    auto const is_live = [&](eni::assignment const& one) {
        return may_live(one, traces, line_.values.node.vethPrefix.view());
    };
    for (auto const& gone : manager_.drop_dead(is_live, now()))
        log_warn("took back " + addresses_of(gone) + ": its pod is gone, and nobody said so",
                 {{"pod", gone.pod.name_space + '/' + gone.pod.name}, {"container", gone.key.container}});
}

std::vector<placed_interface> service::placed() const {
    std::vector<placed_interface> all;
    for (eni::assignment const& one : manager_.store().assignments()) {
        for (std::size_t i = 0; i < one.holdings.size(); ++i) {
            auto const* const nic = manager_.store().interface(one.holdings[i].eni);
            auto const name = host_end_of(one, i, line_.values.node.vethPrefix.view());
            if (nic && name) all.push_back({one.key, *name, one.holdings[i].addresses, nic->table()});
        }
    }
    return all;
}

/// Null: the plugin is at it.
std::shared_ptr<void> service::hold(eni::pod_key const& key) const {
    auto const network = cni::network_name::parse(key.network);
    auto const container = cni::container_id::parse(key.container);
    auto const interface = net::interface_name::parse(key.interface);
    if (!network || !container || !interface) return nullptr;
    try {
        return std::make_shared<eni::spool::held>(spool_.hold({*network, *container, *interface}, 0ms));
    } catch (std::exception const&) {
        return nullptr;
    }
}

void service::replay_spool(std::function<void()> then) {
    replaying_ = true;
    work_on(
        disk_, loop_,
        [this] {
            findings unreadable;
            auto const waiting = spool_.entries(unreadable);
            std::size_t replayed = 0;
            for (std::span rest{waiting}; !rest.empty() && !stopping_.stop_requested();) {
                auto const some = rest.first(std::min(rest.size(), replays_at_once));
                replayed += spool_.replay(some, [this](auto const& ours) { return release(ours); });
                rest = rest.subspan(some.size());
            }
            return std::tuple{replayed, waiting.size() - replayed, std::move(unreadable)};
        },
        [this, then = std::move(then)](auto ended) {
            replaying_ = false;
            try {
                auto const [replayed, left, unreadable] = ended.get();
                spooled_ = left;
                metrics_.replayed(replayed);
                metrics_.spooled(left);
                if (replayed > 0)
                    log_info("released what plugins had left in the spool",
                             {{"count", std::to_string(replayed)}});
                for (auto const& one : unreadable)
                    if (unreadable_.insert(one).second) log_warn(one);
                fine("spool");
            } catch (std::exception const& e) {
                fault("spool", e.what()); // nothing depends on it but those releases
            }
            next_replay_ = clock::now() + compares_each;
            then();
        });
}

/// In the disk's thread: waits for the loop. Those that are done, by one write of the checkpoint for all.
std::vector<eni::spooled_release const*>
service::release(std::vector<eni::spooled_release const*> const& some) {
    // Their indices, for `some` is gone when this was not waited for.
    struct answers {
        std::size_t missing;
        std::vector<std::size_t> done{};
        std::promise<std::vector<std::size_t>> all{};
    };
    auto const answered = std::make_shared<answers>(some.size());
    auto all = answered->all.get_future();
    std::vector<eni::pod_key> keys;
    for (auto const* const one : some) {
        auto const& [network, container, interface] = one->attachment;
        keys.push_back({network.str(), container.str(), interface.str()});
    }
    boost::asio::post(loop_, [this, answered, keys = std::move(keys)] {
        for (std::size_t i = 0; i < keys.size(); ++i)
            manager_.remove(keys[i], now(), [this, answered, i](remove_outcome const& ended) {
                // What is not known may be so since a write that failed: it is on the disk still.
                bool const is_saved = ended.known || !faults_.contains("checkpoint");
                if (ended.unsaved.empty() && is_saved) answered->done.push_back(i);
                if (--answered->missing == 0) answered->all.set_value(std::move(answered->done));
            });
        pump();
    });
    while (all.wait_for(50ms) != std::future_status::ready)
        if (stopping_.stop_requested()) return {}; // they stay in the spool
    std::vector<eni::spooled_release const*> done;
    for (std::size_t const i : all.get()) done.push_back(some[i]);
    return done;
}

} // namespace cnix::ipamd
