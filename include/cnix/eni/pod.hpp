#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/config/text.hpp>
#include <cnix/net/interface_name.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <string>
#include <string_view>

namespace cnix::eni {

/// What Kubernetes says of the pod in CNI_ARGS. All empty where something else runs the plugin.
struct pod_args {
    config::text K8S_POD_NAME{};
    config::text K8S_POD_NAMESPACE{};
    config::text K8S_POD_INFRA_CONTAINER_ID{}; ///< the container ID once more
    config::text K8S_POD_UID{};

    /// podman gives a name, too, but no namespace.
    bool of_kubernetes() const { return !K8S_POD_NAME.empty() && !K8S_POD_NAMESPACE.empty(); }
};

/// Hex digits of SHA-1 that names of interfaces have.
constexpr inline std::size_t name_digits = 11;

/// The first 11 hex digits of the SHA-1 of "NAMESPACE.NAME", for the pod's interfaces after the first with ".1", ".2"... behind:
/// what network policy agents find a pod's host end by (upstream's and Calico's). Without a pod's name, of the attachment's
/// digest, so that two containers of no pod have two names.
std::string pod_digest(pod_args const& pod, cni::attachment_id const& attachment, std::size_t interface = 0);

/// The name of the host end: `prefix` has at most 4 bytes, so it fits IFNAMSIZ.
net::interface_name host_end_name(std::string_view prefix, pod_args const& pod,
                                  cni::attachment_id const& attachment, std::size_t interface = 0);

/// The name of the pod's interface: CNI_IFNAME for the first.
net::interface_name pod_end_name(cni::attachment_id const& attachment, std::size_t interface);

/// Whether it is pod_end_name() of an interface after the first.
bool is_further_interface(std::string_view name);

} // namespace cnix::eni

BOOST_HANA_ADAPT_STRUCT(cnix::eni::pod_args, K8S_POD_NAME, K8S_POD_NAMESPACE, K8S_POD_INFRA_CONTAINER_ID,
                        K8S_POD_UID);

#ifndef CNIX_PREBUILT
#include <cnix/eni/pod.ipp>
#endif
