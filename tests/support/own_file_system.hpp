#pragma once
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cnix::test {

/// Runs the checks in a mount namespace where the directory is a file system of its own; they must all be true. Nothing is checked
/// if such a namespace cannot be had here. `options` are tmpfs's.
inline void on_file_system(std::filesystem::path const& directory, char const* options,
                           std::function<bool()> const& checks) {
    std::filesystem::create_directories(directory);
    pid_t const child = ::fork();
    if (child == 0) {
        if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("cnix", directory.c_str(), "tmpfs", 0, options) != 0)
            ::_exit(77);
        ::_exit(checks() ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        MESSAGE("SKIPPED: a mount namespace cannot be made here");
    else
        CHECK(status == 0);
}

} // namespace cnix::test
