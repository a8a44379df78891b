#pragma once
#include <cnix/sys/errors.hpp>
#include <cnix/sys/fd.hpp>
#include <cnix/sys/file_kind.hpp>

#include <cstddef>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <utility>

namespace cnix::sys {

/// All of a file that a user wrote; symbolic links are followed. `note` follows its path in the message: " (`resolvConf`)".
/// Throws std::system_error if it cannot be read, is no regular file (EINVAL), or has more than `limit` bytes (EFBIG).
inline std::string read_file(std::string const& path, std::size_t limit, std::string const& note = {}) {
    auto const fail = [&](int error, char const* what) {
        throw_errno(error, std::string{what} + " the file \"" + path + '"' + note);
    };
    fd const file = try_open(path, O_RDONLY | O_NONBLOCK); // a FIFO must not stop us
    struct stat status{};
    if (!file) {
        int const error = errno;
        if (error != ENXIO || ::stat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode))
            fail(error, "open");
    } else if (::fstat(file.get(), &status) != 0) {
        fail(errno, "read");
    }
    if (!S_ISREG(status.st_mode))
        throw_errno(EINVAL, "read the file \"" + path + '"' + note + ", which is " +
                                file_kind(status.st_mode) +
                                ", not a regular file; put one there, or name another");
    auto content = read_up_to(file, limit, static_cast<std::size_t>(status.st_size));
    if (!content) fail(errno, "read");
    if (content->size() > limit) fail(EFBIG, "read");
    return std::move(*content);
}

} // namespace cnix::sys
