#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

namespace cnix::ipamd {

/// The public endpoint of a service ("ec2", "sts") in a region, in whichever partition that is. `dual_stack`: the one that has
/// IPv6 addresses, too.
std::string endpoint_of(std::string_view service, std::string_view region, bool dual_stack = false);

/// Whether AWS_USE_DUALSTACK_ENDPOINT asks for it.
bool wants_dual_stack();

/// The environment's variable, empty if there is none.
std::string environment(char const* name);
/// Of the first of the variables that is not empty; empty if none is.
std::string environment(std::initializer_list<char const*> names);

} // namespace cnix::ipamd
