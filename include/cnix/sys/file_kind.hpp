#pragma once
#include <sys/stat.h>
#include <sys/types.h>

namespace cnix::sys {

/// What a file of that st_mode is, for messages: "a directory".
constexpr char const* file_kind(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "a regular file";
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    case S_IFLNK:
        return "a symbolic link";
    default:
        return "a device";
    }
}

} // namespace cnix::sys
