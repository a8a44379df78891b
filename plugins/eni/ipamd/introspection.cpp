#include <ipamd/introspection.hpp>
#include <ipamd/status_json.hpp>
#include <cnix/cni/json_writer.hpp>

#include <boost/beast/core/detail/base64.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <map>
#include <set>

namespace cnix::ipamd {

namespace {

using writer = cni::json_writer;

constexpr std::string_view paths[] = {"/v1/enis", "/v1/eni-configs", "/v1/ipamd-env-settings",
                                      "/v1/networkutils-env-settings"};

writer compact() { return writer{writer::layout::compact}; }

/// Go's net.IPMask: its bytes in base64.
std::string mask_of(net::prefix const& of) {
    std::array<std::uint8_t, 16> bytes{};
    for (int bit = 0; bit < of.length(); ++bit)
        bytes[static_cast<std::size_t>(bit / 8)] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
    namespace base64 = boost::beast::detail::base64;
    std::size_t const size = of.is_v4() ? 4 : 16;
    std::string text(base64::encoded_size(size), '\0');
    text.resize(base64::encode(text.data(), bytes.data(), size));
    return text;
}

/// Go's zero time, if there is none.
std::string go_time(eni::time_point when) {
    return when == eni::time_point{} ? "0001-01-01T00:00:00Z" : time_text(when);
}

void append_address(writer& json, address_view const& one) {
    json.begin_object().member("Address", one.address.text().view());
    json.key("IPAMKey").begin_object();
    json.member("networkName", one.key ? one.key->network : "")
        .member("containerID", "")
        .member("ifName", "");
    json.end_object().key("IPAMMetadata").begin_object();
    if (one.key) {
        if (!one.pod.name_space.empty()) json.member("k8sPodNamespace", one.pod.name_space);
        if (!one.pod.name.empty()) json.member("k8sPodName", one.pod.name);
        json.member("interfacesCount", one.pod.interfaces);
    }
    json.end_object();
    json.member("AssignedTime", go_time(one.assigned));
    json.member("UnassignedTime", go_time(one.released.value_or(eni::time_point{})));
    json.end_object();
}

void append_cidrs(writer& json, eni_view const& of, net::family family) {
    std::map<std::string, net::prefix> sorted; // as Go sorts the keys of maps
    for (net::prefix const& cidr : of.nic.cidrs)
        if (cidr.family() == family) sorted.emplace(cidr.str(), cidr);
    json.begin_object();
    for (auto const& [text, cidr] : sorted) {
        std::map<std::string, address_view const*> addresses;
        for (address_view const& one : of.addresses)
            if (one.cidr == cidr) addresses.emplace(one.address.str(), &one);
        json.key(text).begin_object();
        json.key("Cidr")
            .begin_object()
            .member("IP", cidr.first().text().view())
            .member("Mask", mask_of(cidr));
        json.end_object().key("IPAddresses").begin_object();
        for (auto const& [name, one] : addresses) {
            json.key(name);
            append_address(json, *one);
        }
        json.end_object();
        json.member("IsPrefix", cidr.length() < net::bits(family));
        json.member("AddressFamily", family == net::family::ipv4 ? "4" : "6").end_object();
    }
    json.end_object();
}

std::string enis(snapshot const* pool) {
    auto json = compact();
    json.begin_object();
    std::map<std::string, std::map<std::string, eni_view const*>> cards;
    if (pool)
        for (eni_view const& one : pool->enis)
            if (one.use != eni_use::unmanaged) cards[std::to_string(one.nic.network_card)][one.nic.id] = &one;
    for (auto const& [card, all] : cards) {
        eni::address_counts ipv4, ipv6;
        for (auto const& [id, one] : all)
            if (one->use != eni_use::excluded) ipv4 += one->ipv4, ipv6 += one->ipv6;
        auto const& counts = ipv4.total > 0 ? ipv4 : ipv6;
        json.key(card).begin_object().member("TotalIPs", counts.total).member("AssignedIPs", counts.assigned);
        json.key("ENIs").begin_object();
        for (auto const& [id, one] : all) {
            json.key(id).begin_object().member("ID", id).member("IsPrimary", one->is_primary());
            json.member("IsTrunk", one->trunk).member("IsEFA", one->efa_only);
            json.member("DeviceNumber", one->nic.device_number).key("AvailableIPv4Cidrs");
            append_cidrs(json, *one, net::family::ipv4);
            json.key("IPv6Cidrs");
            append_cidrs(json, *one, net::family::ipv6);
            json.member("IsExcludedForPodIPs", one->use == eni_use::excluded);
            json.member("RouteTableID", one->nic.table()).member("SubnetID", one->subnet_id).end_object();
        }
        json.end_object().end_object();
    }
    return std::move(json.end_object()).str();
}

/// Sorted, and null where there are none, as Go writes them.
void append_texts(writer& json, std::vector<net::prefix> const& all) {
    if (all.empty()) {
        json.null();
        return;
    }
    std::set<std::string> sorted;
    for (net::prefix const& one : all) sorted.insert(one.str());
    json.begin_array();
    for (std::string const& one : sorted) json.value(one);
    json.end_array();
}

std::string network_settings(eni::node_config const& node) {
    auto json = compact();
    json.begin_object().key("AWS_EXTERNAL_SERVICE_CIDRS");
    append_texts(json, node.externalServiceCIDRs);
    json.member("AWS_VPC_CNI_NODE_PORT_SUPPORT", node.nodePortSupport).member("AWS_VPC_ENI_MTU", node.mtu);
    json.member("AWS_VPC_K8S_CNI_CONNMARK", node.mark().value_or(0))
        .key("AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS");
    append_texts(json, node.excludeSNATCIDRs);
    json.member("AWS_VPC_K8S_CNI_EXTERNALSNAT", node.externalSNAT);
    // Upstream's numbers of them.
    auto const ports = node.ports().value_or(snat_ports::prng);
    json.member("AWS_VPC_K8S_CNI_RANDOMIZESNAT", ports == snat_ports::kept         ? 0
                                                 : ports == snat_ports::hashrandom ? 1
                                                                                   : 2);
    json.member("AWS_VPC_K8S_CNI_VETHPREFIX", node.vethPrefix.view());
    return std::move(json.end_object()).str();
}

std::string pool_settings_text(settings const& all) {
    auto json = compact();
    json.begin_object().member("AWS_MANAGE_ENIS_NON_SCHEDULABLE", true);
    json.member("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", false);
    json.member("ENABLE_SUBNET_DISCOVERY", all.subnet_discovery);
    json.member("WARM_ENI_TARGET", all.warm_eni_target).member("WARM_IP_TARGET", all.warm_ip_target);
    return std::move(json.end_object()).str();
}

} // namespace

std::string time_text(eni::time_point when) {
    auto const whole = std::chrono::floor<std::chrono::seconds>(when);
    std::time_t const seconds = std::chrono::system_clock::to_time_t(whole);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char date[40];
    std::string text{date, std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts)};
    if (auto const nanos = std::chrono::nanoseconds{when - whole}.count(); nanos > 0) {
        std::string digits = std::to_string(nanos);
        digits.insert(0, 9 - digits.size(), '0');
        text += '.' + digits.substr(0, digits.find_last_not_of('0') + 1);
    }
    return text + 'Z';
}

std::optional<http_page> introspect(std::string_view path, settings const& in_force, snapshot const* pool,
                                    daemon_view const& daemon) {
    http_page reply;
    if (path == "/v1/enis") {
        reply.body = enis(pool);
    } else if (path == "/v1/eni-configs") {
        return std::nullopt;
    } else if (path == "/v1/networkutils-env-settings") {
        reply.body = network_settings(in_force.node);
    } else if (path == "/v1/ipamd-env-settings") {
        reply.body = pool_settings_text(in_force);
    } else if (path == "/v1/status") {
        reply.body = status_json(pool, daemon);
    } else {
        auto json = compact();
        json.begin_object().key("AvailableCommands").begin_array();
        for (std::string_view const one : paths) json.value(one);
        reply.body = std::move(json.end_array().end_object()).str();
    }
    return reply;
}

} // namespace cnix::ipamd
