#pragma once
#include <cnix/concepts/rpc_endpoint.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/config/schema.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace cnix::ipam {

/// Where releases wait that the daemon could not be told of, unless `spool` says otherwise: below the directory that upstream's
/// daemon shares with the node.
constexpr inline std::string_view default_spool = "/var/run/aws-node/cnix-spool";
/// Most seconds of `deadline`: kubelet gives all of a pod's networking 4 minutes.
constexpr inline std::uint32_t max_deadline = 120;

/// The `ipam` object of a network configuration.
struct remote_config {
    config::text type;
    std::optional<rpc::endpoint> endpoint;    ///< of the address daemon; absent: the generation's
    std::uint32_t deadline = 5;               ///< seconds for all that a verb asks the daemon
    config::text spool;                       ///< absolute path; empty: default_spool
    std::optional<rpc::endpoint> policyAgent; ///< of the network policy agent; absent: the generation's

    constexpr void check(config::checker& found) const {
        if (deadline < 1 || deadline > max_deadline)
            found.fault("deadline",
                        config::concat("a deadline of ", deadline, " seconds; it is 1 to ", max_deadline));
        if (!spool_directory().starts_with('/') || spool.view().find('\0') != std::string_view::npos)
            found.fault("spool", "`spool` must be an absolute path, such as /var/run/aws-node/cnix-spool");
    }

    constexpr std::string_view spool_directory() const {
        return spool.empty() ? default_spool : spool.view();
    }
    /// DEL goes on with a deadline that is a fault.
    constexpr std::chrono::milliseconds within() const {
        return std::chrono::seconds{std::clamp(deadline, std::uint32_t{1}, max_deadline)};
    }
};

/// Of `runtimeConfig`: the capability io.kubernetes.cri.pod-annotations.
struct remote_runtime_config {
    std::vector<config::entry<config::text>> pod_annotations;

    static constexpr std::array json_keys{
        config::renamed{"pod_annotations", "io.kubernetes.cri.pod-annotations"}};

    /// Whether the pod wants an interface of each network card (upstream's annotation).
    constexpr bool multi_nic() const {
        for (auto const& [key, value] : pod_annotations)
            if (key == "k8s.amazonaws.com/nicConfig") return value == "multi-nic-attachment";
        return false;
    }
};

} // namespace cnix::ipam

BOOST_HANA_ADAPT_STRUCT(cnix::ipam::remote_config, type, endpoint, deadline, spool, policyAgent);
BOOST_HANA_ADAPT_STRUCT(cnix::ipam::remote_runtime_config, pod_annotations);
