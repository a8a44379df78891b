#include <ipamd/setting_values.hpp>
#include <ipamd/settings.hpp>

#include <boost/algorithm/string/case_conv.hpp>

#include <array>
#include <type_traits>

namespace cnix::ipamd {

namespace {

using kind = setting::kind;
using namespace values;

constexpr std::array<std::string_view, 4> levels{"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 2> formats{"text", "json"};
constexpr std::array<std::string_view, 3> generations{"v1.7", "v1.10", "v1.20"};
constexpr std::array<std::string_view, 3> policy_modes{"none", "standard", "strict"};

/// Makes rows; `at` gives the member.
template <class At> setting boolean(setting row, At at, bool turned_round = false) {
    row.is = kind::boolean;
    row.form = "true or false";
    row.set = [=](settings& in, std::string_view text) { at(in) = read_boolean(text) != turned_round; };
    row.get = [=](settings const& in) { return at(in) != turned_round ? "true" : "false"; };
    return row;
}
template <class At> setting number(setting row, At at, int least, int most) {
    row.is = kind::number;
    row.set = [=, form = row.form](settings& in, std::string_view text) {
        using value = std::remove_reference_t<decltype(at(in))>;
        at(in) = value{read_number(text, least, most, form)};
    };
    row.get = [=](settings const& in) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(at(in))>, int>)
            return std::to_string(at(in));
        else
            return std::to_string(at(in).count());
    };
    return row;
}
/// `read` makes the value of a text that is not empty; empty is `none`'s.
template <class At, class Read> setting text(setting row, At at, Read read) {
    row.set = [=](settings& in, std::string_view value) {
        at(in) = value.empty() ? std::remove_cvref_t<decltype(at(in))>{} : read(value);
    };
    row.get = [=](settings const& in) { return std::string{at(in)}; };
    return row;
}
template <class At> setting prefixes(setting row, At at) {
    row.form = "networks with commas between them, such as 10.1.0.0/16,10.2.0.0/16";
    row.set = [=](settings& in, std::string_view value) { at(in) = read_prefixes(value); };
    row.get = [=](settings const& in) { return text_of(at(in)); };
    return row;
}
/// Of an enum that has a word for each value.
template <class At, std::size_t Size>
setting word(setting row, At at, std::array<std::string_view, Size> const& words) {
    row.set = [=, &words, form = row.form](settings& in, std::string_view value) {
        at(in) = static_cast<std::remove_reference_t<decltype(at(in))>>(read_word(value, words, form));
    };
    row.get = [=, &words](settings const& in) {
        return std::string{words[static_cast<std::size_t>(at(in))]};
    };
    return row;
}
template <class At> setting listening(setting row, At at) {
    row.form = http_address::form;
    row.set = [=, form = row.form](settings& in, std::string_view value) {
        auto const read = http_address::parse(value);
        if (!read || !is_plain(value)) write_instead(form);
        at(in) = *read;
    };
    row.get = [=](settings const& in) { return at(in).text(); };
    return row;
}

#define CNIX_MEMBER(member) [](auto& all) -> auto& { return all.member; }

std::vector<setting> make_table() {
    std::vector<setting> rows;
    auto const no_checks = [](std::string_view value) { return std::string{value}; };
    auto const word_of_upstream = [](std::string_view value) {
        return config::text{boost::to_lower_copy(std::string{value})};
    };

    std::string_view group = "pool";
    rows.push_back(number({.name = "warm-eni-target",
                           .variables = {"WARM_ENI_TARGET"},
                           .group = group,
                           .form = "a number from 0 to 100",
                           .help = "How many ENIs' worth of free addresses are kept ready. Not looked at "
                                   "where warm-ip-target or minimum-ip-target is set.",
                           .reloaded = true},
                          CNIX_MEMBER(warm_eni_target), 0, 100));
    rows.push_back(number({.name = "warm-ip-target",
                           .variables = {"WARM_IP_TARGET"},
                           .group = group,
                           .form = "a number from 0 to 100000",
                           .help = "How many free addresses are kept ready. 0: not defined.",
                           .reloaded = true},
                          CNIX_MEMBER(warm_ip_target), 0, 100'000));
    rows.push_back(number({.name = "minimum-ip-target",
                           .variables = {"MINIMUM_IP_TARGET"},
                           .group = group,
                           .form = "a number from 0 to 100000",
                           .help = "How many addresses the node has at least, in use or not. 0: not defined.",
                           .reloaded = true},
                          CNIX_MEMBER(minimum_ip_target), 0, 100'000));
    rows.push_back(
        number({.name = "warm-prefix-target",
                .variables = {"WARM_PREFIX_TARGET"},
                .group = group,
                .form = "a number from 0 to 10000",
                .help = "How many prefixes without a pod are kept ready, with enable-prefix-delegation.",
                .reloaded = true},
               CNIX_MEMBER(warm_prefix_target), 0, 10'000));
    rows.push_back(number({.name = "max-eni",
                           .variables = {"MAX_ENI"},
                           .group = group,
                           .form = "-1 for as many as the instance may have, or a number from 1 to 100",
                           .help = "How many ENIs the node may have. -1: as many as the instance may have.",
                           .reloaded = true},
                          CNIX_MEMBER(max_eni), -1, 100));
    rows.back().set = [set = rows.back().set, form = rows.back().form](settings& in, std::string_view value) {
        set(in, value);
        if (in.max_eni == 0) write_instead(form);
    };
    rows.push_back(number(
        {.name = "max-pods",
         .group = group,
         .form = "a number from 0 to 100000",
         .help = "With so many addresses the pool grows no more. 0: no other limit than the instance's.",
         .reloaded = true},
        CNIX_MEMBER(max_pods), 0, 100'000));
    rows.push_back(boolean({.name = "enable-prefix-delegation",
                            .variables = {"ENABLE_PREFIX_DELEGATION"},
                            .group = group,
                            .help = "Whether the pool of IPv4 is made of prefixes (/28) and not of single "
                                    "addresses. IPv6 is always made of prefixes (/80)."},
                           CNIX_MEMBER(prefix_delegation)));
    rows.push_back(boolean(
        {.name = "enable-ipv4",
         .variables = {"ENABLE_IPv4"},
         .group = group,
         .help = "Whether pods have IPv4 addresses. Unless it is set, they do where enable-ipv6 is false."},
        CNIX_MEMBER(node.ipv4)));
    rows.push_back(boolean({.name = "enable-ipv6",
                            .variables = {"ENABLE_IPv6"},
                            .group = group,
                            .help = "Whether pods have IPv6 addresses. Both may be true."},
                           CNIX_MEMBER(node.ipv6)));
    rows.push_back(number({.name = "ip-cooldown-period",
                           .variables = {"IP_COOLDOWN_PERIOD"},
                           .group = group,
                           .form = "a number of seconds from 0 to 86400",
                           .help = "For how many seconds nobody has an address that was given back."},
                          CNIX_MEMBER(cooldown), 0, 86'400));
    rows.push_back(boolean({.name = "enable-subnet-discovery",
                            .variables = {"ENABLE_SUBNET_DISCOVERY"},
                            .group = group,
                            .help = "Whether new ENIs may be in other subnets than the primary one's: those "
                                    "with the tag kubernetes.io/role/cni."},
                           CNIX_MEMBER(subnet_discovery)));
    rows.push_back(boolean({.name = "disable-network-resource-provisioning",
                            .variables = {"DISABLE_NETWORK_RESOURCE_PROVISIONING"},
                            .group = group,
                            .help = "Whether the node's ENIs and addresses are left as they are."},
                           CNIX_MEMBER(provisioning), true));
    rows.push_back(
        boolean({.name = "disable-leaked-eni-cleanup",
                 .variables = {"DISABLE_LEAKED_ENI_CLEANUP"},
                 .group = group,
                 .help = "Whether ENIs of this cluster that no instance has are left where they are.",
                 .reloaded = true},
                CNIX_MEMBER(leaked_eni_cleanup), true));
    rows.push_back(boolean({.name = "manage-untagged-eni",
                            .variables = {"MANAGE_UNTAGGED_ENI"},
                            .group = group,
                            .help = "Whether pods get addresses of ENIs that nobody has tagged. One with the "
                                    "tag node.k8s.amazonaws.com/no_manage=true is never used."},
                           CNIX_MEMBER(manage_untagged_eni)));
    rows.push_back(boolean({.name = "enable-multi-nic",
                            .variables = {"ENABLE_MULTI_NIC"},
                            .group = group,
                            .help = "Whether ENIs of other network cards than the first are used."},
                           CNIX_MEMBER(multi_nic)));
    rows.push_back(
        text({.name = "backing-store",
              .variables = {"AWS_VPC_K8S_CNI_BACKING_STORE"},
              .group = group,
              .form = "an absolute path",
              .help = "The file that has the pods' addresses across restarts, in upstream's format."},
             CNIX_MEMBER(backing_store), [](std::string_view value) { return read_path(value); }));
    rows.back().set = [](settings& in, std::string_view value) { in.backing_store = read_path(value); };

    group = "node";
    rows.push_back(boolean(
        {.name = "external-snat",
         .variables = {"AWS_VPC_K8S_CNI_EXTERNALSNAT"},
         .group = group,
         .help =
             "Whether nothing is translated on the node: a NAT gateway does, or everybody knows the pods.",
         .reloaded = true},
        CNIX_MEMBER(node.externalSNAT)));
    rows.push_back(prefixes({.name = "exclude-snat-cidrs",
                             .variables = {"AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS"},
                             .group = group,
                             .help = "More networks to which nothing is translated, besides the VPC's.",
                             .reloaded = true},
                            CNIX_MEMBER(node.excludeSNATCIDRs)));
    rows.push_back(text({.name = "randomize-snat",
                         .variables = {"AWS_VPC_K8S_CNI_RANDOMIZESNAT"},
                         .group = group,
                         .form = "prng, hashrandom or none",
                         .help = "How a translated connection's port is chosen.",
                         .reloaded = true},
                        CNIX_MEMBER(node.randomizeSNAT), word_of_upstream));
    rows.push_back(boolean(
        {.name = "node-port-support",
         .variables = {"AWS_VPC_CNI_NODE_PORT_SUPPORT"},
         .group = group,
         .help = "Whether what comes in by the primary ENI is answered by it, also by pods of another ENI.",
         .reloaded = true},
        CNIX_MEMBER(node.nodePortSupport)));
    rows.push_back(text({.name = "connmark",
                         .variables = {"AWS_VPC_K8S_CNI_CONNMARK"},
                         .group = group,
                         .form = "a number, hexadecimal or decimal",
                         .help = "Bits of packets' and connections' marks that are the node's."},
                        CNIX_MEMBER(node.connmark),
                        [](std::string_view value) { return config::text{value}; }));
    rows.push_back(prefixes({.name = "external-service-cidrs",
                             .variables = {"AWS_EXTERNAL_SERVICE_CIDRS"},
                             .group = group,
                             .help = "What goes there leaves by the primary ENI.",
                             .reloaded = true},
                            CNIX_MEMBER(node.externalServiceCIDRs)));
    rows.push_back(number({.name = "eni-mtu",
                           .variables = {"AWS_VPC_ENI_MTU"},
                           .group = group,
                           .form = "a number from 576, with IPv6 1280, to 9001",
                           .help = "The MTU of the ENIs. The pods' is the plugin's.",
                           .reloaded = true},
                          CNIX_MEMBER(node.mtu), 576, 9001));
    rows.push_back(text({.name = "veth-prefix",
                         .variables = {"AWS_VPC_K8S_CNI_VETHPREFIX"},
                         .group = group,
                         .form = "1 to 4 letters and digits, but not eth, lo or vlan",
                         .help = "What pods' interfaces are called on the node. As the plugin's vethPrefix."},
                        CNIX_MEMBER(node.vethPrefix),
                        [](std::string_view value) { return config::text{value}; }));
    rows.push_back(boolean({.name = "disable-tcp-early-demux",
                            .variables = {"DISABLE_TCP_EARLY_DEMUX"},
                            .group = group,
                            .help = "The sysctl net.ipv4.tcp_early_demux, turned round."},
                           CNIX_MEMBER(node.tcpEarlyDemux), true));
    rows.push_back(boolean(
        {.name = "enable-v4-egress",
         .variables = {"ENABLE_V4_EGRESS"},
         .group = group,
         .help = "With IPv6 only: whether upstream's egress plugin gives pods node-local IPv4 addresses."},
        CNIX_MEMBER(v4_egress)));
    rows.push_back(boolean({.name = "enable-v6-egress",
                            .variables = {"ENABLE_V6_EGRESS"},
                            .group = group,
                            .help = "With IPv4 only: whether it gives them node-local IPv6 addresses."},
                           CNIX_MEMBER(v6_egress)));

    group = "server";
    rows.push_back(text({.name = "socket",
                         .group = group,
                         .form = "an absolute path of at most 107 bytes",
                         .help = "Where plugins of v1.20 and later ask."},
                        CNIX_MEMBER(socket), no_checks));
    rows.back().set = [](settings& in, std::string_view value) { in.socket = read_socket(value); };
    rows.push_back(setting{.name = "tcp",
                           .group = group,
                           .form = "a loopback address and a port, such as 127.0.0.1:50051",
                           .help = "Where plugins of tcp-generation ask besides. Empty: nowhere.",
                           .set =
                               [](settings& in, std::string_view value) {
                                   in.tcp = value.empty() ? std::nullopt : rpc::endpoint::parse(value);
                                   if (value.empty()) return;
                                   // There is no other guard before it than that only the node reaches it.
                                   if (!in.tcp || in.tcp->is_unix() || !in.tcp->address().is_loopback())
                                       write_instead(
                                           "a loopback address and a port, such as 127.0.0.1:50051");
                               },
                           .get = [](settings const& in) { return in.tcp ? in.tcp->str() : ""; }});
    rows.push_back(word({.name = "tcp-generation",
                         .group = group,
                         .form = "v1.7, v1.10 or v1.20",
                         .help = "The protocol of the plugins that ask there: v1.7 for v1.7 to v1.9, v1.10 "
                                 "for v1.10 to v1.19, v1.20 for later ones."},
                        CNIX_MEMBER(tcp_generation), generations));
    rows.push_back(
        text({.name = "spool",
              .group = group,
              .form = "an absolute path",
              .help = "The directory in which the plugin leaves releases while the daemon is away. "
                      "As the plugin's spool."},
             CNIX_MEMBER(spool), no_checks));
    rows.back().set = [](settings& in, std::string_view value) { in.spool = read_path(value); };
    rows.push_back(
        text({.name = "network-policy-enforcing-mode",
              .variables = {"NETWORK_POLICY_ENFORCING_MODE"},
              .group = group,
              .form = "none, standard or strict",
              .help = "What plugins are told to ask the network policy agent for. Empty: they ask none."},
             CNIX_MEMBER(network_policy_mode), [](std::string_view value) {
                 return std::string{policy_modes[read_word(value, policy_modes, "none, standard or strict")]};
             }));

    group = "cloud";
    auto const url = [](std::string_view value) { return read_url(value); };
    std::string_view const url_form = "http:// or https://, and a host";
    rows.push_back(text({.name = "imds-endpoint",
                         .variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT"},
                         .group = group,
                         .form = url_form,
                         .help = "The instance metadata. Empty: http://169.254.169.254."},
                        CNIX_MEMBER(imds_endpoint), url));
    rows.push_back(text({.name = "ec2-endpoint",
                         .variables = {"AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL", "AWS_EC2_ENDPOINT"},
                         .group = group,
                         .form = url_form,
                         .help = "EC2's API. Empty: the region's."},
                        CNIX_MEMBER(ec2_endpoint), url));
    rows.push_back(text({.name = "sts-endpoint",
                         .variables = {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"},
                         .group = group,
                         .form = url_form,
                         .help = "Where a web identity's credentials are from. Empty: the region's."},
                        CNIX_MEMBER(sts_endpoint), url));
    rows.push_back(text({.name = "region",
                         .variables = {"AWS_REGION", "AWS_DEFAULT_REGION"},
                         .group = group,
                         .form = "a name such as eu-central-1",
                         .help = "The cloud's region. Empty: as the metadata says."},
                        CNIX_MEMBER(region), [](std::string_view value) {
                            if (value.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") !=
                                value.npos)
                                write_instead("a name such as eu-central-1");
                            return std::string{value};
                        }));
    rows.push_back(number({.name = "http-timeout",
                           .variables = {"HTTP_TIMEOUT"},
                           .group = group,
                           .form = "a number of seconds from 1 to 300",
                           .help = "How many seconds a call of EC2's API may take."},
                          CNIX_MEMBER(http_timeout), 1, 300));
    rows.push_back(text({.name = "cluster-name",
                         .variables = {"CLUSTER_NAME"},
                         .group = group,
                         .form = "a text of at most 256 bytes",
                         .help = "ENIs are tagged with it. Without it leaked ones are not cleaned up."},
                        CNIX_MEMBER(cluster_name), [](std::string_view value) {
                            if (value.size() > 256 || !is_plain(value))
                                write_instead("a text of at most 256 bytes");
                            return std::string{value};
                        }));
    rows.push_back(setting{.name = "additional-eni-tags",
                           .variables = {"ADDITIONAL_ENI_TAGS"},
                           .group = group,
                           .form = R"(a JSON object of texts, such as {"team":"web"})",
                           .help = "Tags of ENIs that are made, besides the daemon's own.",
                           .set =
                               [](settings& in, std::string_view value) {
                                   in.tags = value.empty() ? decltype(in.tags){} : read_tags(value);
                               },
                           .get = [](settings const& in) { return text_of(in.tags); }});

    group = "observation";
    rows.push_back(boolean({.name = "disable-metrics",
                            .variables = {"DISABLE_METRICS"},
                            .group = group,
                            .help = "Whether no metrics are served."},
                           CNIX_MEMBER(serve_metrics), true));
    rows.push_back(listening(
        {.name = "metrics-bind-address", .group = group, .help = "Where metrics are served, at /metrics."},
        CNIX_MEMBER(metrics)));
    rows.push_back(boolean({.name = "disable-introspection",
                            .variables = {"DISABLE_INTROSPECTION"},
                            .group = group,
                            .help = "Whether the state is not shown. `cnix-ipamd status` needs it."},
                           CNIX_MEMBER(serve_introspection), true));
    rows.push_back(listening({.name = "introspection-bind-address",
                              .variables = {"INTROSPECTION_BIND_ADDRESS"},
                              .group = group,
                              .help = "Where the state is shown."},
                             CNIX_MEMBER(introspection)));
    rows.push_back(word({.name = "log-level",
                         .variables = {"AWS_VPC_K8S_CNI_LOGLEVEL"},
                         .group = group,
                         .form = "debug, info, warn or error",
                         .help = "What is logged: this, and what is worse.",
                         .reloaded = true},
                        CNIX_MEMBER(log_level), levels));
    rows.back().set = [set = rows.back().set](settings& in, std::string_view value) {
        set(in, boost::to_lower_copy(std::string{value}) == "fatal" ? "error" : value); // upstream's
    };
    rows.push_back(text({.name = "log-file",
                         .variables = {"AWS_VPC_K8S_CNI_LOG_FILE"},
                         .group = group,
                         .form = "stderr, stdout or an absolute path",
                         .help = "Where it is logged. A file is opened anew on SIGHUP, so that it can be "
                                 "rotated. To the journal, stderr gives each line's level, too."},
                        CNIX_MEMBER(log_file), no_checks));
    rows.back().set = [form = rows.back().form](settings& in, std::string_view value) {
        auto const stream = boost::to_lower_copy(std::string{value});
        if (stream == "stderr" || stream == "stdout") {
            in.log_file = stream;
        } else {
            if (!value.starts_with('/') || !is_plain(value)) write_instead(form);
            in.log_file = value;
        }
    };
    rows.push_back(word({.name = "log-format",
                         .group = group,
                         .form = "text or json",
                         .help = "How: a line of text, or one of JSON."},
                        CNIX_MEMBER(log_format), formats));
    return rows;
}

#undef CNIX_MEMBER

} // namespace

std::span<setting const> settings_table() {
    static std::vector<setting> const table = make_table();
    return table;
}

} // namespace cnix::ipamd
