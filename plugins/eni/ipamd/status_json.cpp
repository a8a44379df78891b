#include <ipamd/status_json.hpp>
#include <cnix/cni/json_writer.hpp>

namespace cnix::ipamd {

namespace {

using writer = cni::json_writer;

/// As much of a container's ID as tells it from others.
constexpr std::size_t shown_of_id = 12;

void append_owner(writer& json, eni::pod_key const& key, eni::pod_metadata const& pod) {
    json.member("namespace", pod.name_space).member("pod", pod.name).member("network", key.network);
    json.member("container", std::string_view{key.container}.substr(0, shown_of_id))
        .member("interface", key.interface);
}

void append_counts(writer& json, eni::address_counts const& of) {
    json.begin_object()
        .member("total", of.total)
        .member("assigned", of.assigned)
        .member("cooling", of.cooling);
    json.member("free", of.free()).end_object();
}

void append_address(writer& json, address_view const& one) {
    json.begin_object().member("address", one.address.text().view());
    if (one.cidr != net::prefix{}) json.member("of", one.cidr.text().view());
    json.member("state", one.is_quarantined() ? "quarantined"
                         : one.key            ? "assigned"
                         : one.cooling_until  ? "cooling"
                                              : "free");
    if (one.key) append_owner(json, *one.key, one.pod);
    if (one.assigned != eni::time_point{}) json.member("since", time_text(one.assigned));
    if (one.released) json.member("released", time_text(*one.released));
    if (one.cooling_until) json.member("until", time_text(*one.cooling_until));
    json.end_object();
}

void append_eni(writer& json, eni_view const& one) {
    json.begin_object().member("id", one.nic.id).member("device", one.nic.device_number);
    json.member("card", one.nic.network_card).member("mac", one.nic.mac.text().view());
    json.member("subnet", one.subnet_id).member("primary", one.is_primary()).member("use", name(one.use));
    json.member("why", one.why);
    if (one.since != eni::time_point{}) json.member("since", time_text(one.since));
    std::size_t prefixes = 0;
    for (net::prefix const& cidr : one.nic.cidrs) prefixes += cidr.length() < net::bits(cidr.family());
    json.member("prefixes", prefixes).key("ipv4");
    append_counts(json, one.ipv4);
    json.key("ipv6");
    append_counts(json, one.ipv6);
    json.key("addresses").begin_array();
    for (address_view const& address : one.addresses) append_address(json, address);
    json.end_array().end_object();
}

void append_pool(writer& json, snapshot const& of) {
    json.key("pool").begin_object().member("known", of.known).member("pods", of.pods);
    json.member("most_enis", of.most_enis).member("prefixes", of.prefixes).key("ipv4");
    append_counts(json, of.ipv4);
    json.key("ipv6");
    append_counts(json, of.ipv6);
    json.member("growth", of.growth).member("under_way", of.under_way).member("last_error", of.last_error);
    if (of.paused_until && *of.paused_until > of.now)
        json.member("paused_until", time_text(*of.paused_until));
    json.member("waiting", of.waiting_count)
        .member("unsaved", of.unsaved)
        .member("disk_error", of.disk_error);
    json.end_object().key("enis").begin_array();
    for (eni_view const& one : of.enis) append_eni(json, one);
    json.end_array().key("quarantined").begin_array();
    for (address_view const& one : of.quarantined) append_address(json, one);
    json.end_array().key("waiting").begin_array();
    for (waiting_view const& one : of.waiting) {
        json.begin_object();
        append_owner(json, one.key, one.pod);
        json.member("since", time_text(one.since))
            .member("until", time_text(one.deadline))
            .member("why", one.why);
        json.end_object();
    }
    json.end_array();
}

} // namespace

std::string status_json(snapshot const* pool, daemon_view const& daemon) {
    writer json{writer::layout::compact};
    json.begin_object().member("program", daemon.program).member("version", daemon.version);
    if (pool) json.member("now", time_text(pool->now));
    json.member("started", time_text(daemon.started)).member("ready", daemon.ready);
    json.key("troubles").begin_array();
    for (std::string const& one : daemon.troubles) json.value(one);
    json.end_array().member("spooled", daemon.spooled);
    if (pool) append_pool(json, *pool);
    return std::move(json.end_object()).str();
}

} // namespace cnix::ipamd
