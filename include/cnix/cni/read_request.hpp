#pragma once
#include <cnix/cni/request.hpp>

#include <functional>
#include <string>

namespace cnix::cni {

namespace detail {
void validate_container_id(std::string const& id);
void validate_interface(std::string const& name);
} // namespace detail

/// Whether CNI_NETNS_OVERRIDE, `value`, says that a pod may share the plugin's network namespace.
bool allows_own_netns(std::string const& value);

/// What the runtime asks for.
///
/// `environment(name)` is a variable's value, empty if it is not set; `input()` is all of standard input, and
/// is not called for VERSION. Throws cni::error with the first fault in the order of containernetworking/cni:
/// each variable that the verb requires and that is set, then the ones that are missing, the network's name,
/// CNI_COMMAND itself, the version.
request read_request(std::function<std::string(char const*)> const& environment,
                     std::function<std::string()> const& input);

/// The process's environment, for read_request().
std::string environment_variable(char const* name);

/// The text of a network configuration, up to its end. Throws error, code 5, if it cannot be read or is longer than
/// config::max_size.
std::string read_configuration(int descriptor, std::string const& name);

/// All of standard input, for read_request(); not more than config::max_size.
std::string standard_input();

} // namespace cnix::cni

#ifndef CNIX_PREBUILT
#include <cnix/cni/read_request.ipp>
#endif
