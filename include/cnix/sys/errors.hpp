#pragma once
#include <cerrno>
#include <string>
#include <system_error>

namespace cnix::sys {

/// Throws std::system_error: code() is the errno value `error`, what() is `text` ("open the file \"/x\"")
/// followed by the error's own text.
[[noreturn]] inline void throw_errno(int error, std::string const& text) {
    throw std::system_error{error, std::generic_category(), text};
}

/// The same with errno as it is when the call is made. `text` must not be the result of a call that can
/// change errno.
[[noreturn]] inline void throw_errno(std::string const& text) { throw_errno(errno, text); }

} // namespace cnix::sys
