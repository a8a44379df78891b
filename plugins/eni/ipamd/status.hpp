#pragma once
#include <ipamd/settings.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace cnix::ipamd {

/// What the daemon that runs with these settings replies to /v1/status. Throws std::runtime_error that says where it was asked, why
/// there is no answer, and what to do.
std::string ask_status(settings const& in_force, std::chrono::milliseconds limit = std::chrono::seconds{10});

/// The reply as tables for a person. Throws std::runtime_error if it is none of cnix-ipamd's.
std::string status_text(std::string_view reply);

/// Whether the reply says that the daemon is ready. Throws as status_text().
bool says_ready(std::string_view reply);

/// `cnix-ipamd status [--json]`: prints the one or the other. Exit status 0 if the daemon is ready, 3 if it is not; 1, and the
/// cause on standard error, if it cannot be asked.
int run_status(settings const& in_force, bool json);

} // namespace cnix::ipamd
