#include <ipamd/log.hpp>
#include <ipamd/service/service.hpp>

namespace cnix::ipamd {
namespace {
using namespace std::chrono_literals;
/// How often the cloud is compared with what it showed.
constexpr std::chrono::seconds looks_each{60};
constexpr std::chrono::hours cleans_each{1};
/// How often at least tags are read again, which the metadata do not tell; and how soon once more if that fails.
constexpr std::chrono::hours verifies_each{1};
constexpr std::chrono::minutes verifies_again{5};
} // namespace

/// `work` with the Provider in its thread, `then` in the loop.
template <class Work, class Then> void service::ask_cloud(Work work, Then then) {
    cloud_busy_ = true;
    work_on(
        cloud_, loop_,
        [this, work = std::move(work)] {
            if (!port_) port_ = make_cloud_(provider_settings_);
            return work(*port_, stopping_.get_token());
        },
        [this, then = std::move(then)](auto ended) {
            cloud_busy_ = false;
            then(std::move(ended));
        });
}

void service::first_look() {
    metrics_.begun("nodeInit");
    ask_cloud([](cloud_port& cloud, std::stop_token stop) { return cloud.look(false, std::move(stop)); },
              [this](auto looked) {
                  metrics_.ended("nodeInit");
                  try {
                      take(looked.get());
                  } catch (std::exception const& e) {
                      metrics_.failed("nodeInit");
                      fault("cloud", e.what());
                      return try_again(&service::first_look);
                  }
                  fine("cloud");
                  starting_.succeeded();
                  verified();
                  next_look_ = clock::now() + looks_each;
                  first_set_up();
              });
}

void service::take(cloud_node shown) {
    auto const found = manager_.take(shown, now());
    for (auto const& one : found.findings) log_warn(one);
    for (auto const& one : found.new_enis) log_info("the node has the ENI " + one);
    for (auto const& one : found.gone_enis) log_info("the node no longer has the ENI " + one);
    node_ = std::move(shown);
    line_.values.node.vpcCIDRs.clear();
    for (auto const& one : node_->vpc_cidrs)
        if (one.is_v4()) line_.values.node.vpcCIDRs.push_back(one);
    set_facts();
    metrics_.looked(std::chrono::system_clock::now());
}

void service::set_facts() {
    auto const& keys = line_.values;
    auto facts = std::make_shared<node_facts>();
    facts->external_snat = keys.node.externalSNAT;
    facts->vpc_cidrs = node_->vpc_cidrs;
    if (!facts->external_snat)
        facts->vpc_cidrs.insert(facts->vpc_cidrs.end(), keys.node.excludeSNATCIDRs.begin(),
                                keys.node.excludeSNATCIDRs.end());
    facts->network_policy_mode = keys.network_policy_mode;
    if (node_->primary_ipv4) facts->node_ipv4 = node_->primary_ipv4->str();
    if (node_->primary_ipv6) facts->node_ipv6 = node_->primary_ipv6->str();
    facts->instance_id = node_->instance_id;
    facts->region = node_->region;
    std::lock_guard const lock{outside_mutex_};
    facts_ = std::move(facts);
}

/// One call at a time: what the manager wants comes first.
void service::use_cloud() {
    if (cloud_busy_) return;
    auto const time = clock::now();
    if (may_change()) {
        if (!has_limits_ && time >= next_limits_) return ask_limits();
        if (auto const next = manager_.next(now())) return act(next);
    }
    if (manager_.wants_look() || time >= next_look_) return look();
    if (may_change() && line_.values.leaked_eni_cleanup && time >= next_cleaning_) clean_leaked();
}

void service::ask_limits() {
    ask_cloud([](cloud_port& cloud, std::stop_token stop) { return cloud.limits(std::move(stop)); },
              [this](auto ended) {
                  try {
                      manager_.limit(ended.get(), now());
                      has_limits_ = true;
                      fine("limits");
                  } catch (std::exception const& e) {
                      if (!stopping_.stop_requested()) fault("limits", e.what());
                      next_limits_ = clock::now() + 10s;
                  }
                  pump();
              });
}

/// The next time is another for each node: many may have started at once.
void service::verified() {
    verified_ = clock::now();
    next_verify_ =
        verified_ + verifies_each + std::chrono::seconds{std::uniform_int_distribution{0, 300}(random_)};
}

/// Somebody may have set tags, and wants to see what comes of it; but not more than once a minute.
void service::look_soon() {
    next_verify_ = std::max(clock::now(), verified_ + looks_each);
    next_look_ = std::min(next_look_, next_verify_);
}

void service::look() {
    metrics_.begun("nodeIPPoolReconcile");
    bool const verify = manager_.wants_look() || clock::now() >= next_verify_;
    if (verify) next_verify_ = clock::now() + verifies_again;
    next_look_ = clock::time_point::max(); // or what look_soon() says meanwhile
    ask_cloud(
        [verify, follow = may_change()](cloud_port& cloud, std::stop_token stop) {
            auto shown = cloud.look(verify, stop);
            if (follow) cloud.follow_security_groups(shown, stop);
            return shown;
        },
        [this, verify](auto ended) {
            metrics_.ended("nodeIPPoolReconcile");
            next_look_ = std::min(next_look_, clock::now() + looks_each);
            try {
                take(ended.get());
                if (verify) verified();
                fine("cloud");
            } catch (std::exception const& e) {
                manager_.look_failed(now());
                metrics_.failed("nodeIPPoolReconcile");
                if (!stopping_.stop_requested()) fault("cloud", e.what());
            }
            pump();
        });
}

void service::clean_leaked() {
    next_cleaning_ = clock::now() + cleans_each;
    ask_cloud([](cloud_port& cloud, std::stop_token stop) { return cloud.clean_leaked(std::move(stop)); },
              [this](auto ended) {
                  try {
                      if (auto const gone = ended.get(); gone > 0)
                          log_info("deleted ENIs that nobody used any more",
                                   {{"count", std::to_string(gone)}});
                  } catch (std::exception const& e) {
                      if (!stopping_.stop_requested()) log_warn(std::string{"leaked ENIs: "} + e.what());
                  }
                  pump();
              });
}

void service::act(action const& next) {
    bool const grows = next.does == action::what::assign || next.does == action::what::attach;
    std::string_view const function = grows ? "increaseDatastorePool" : "decreaseDatastorePool";
    manager_.started(next, now());
    metrics_.begun(function);
    log_info(next.text(), {{"why", next.why}});
    auto const ended = [this, next, function](auto done) {
        metrics_.ended(function);
        try {
            using value = decltype(done.get());
            if constexpr (std::is_same_v<value, std::monostate>) {
                done.get();
                manager_.done(next, now());
            } else {
                manager_.done(next, done.get(), now());
            }
            log_info("done: " + next.text());
        } catch (cloud_error const& e) {
            act_failed(next, e);
        } catch (std::exception const& e) {
            act_failed(next, {trouble::other, std::string{next.name()}, {}, e.what()});
        }
        pump();
    };
    switch (next.does) {
    case action::what::assign:
        return ask_cloud(
            [next](cloud_port& cloud, std::stop_token stop) {
                auto const& part = next.portions.front();
                return cloud.assign(next.nic, part.of, part.count, std::move(stop));
            },
            ended);
    case action::what::attach:
        return ask_cloud(
            [next](cloud_port& cloud, std::stop_token stop) {
                return cloud.attach(next.portions, next.network_card, std::move(stop));
            },
            ended);
    case action::what::unassign:
        return ask_cloud(
            [next](cloud_port& cloud, std::stop_token stop) {
                cloud.unassign(next.nic.id, next.cidrs, std::move(stop));
            },
            ended);
    case action::what::detach:
        return ask_cloud(
            [next](cloud_port& cloud, std::stop_token stop) { cloud.detach(next.nic.id, std::move(stop)); },
            ended);
    case action::what::none:
        break;
    }
}

void service::act_failed(action const& next, cloud_error const& why) {
    manager_.failed(next, why, now());
    if (why.kind() == trouble::stopped) return;
    metrics_.failed(next.does == action::what::assign || next.does == action::what::attach
                        ? "increaseDatastorePool"
                        : "decreaseDatastorePool");
    log_warn("failed: " + next.text() + ": " + why.what(), {{"api", why.api()}, {"code", why.code()}});
}

} // namespace cnix::ipamd
