#include <ipamd/metrics.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <mutex>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>
#include <prometheus/text_serializer.h>
#include <set>
#include <sstream>
#include <stdexcept>

namespace cnix::ipamd {

namespace {

using labels = prometheus::Labels;

prometheus::Histogram::BucketBoundaries const seconds_of_a_request{
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

double seconds(metrics::duration took) { return std::chrono::duration<double>(took).count(); }

std::string word_of(std::string_view text, std::initializer_list<std::string_view> known) {
    return std::ranges::find(known, text) != known.end() ? std::string{text} : "other";
}

/// Where it is spelled as two.
std::string one_word(std::string_view text) {
    std::string word{text};
    std::ranges::replace(word, ' ', '_');
    return word;
}

/// What the cloud calls its errors and calls.
std::string name_of_cloud(std::string_view text) {
    auto const is_fit = [](char byte) {
        return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
               byte == '.' || byte == '_' || byte == '-';
    };
    bool const fits = !text.empty() && text.size() <= 64 && std::ranges::all_of(text, is_fit);
    return fits ? std::string{text} : "other";
}

} // namespace

class metrics::registry {
  public:
    registry() {
        for (metric const& one : metrics_table()) {
            std::string const name{one.name}, help{one.help};
            switch (one.is) {
            case metric::kind::counter:
                counters_[one.name] = &prometheus::BuildCounter().Name(name).Help(help).Register(all_);
                break;
            case metric::kind::gauge:
                gauges_[one.name] = &prometheus::BuildGauge().Name(name).Help(help).Register(all_);
                break;
            case metric::kind::histogram:
                histograms_[one.name] = &prometheus::BuildHistogram().Name(name).Help(help).Register(all_);
                break;
            case metric::kind::summary:
                summaries_[one.name] = &prometheus::BuildSummary().Name(name).Help(help).Register(all_);
                break;
            }
            if (one.labels.empty()) begin(one); // from 0: else nobody sees the first one happen
        }
    }

    void count(std::string_view name, labels const& of = {}, double by = 1) {
        counters_.at(name)->Add(of).Increment(by);
    }
    /// A total that is counted elsewhere.
    void count_to(std::string_view name, labels const& of, std::uint64_t total) {
        auto& counter = counters_.at(name)->Add(of);
        counter.Increment(std::max(0.0, static_cast<double>(total) - counter.Value()));
    }
    void set(std::string_view name, labels const& of, double value) { gauges_.at(name)->Add(of).Set(value); }
    void observe(std::string_view name, labels const& of, double value) {
        histograms_.at(name)->Add(of, seconds_of_a_request).Observe(value);
    }
    void observe_latency(labels const& of, double milliseconds) {
        summaries_.at("awscni_aws_api_latency_ms")
            ->Add(of, prometheus::Summary::Quantiles{})
            .Observe(milliseconds);
    }

    /// All values of a gauge with one label; those that are not there any more go.
    void set_all(std::string_view name, std::string const& label,
                 std::map<std::string, double> const& values) {
        auto& family = *gauges_.at(name);
        auto& shown = shown_[name];
        for (auto at = shown.begin(); at != shown.end();) {
            if (values.contains(at->first)) {
                ++at;
                continue;
            }
            family.Remove(at->second);
            at = shown.erase(at);
        }
        for (auto const& [value, number] : values) {
            auto& gauge = family.Add({{label, value}});
            gauge.Set(number);
            shown.insert_or_assign(value, &gauge);
        }
    }

    std::string text(snapshot const* now) {
        std::lock_guard const locked{mutex_};
        if (now) take(*now);
        return prometheus::TextSerializer{}.Serialize(all_.Collect());
    }

  private:
    void begin(metric const& one) {
        switch (one.is) {
        case metric::kind::counter:
            counters_.at(one.name)->Add({});
            break;
        case metric::kind::gauge:
            gauges_.at(one.name)->Add({});
            break;
        case metric::kind::histogram:
            histograms_.at(one.name)->Add({}, seconds_of_a_request);
            break;
        case metric::kind::summary:
            throw std::logic_error{"each summary has labels"};
        }
    }

    void take(snapshot const& now) {
        std::map<std::string, double> uses, per_eni, per_cidr;
        for (eni_use use : {eni_use::used, eni_use::setting_up, eni_use::broken, eni_use::excluded,
                            eni_use::missing, eni_use::unmanaged})
            uses[one_word(name(use))] = 0;
        double managed = 0, prefixes = 0;
        for (eni_view const& one : now.enis) {
            uses[one_word(name(one.use))] += 1;
            if (one.use == eni_use::unmanaged) continue;
            managed += 1;
            per_eni[one.nic.id] = static_cast<double>(std::max(one.ipv4.assigned, one.ipv6.assigned));
            for (net::prefix const& cidr : one.nic.cidrs) prefixes += cidr.is_v4() && cidr.length() < 32;
            for (address_view const& address : one.addresses)
                if (address.key) per_cidr[address.cidr.str()] += 1;
        }
        set_all("cnix_ipamd_enis", "use", uses);
        set_all("awscni_assigned_ip_per_eni", "eni", per_eni);
        set_all("awscni_assigned_ip_per_cidr", "cidr", per_cidr);
        set("awscni_eni_allocated", {}, managed);
        set("awscni_total_ipv4_prefixes", {}, prefixes);
        set("awscni_eni_max", {}, now.most_enis);
        set("awscni_ip_max", {},
            static_cast<double>(now.most_enis) * now.places * (now.prefixes ? addresses_per_prefix : 1));
        eni::address_counts const& counts = now.ipv4.total > 0 ? now.ipv4 : now.ipv6;
        set("awscni_total_ip_addresses", {}, static_cast<double>(counts.total));
        set("awscni_assigned_ip_addresses", {}, static_cast<double>(counts.assigned));
        for (auto const& [family, of] : {std::pair{"ipv4", &now.ipv4}, std::pair{"ipv6", &now.ipv6}}) {
            if (of->total == 0) continue;
            set("cnix_ipamd_ip_addresses", {{"family", family}, {"state", "assigned"}},
                static_cast<double>(of->assigned));
            set("cnix_ipamd_ip_addresses", {{"family", family}, {"state", "cooling"}},
                static_cast<double>(of->cooling));
            set("cnix_ipamd_ip_addresses", {{"family", family}, {"state", "free"}},
                static_cast<double>(of->free()));
        }
        set("cnix_ipamd_pods", {}, static_cast<double>(now.pods));
        set("cnix_ipamd_waiting_pods", {}, static_cast<double>(now.waiting_count));
        set("cnix_ipamd_quarantined_ip_addresses", {}, static_cast<double>(now.quarantined.size()));
        set("cnix_ipamd_growth_paused", {}, now.paused_until && *now.paused_until > now.now);

        manager_counters const& all = now.counters;
        count_to("awscni_no_available_ip_addresses", {},
                 all.adds_exhausted + all.adds_warming_up + all.adds_cooling + all.adds_throttled);
        count_to("awscni_reconcile_count", {{"fn", "eniReconcileAdd"}}, all.enis_added);
        count_to("awscni_reconcile_count", {{"fn", "eniReconcileDel"}}, all.enis_removed);
        count_to("awscni_reconcile_count", {{"fn", "ipReconcileAdd"}}, all.cidrs_added);
        count_to("awscni_reconcile_count", {{"fn", "ipReconcileDel"}}, all.cidrs_removed);
        count_to("cnix_ipamd_add_waits_total", {}, all.adds_waited);
        count_to("cnix_ipamd_quarantines_total", {}, all.quarantined_addresses);
        count_to("cnix_ipamd_reclaimed_total", {}, all.reclaimed);
        count_to("cnix_ipamd_actions_total", {}, all.actions);
        count_to("cnix_ipamd_action_failures_total", {}, all.actions_failed);
        count_to("cnix_ipamd_checkpoint_writes_total", {}, all.commits);
        count_to("cnix_ipamd_checkpoint_failures_total", {}, all.commits_failed);
    }

    prometheus::Registry all_;
    std::map<std::string_view, prometheus::Family<prometheus::Counter>*> counters_;
    std::map<std::string_view, prometheus::Family<prometheus::Gauge>*> gauges_;
    std::map<std::string_view, prometheus::Family<prometheus::Histogram>*> histograms_;
    std::map<std::string_view, prometheus::Family<prometheus::Summary>*> summaries_;
    std::mutex mutex_; ///< of what follows, and of what is set of a snapshot
    std::map<std::string_view, std::map<std::string, prometheus::Gauge*>> shown_;
};

metrics::metrics(std::string_view version) : registry_{std::make_unique<registry>()} {
    registry_->set("awscni_build_info", {{"goversion", ""}, {"version", std::string{version}}}, 1);
}
metrics::~metrics() = default;

void metrics::add_answered(std::string_view result, duration took) {
    registry_->count("awscni_add_ip_req_count");
    registry_->observe("cnix_ipamd_add_duration_seconds", {{"result", one_word(result)}}, seconds(took));
}

void metrics::delete_answered(std::string_view result, std::string_view reason, duration took) {
    registry_->count("awscni_del_ip_req_count",
                     {{"reason", word_of(reason, {"PodDeleted", "SetupNSFailed"})}});
    registry_->observe("cnix_ipamd_del_duration_seconds",
                       {{"result", word_of(result, {"ok", "unknown", "unsaved"})}}, seconds(took));
}

void metrics::called(api_call const& call) {
    bool const is_metadata = call.service == "imds",
               failed = !call.code.empty() || call.status < 200 || call.status > 299;
    std::string const api = is_metadata ? "GetMetadata" : name_of_cloud(call.api);
    std::string const code = call.code.empty() ? std::to_string(call.status) : name_of_cloud(call.code);
    registry_->observe_latency(
        {{"api", api}, {"error", failed ? "true" : "false"}, {"status", std::to_string(call.status)}},
        seconds(call.took) * 1000);
    if (call.service == "ec2") registry_->count("awscni_ec2api_req_count", {{"fn", api}});
    if (!failed) return;
    registry_->count("awscni_aws_api_error_count", {{"api", api}, {"error", code}});
    if (call.service == "ec2") registry_->count("awscni_ec2api_error_count", {{"fn", api}});
    if (is_metadata) registry_->count("awscni_aws_utils_error_count", {{"fn", api}, {"error", code}});
}

void metrics::begun(std::string_view function) {
    registry_->set("awscni_ipamd_action_inprogress", {{"fn", name_of_cloud(function)}}, 1);
}
void metrics::ended(std::string_view function) {
    registry_->set("awscni_ipamd_action_inprogress", {{"fn", name_of_cloud(function)}}, 0);
}
void metrics::failed(std::string_view function) {
    registry_->count("awscni_ipamd_error_count", {{"fn", name_of_cloud(function)}});
}
void metrics::looked(std::chrono::system_clock::time_point when) {
    registry_->set("cnix_ipamd_last_look_timestamp_seconds", {},
                   std::chrono::duration<double>(when.time_since_epoch()).count());
}

void metrics::repaired(std::string_view what, std::size_t count) {
    registry_->count("cnix_ipamd_repairs_total",
                     {{"what", word_of(what, {"rule", "route", "snat", "connmark", "interface", "sysctl"})}},
                     static_cast<double>(count));
}
void metrics::compared(bool success) {
    registry_->count("awscni_connmark_reconcile_total", {{"result", success ? "success" : "error"}});
    if (!success) registry_->count("cnix_ipamd_repair_failures_total");
}
void metrics::connmark_backend(std::string_view backend) {
    registry_->set("awscni_connmark_backend", {{"backend", word_of(backend, {"nftables", "iptables"})}}, 1);
}
void metrics::spooled(std::size_t now) {
    registry_->set("cnix_ipamd_spooled_releases", {}, static_cast<double>(now));
}
void metrics::replayed(std::size_t count) {
    registry_->count("cnix_ipamd_spool_replayed_total", {}, static_cast<double>(count));
}

void metrics::started(bool success, std::string_view failure, duration took) {
    registry_->observe("awscni_ipamd_startup_duration_seconds",
                       {{"failure_reason", failure.empty() ? "" : name_of_cloud(failure)},
                        {"success", success ? "true" : "false"},
                        {"with_api_server", "false"}},
                       seconds(took));
}
void metrics::node_initialized(bool success, duration took) {
    registry_->observe("awscni_ipamd_node_initialization_duration_seconds",
                       {{"success", success ? "true" : "false"}}, seconds(took));
}
void metrics::checkpoint_written(duration took) {
    registry_->observe("cnix_ipamd_checkpoint_duration_seconds", {}, seconds(took));
}
void metrics::ready(bool is) { registry_->set("cnix_ipamd_ready", {}, is); }

std::string metrics::text(snapshot const* now) { return registry_->text(now); }

} // namespace cnix::ipamd
