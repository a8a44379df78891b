#pragma once
#include <cnix/cni/identifier.hpp>

#include <string>
#include <vector>

namespace cnix::cni {

enum class verb { add, del, check, gc, status, version };

/// What the container runtime sent: the environment and stdin, validated as far as the verb's table asks
/// (CNI spec 1.1.0, "Parameters"); request_from_environment() makes it.
struct request {
    cni::verb verb = cni::verb::version;
    std::string container_id;      ///< valid where the verb requires it
    std::string netns;             ///< CNI_NETNS; may be empty on DEL
    std::string interface;         ///< CNI_IFNAME; valid where the verb requires it
    std::string args;              ///< CNI_ARGS, not yet split
    std::vector<std::string> path; ///< CNI_PATH, split at ':'
    bool netns_override = false;   ///< CNI_NETNS_OVERRIDE: the pod may share the plugin's namespace
    std::string config;            ///< stdin, unchanged
    std::string version;           ///< the configuration's cniVersion, "0.1.0" if it has none
    std::string network;           ///< the configuration's name
};

} // namespace cnix::cni
