#pragma once
#include <cnix/sys/directory.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <sys/file.h>
#include <thread>
#include <utility>

namespace cnix::sys {

/// Another process held a lock for as long as was waited.
struct lock_timeout : std::runtime_error {
    lock_timeout(std::string const& path, std::chrono::milliseconds waited)
        : std::runtime_error{"the file \"" + path + "\" is locked: another process held it for " +
                             std::to_string(waited.count()) + " ms; end that one if it hangs (fuser " + path +
                             " names it)"} {}
};

/// flock(LOCK_EX) on an open file, for which another is waited for at most so long; 0: not at all. Whether it is held now. `path`
/// is for the error, a std::system_error. flock(2) knows no limit but by a signal, which is the process's own to use.
inline bool lock_within(fd const& file, std::string const& path, std::chrono::milliseconds limit) {
    using clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds longest_pause{8};
    auto const end = clock::now() + limit;
    for (std::chrono::milliseconds pause{1};; pause = std::min(2 * pause, longest_pause)) {
        if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
        if (int const error = errno; error != EWOULDBLOCK && error != EINTR)
            throw_errno(error, "lock the file \"" + path + '"');
        if (clock::now() >= end) return false;
        std::this_thread::sleep_for(pause);
    }
}

/// Holds flock(LOCK_EX) on a file of a directory until destroyed. Excludes every process that locks the same
/// file with flock; the kernel releases it when the holder dies.
class file_lock {
  public:
    enum class missing { create, ignore };

    /// Waits without limit. The file is made with mode 0600 if it is missing; or, with `ignore`, nothing is
    /// locked.
    explicit file_lock(directory const& in, std::string const& name, missing when = missing::create) {
        if (!open(in, name, when)) return;
        int result = -1;
        do result = ::flock(file_.get(), LOCK_EX);
        while (result != 0 && errno == EINTR);
        if (int const error = errno; result != 0)
            throw_errno(error, "lock the file \"" + in.path(name) + '"');
    }
    /// Waits for at most `limit`: throws lock_timeout.
    file_lock(directory const& in, std::string const& name, std::chrono::milliseconds limit) {
        open(in, name, missing::create);
        if (!lock_within(file_, in.path(name), limit)) throw lock_timeout{in.path(name), limit};
    }

  private:
    bool open(directory const& in, std::string const& name, missing when) {
        int const flags =
            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (when == missing::create ? O_CREAT : 0);
        file_ = fd{::openat(in.get(), name.c_str(), flags, 0600)};
        if (!file_) {
            int const error = errno;
            if (error == ENOENT && when == missing::ignore) return false;
            throw_errno(error, "open the lock file \"" + in.path(name) + '"');
        }
        return true;
    }

    fd file_;
};

} // namespace cnix::sys
