#pragma once
#include <ipamd/settings.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

/// The daemon's log: a line an entry, of text or of JSON, whatever bytes a message has. From any thread.
///
///     2026-11-23T08:40:21.123456Z warn cloud: no answer api=AssignPrivateIpAddresses eni=eni-1
///     {"time":"2026-11-23T08:40:21.123456Z","level":"warn","message":"cloud: no answer","api":...,"eni":"eni-1"}
namespace cnix::ipamd {

/// What an entry says besides its message: `pod=default/nginx`.
struct log_field {
    std::string_view key; ///< a word
    std::string value;
};

/// From here on entries go where the settings say; until then to stderr as text. On SIGHUP once more: the level may be another,
/// and the file may have been renamed. Standard error that leads to the journal (JOURNAL_STREAM of systemd.exec(5)) has entries
/// without a time, which the journal notes itself, and with the level in the form of sd-daemon(3). Throws std::system_error if
/// the file cannot be opened; then nothing changes.
void start_log(settings const& how);

/// Whether entries of the level are written, for entries that cost something to make.
bool is_logged(log_level level);
void log(log_level level, std::string_view message, std::initializer_list<log_field> fields = {});

inline void log_debug(std::string_view message, std::initializer_list<log_field> fields = {}) {
    log(log_level::debug, message, fields);
}
inline void log_info(std::string_view message, std::initializer_list<log_field> fields = {}) {
    log(log_level::info, message, fields);
}
inline void log_warn(std::string_view message, std::initializer_list<log_field> fields = {}) {
    log(log_level::warn, message, fields);
}
inline void log_error(std::string_view message, std::initializer_list<log_field> fields = {}) {
    log(log_level::error, message, fields);
}

} // namespace cnix::ipamd
