#pragma once
#include <ipamd/http_server.hpp>
#include <ipamd/settings.hpp>
#include <ipamd/snapshot.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::ipamd {

/// What status shows of the daemon besides the pool.
struct daemon_view {
    std::string program{};
    std::string version{};
    eni::time_point started{};
    bool ready = false;
    std::vector<std::string> troubles{}; ///< what does not work now: "metrics: cannot serve ... in use"
    std::size_t spooled = 0;             ///< releases that wait in the spool
};

/// The state as JSON. Upstream's paths have its members, byte for byte as Go writes them (v1.23, which leaves out whose container
/// it is); what is unknown leads to the list of them, as there:
///
///     /                               /v1/enis               by network card: the ENIs, their addresses, and who has them
///     /v1/eni-configs (404: there are none)
///     /v1/networkutils-env-settings   /v1/ipamd-env-settings
///
/// /v1/status is ours: all that there is, for `cnix-ipamd status`. Without a snapshot (null) the pool is empty.
std::optional<http_page> introspect(std::string_view path, settings const& in_force, snapshot const* pool,
                                    daemon_view const& daemon);

/// As /v1/status has it: "2023-11-14T22:13:20Z", with a fraction if there is one.
std::string time_text(eni::time_point when);

} // namespace cnix::ipamd
