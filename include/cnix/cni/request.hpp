#pragma once
#include <cnix/cni/verb.hpp>
#include <cnix/cni/version.hpp>

#include <string>
#include <vector>

namespace cnix::cni {

/// What the container runtime sent: the environment and stdin, validated as far as the verb's table asks
/// (CNI spec 1.1.0, "Parameters"); read_request() makes it.
struct request {
    cni::verb verb = cni::verb::version;
    std::string container_id;      ///< valid where the verb requires it
    std::string netns;             ///< CNI_NETNS; may be empty on DEL
    std::string interface;         ///< CNI_IFNAME; valid where the verb requires it
    std::string args;              ///< CNI_ARGS, not yet split
    std::vector<std::string> path; ///< CNI_PATH split at ':', without empty elements
    bool netns_override = false;   ///< CNI_NETNS_OVERRIDE: the pod may share the plugin's namespace
    std::string config;            ///< stdin, unchanged
    cni::version version;          ///< the configuration's cniVersion
    std::string network;           ///< the configuration's name; valid, but for VERSION
};

} // namespace cnix::cni
