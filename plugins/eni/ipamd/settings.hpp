#pragma once
#include <ipamd/http_address.hpp>
#include <cnix/concepts/rpc_endpoint.hpp>
#include <cnix/eni/node_config.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::ipamd {

enum class log_level { debug, info, warn, error };
enum class log_format { text, json };
/// The protocol of which releases of upstream's plugin.
enum class rpc_generation { v1_7, v1_10, v1_20 };

/// What the daemon is told. docs/ipamd.md has each, as settings_table() does.
struct settings {
    // The pool
    int warm_eni_target = 1;
    int warm_ip_target = 0; ///< 0: not defined
    int minimum_ip_target = 0;
    int warm_prefix_target = 1;
    int max_eni = -1; ///< -1: as many as the instance may have
    int max_pods = 0; ///< 0: as many as the instance may have addresses
    bool prefix_delegation = false;
    std::chrono::seconds cooldown{30};
    bool subnet_discovery = true;
    bool provisioning = true; ///< whether ENIs and addresses are added and given back
    bool leaked_eni_cleanup = true;
    bool manage_untagged_eni = true;
    bool multi_nic = false;
    std::string backing_store = "/var/run/aws-node/ipam.json";
    // The node. Its `vpcCIDRs` are the cloud's.
    eni::node_config node{};
    bool v4_egress = true; ///< of pods with IPv6 only; `node` says whether there are any
    bool v6_egress = false;
    // The server
    std::string socket = "/var/run/aws-node/ipamd.sock";
    std::optional<rpc::endpoint> tcp{}; ///< loopback
    rpc_generation tcp_generation = rpc_generation::v1_10;
    std::string spool = "/var/run/aws-node/cnix-spool";
    std::string network_policy_mode{}; ///< empty: plugins ask no agent
    // The cloud. Empty: as the metadata, the environment and the region say.
    std::string imds_endpoint{};
    std::string ec2_endpoint{};
    std::string sts_endpoint{};
    std::string region{};
    std::chrono::seconds http_timeout{10};
    std::string cluster_name{};
    std::vector<std::pair<std::string, std::string>> tags{}; ///< of ENIs that are made; by key
    // What is seen from outside
    bool serve_metrics = true;
    http_address metrics{{}, {}, 61678};
    bool serve_introspection = true;
    http_address introspection{{}, net::address::v4(0x7f000001), 61679};
    ipamd::log_level log_level = ipamd::log_level::info;
    ipamd::log_format log_format = ipamd::log_format::text;
    std::string log_file = "stderr"; ///< or "stdout", or a path
};

/// One of the settings: what flags, environment, file, --print-config and documentation are made of.
struct setting {
    enum class kind { boolean, number, text };

    std::string_view name;                     ///< of the flag without its `--`, and in the file
    std::vector<std::string_view> variables{}; ///< the first that is set counts; upstream's names
    std::string_view group{};
    kind is = kind::text;
    std::string_view form{}; ///< what a value is: "a number from 0 to 1000"
    std::string_view help{}; ///< of sentences
    bool reloaded = false;   ///< whether SIGHUP changes it
    /// Throws std::invalid_argument if it is none.
    std::function<void(settings&, std::string_view)> set{};
    /// What set() takes; "true" or "false", a number, or any text.
    std::function<std::string(settings const&)> get{};
};
/// By group, in the order of the documentation.
std::span<setting const> settings_table();

/// Where a value is from.
struct origin {
    enum class kind { built_in, file, environment, flag };
    kind is = kind::built_in;
    std::string where{}; ///< "--mtu", "AWS_VPC_ENI_MTU", "/etc/cnix/ipamd.toml:3"
};

/// Some settings are wrong: what() has a line for each that names the flag, the variable or the file's line, says what is wrong
/// with the value, and what would be right.
struct settings_error : std::runtime_error {
    using runtime_error::runtime_error;
};

using environment = std::map<std::string, std::string>;
environment this_environment();

/// Which program it is.
struct program {
    std::string_view name = "cnix-ipamd";
    bool changes = true; ///< false: it never calls EC2
    /// Read if it is there, unless --config names another, which must be there.
    std::string_view config = "/etc/cnix/ipamd.toml";
};

/// What the program was started with.
struct command_line {
    enum class verb { serve, status, print_config, help, version };

    verb what = verb::serve;
    bool json = false; ///< of status
    settings values{};
    std::map<std::string_view, origin> from{}; ///< of what is not built in, by name
    std::vector<std::string> warnings{};       ///< to be logged

    std::vector<std::pair<std::string, std::string>> flags{}; ///< for reload()
    std::optional<std::string> file{};                        ///< that was read, or would be
};

/// Flags come before the environment, that before the file, that before what is built in. Throws settings_error.
command_line read_command_line(program const&, std::vector<std::string> const& arguments, environment const&);

/// What SIGHUP makes of it: the file read anew, and of that what can change while the daemon runs. `warnings` name what else has
/// changed, and waits for a restart. Throws settings_error; then everything stays as it is.
command_line reload(program const&, command_line const& before, environment const&);

/// What is in force, in the file's format: what --print-config prints. Read as a file, it gives the same settings.
std::string config_text(command_line const&);

/// What --help prints.
std::string help_text(program const&);

/// The settings of a group as a table of Markdown, for docs/ipamd.md.
std::string documentation_table(std::string_view group);

} // namespace cnix::ipamd
