#pragma once
#include <ipamd/pod_repair.hpp>
#include <ipamd/provider.hpp>
#include <ipamd/settings.hpp>
#include <cnix/eni/node_config.hpp>

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

/// The daemon without its policies, so that it is compiled once. cnix::eni::ipamd (ipamd.hpp) gives it the policies.
namespace cnix::ipamd {

/// A Provider. Its functions are called by one thread, its construction included.
struct cloud_port {
    std::string_view name;
    bool changes = false;
    std::function<cloud_node(bool verify, std::stop_token)> look{};
    // Where it `changes`; provider_policy
    std::function<instance_limits(std::stop_token)> limits{};
    std::function<std::vector<net::prefix>(eni::network_interface const&, kind, int, std::stop_token)>
        assign{};
    std::function<void(std::string const&, std::span<net::prefix const>, std::stop_token)> unassign{};
    std::function<cloud_eni(std::span<portion const>, int, std::stop_token)> attach{};
    std::function<void(std::string const&, std::stop_token)> detach{};
    std::function<std::size_t(cloud_node const&, std::stop_token)> follow_security_groups{};
    std::function<std::size_t(std::stop_token)> clean_leaked{};
};

/// What came of a look at the node's own routing, SNAT and sysctls.
struct node_repair {
    findings repaired{};                         ///< what was not as it should be, and is now
    std::map<std::string, std::string> absent{}; ///< ENIs whose interface is not there, by ID, and why
};

/// The kernel, by a Netlink and a Nat. Called by one thread.
struct kernel_port {
    std::function<node_repair(eni::node_config const&, std::vector<eni::network_interface> const&)>
        repair_node{};
    /// repair_pods(); `hold` as there.
    std::function<findings(std::vector<placed_interface> const&,
                           std::function<std::shared_ptr<void>(eni::pod_key const&)> const& hold)>
        repair_pods{};
    std::function<pod_traces()> traces{};
};

/// Makes the Provider. Called in the cloud's thread, and again after it has thrown.
using make_cloud = std::function<cloud_port(provider_settings)>;

/// The whole program: reads the settings, and serves until SIGTERM or SIGINT, or does what else is asked for. Returns the exit
/// status: 0, also after SIGTERM; 2 for settings that are wrong; 1 for what else fails.
int run(program const&, std::vector<std::string> const& arguments, make_cloud, kernel_port);

} // namespace cnix::ipamd
