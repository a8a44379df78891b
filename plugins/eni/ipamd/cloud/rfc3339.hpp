#pragma once
#include <cnix/eni/state.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace cnix::ipamd {

/// "2026-01-31T08:05:00Z", or with fractions of a second (which are dropped) or an offset. Nothing for any other text, nor
/// for years before 1970 and after 2261.
std::optional<eni::time_point> parse_rfc3339(std::string_view text);
/// In UTC, whole seconds.
std::string rfc3339(eni::time_point);

} // namespace cnix::ipamd
