#pragma once
#include <ipamd/cloud/reply.hpp>

namespace cnix::ipamd {

/// What an error code of EC2's or STS's means; of a reply without one, what its HTTP status does.
trouble trouble_of(int status, std::string_view code) noexcept;

/// Whether fresh credentials may help: those that the call was signed with have ended, or are not known (any more).
bool is_about_credentials(std::string_view code) noexcept;

/// The error of a reply that is not 200. `call` is for the message: "EC2's DetachNetworkInterface of eni-1".
cloud_error refusal(std::string const& action, std::string const& call, int status, std::string_view body);

} // namespace cnix::ipamd
