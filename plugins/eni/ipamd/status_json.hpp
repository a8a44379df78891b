#pragma once
#include <ipamd/introspection.hpp>
#include <ipamd/snapshot.hpp>

#include <string>

namespace cnix::ipamd {

/// What /v1/status replies. `pool` may be null. Members may come in later versions; those that are there stay.
std::string status_json(snapshot const* pool, daemon_view const& daemon);

} // namespace cnix::ipamd
