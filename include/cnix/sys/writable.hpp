#pragma once
#include <cnix/sys/fd.hpp>

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <string>
#include <system_error>
#include <unistd.h>

namespace cnix::sys {

/// Why no file could be created in the directory `path`, or in what of it exists, by writing an unnamed file
/// there, which leaves nothing. Nothing if one could. `path` is absolute.
inline std::optional<std::string> why_not_writable(std::string path) {
    for (;;) {
        fd const file = try_open(path, O_WRONLY | O_TMPFILE, 0600);
        bool good = false;
        int error = errno;
        if (file) {
            good = ::write(file.get(), "cnix", 4) == 4; // ext4 refuses only here when the disk is full
            error = errno;
        } else if (error == EOPNOTSUPP || error == EISDIR) { // a file system or kernel without O_TMPFILE
            good = ::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
            error = errno;
        } else if (error == ENOENT && ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            return "cannot create files in \"" + path + "\": it is a symbolic link that leads nowhere";
        } else if (error == ENOENT && path.find_last_of('/') != path.npos && path != "/") {
            path.resize(path.find_last_of('/'));
            if (path.empty()) path = "/";
            continue;
        }
        if (good) return std::nullopt;
        return "cannot create files in \"" + path + "\": " + std::generic_category().message(error);
    }
}

} // namespace cnix::sys
