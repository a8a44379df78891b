#include <ipamd/metrics.hpp>

namespace cnix::ipamd {

namespace {

using kind = metric::kind;

constexpr metric table[] = {
    // Upstream's names and labels.
    {"awscni_add_ip_req_count", kind::counter, "", "ADDs that were answered."},
    {"awscni_assigned_ip_addresses", kind::gauge, "", "Addresses that pods have; of IPv4, if there are any."},
    {"awscni_assigned_ip_per_cidr", kind::gauge, "cidr",
     "Those of each address or prefix of which pods have any."},
    {"awscni_assigned_ip_per_eni", kind::gauge, "eni", "Those of each ENI."},
    {"awscni_aws_api_error_count", kind::counter, "api, error", "Failed calls, by the cloud's code."},
    {"awscni_aws_api_latency_ms", kind::summary, "api, error, status",
     "Milliseconds that calls took; no quantiles. GetMetadata is the instance metadata."},
    {"awscni_aws_utils_error_count", kind::counter, "error, fn", "Failed calls of the instance metadata."},
    {"awscni_build_info", kind::gauge, "goversion, version", "1; the version, and nothing."},
    {"awscni_connmark_backend", kind::gauge, "backend", "1; nftables or iptables."},
    {"awscni_connmark_reconcile_total", kind::counter, "result",
     "How often the node was compared with what it should be: success or error."},
    {"awscni_del_ip_req_count", kind::counter, "reason",
     "DELs that were answered: PodDeleted, SetupNSFailed or other."},
    {"awscni_ec2api_error_count", kind::counter, "fn", "Failed calls of EC2."},
    {"awscni_ec2api_req_count", kind::counter, "fn", "Calls of EC2, each attempt."},
    {"awscni_eni_allocated", kind::gauge, "", "ENIs that the daemon manages."},
    {"awscni_eni_max", kind::gauge, "", "ENIs that the node may have."},
    {"awscni_force_removed_enis", kind::counter, "", "Always 0: ENIs that pods use are quarantined instead."},
    {"awscni_force_removed_ips", kind::counter, "",
     "Always 0: addresses that pods have are quarantined instead."},
    {"awscni_ip_max", kind::gauge, "", "IPv4 addresses for pods that the node may have."},
    {"awscni_ipamd_action_inprogress", kind::gauge, "fn", "1 while it is done."},
    {"awscni_ipamd_error_count", kind::counter, "fn", "Steps that failed."},
    {"awscni_ipamd_node_initialization_duration_seconds", kind::histogram, "success",
     "How long the node's first set-up took."},
    {"awscni_ipamd_startup_duration_seconds", kind::histogram, "failure_reason, success, with_api_server",
     "From the start to ready."},
    {"awscni_no_available_ip_addresses", kind::counter, "",
     "ADDs that were refused since there was no address."},
    {"awscni_reconcile_count", kind::counter, "fn",
     "What the cloud showed that was not known: eniReconcileAdd, eniReconcileDel, ipReconcileAdd, "
     "ipReconcileDel."},
    {"awscni_total_ip_addresses", kind::gauge, "", "Addresses for pods; of IPv4, if there are any."},
    {"awscni_total_ipv4_prefixes", kind::gauge, "", "Prefixes (/28)."},
    // Ours.
    {"cnix_ipamd_action_failures_total", kind::counter, "", "Changes of the node's ENIs that failed."},
    {"cnix_ipamd_actions_total", kind::counter, "",
     "Changes of the node's ENIs and addresses that were begun."},
    {"cnix_ipamd_add_duration_seconds", kind::histogram, "result",
     "From an ADD's arrival to its answer: ok, or why it was refused."},
    {"cnix_ipamd_add_waits_total", kind::counter, "", "ADDs that had to wait for an address."},
    {"cnix_ipamd_checkpoint_duration_seconds", kind::histogram, "",
     "How long a write of the checkpoint took."},
    {"cnix_ipamd_checkpoint_failures_total", kind::counter, "", "Writes of the checkpoint that failed."},
    {"cnix_ipamd_checkpoint_writes_total", kind::counter, "",
     "Writes of the checkpoint; one serves all ADDs and DELs that wait."},
    {"cnix_ipamd_del_duration_seconds", kind::histogram, "result",
     "From a DEL's arrival to its answer: ok, unknown or unsaved."},
    {"cnix_ipamd_enis", kind::gauge, "use",
     "ENIs: used, setting_up, broken, excluded, missing (the cloud does not show it) or unmanaged."},
    {"cnix_ipamd_growth_paused", kind::gauge, "", "1 while growth waits after the cloud refused it."},
    {"cnix_ipamd_ip_addresses", kind::gauge, "family, state",
     "Addresses for pods: assigned, cooling or free."},
    {"cnix_ipamd_last_look_timestamp_seconds", kind::gauge, "",
     "When the cloud last answered what it has; Unix time."},
    {"cnix_ipamd_pods", kind::gauge, "", "Pods that have addresses."},
    {"cnix_ipamd_quarantined_ip_addresses", kind::gauge, "",
     "Addresses that pods have, and the cloud says that the node has not."},
    {"cnix_ipamd_quarantines_total", kind::counter, "", "Addresses that became so."},
    {"cnix_ipamd_ready", kind::gauge, "", "1 if ADDs are served."},
    {"cnix_ipamd_reclaimed_total", kind::counter, "",
     "Pods that were gone without a DEL, and whose addresses were taken back."},
    {"cnix_ipamd_repair_failures_total", kind::counter, "", "Comparisons of the node that failed."},
    {"cnix_ipamd_repairs_total", kind::counter, "what",
     "What others had removed from the node, and was put back: rule, route, snat, connmark, interface, "
     "sysctl or other."},
    {"cnix_ipamd_spool_replayed_total", kind::counter, "",
     "Releases that the plugin had left, and were done."},
    {"cnix_ipamd_spooled_releases", kind::gauge, "", "Releases that wait there."},
    {"cnix_ipamd_waiting_pods", kind::gauge, "", "ADDs that wait for an address."},
};

} // namespace

std::span<metric const> metrics_table() { return table; }

std::string metrics_documentation() {
    static constexpr std::string_view kinds[] = {"counter", "gauge", "histogram", "summary"};
    std::string text = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
    for (metric const& one : table) {
        text.append("| `").append(one.name).append("` | ").append(kinds[static_cast<std::size_t>(one.is)]);
        std::string labels{one.labels};
        text.append(" | ")
            .append(labels.empty() ? "" : '`' + labels + '`')
            .append(" | ")
            .append(one.help)
            .append(" |\n");
    }
    return text;
}

} // namespace cnix::ipamd
