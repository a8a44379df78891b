#pragma once
#include <cnix/sys/directory.hpp>

#include <string>
#include <sys/file.h>
#include <utility>

namespace cnix::sys {

/// Holds flock(LOCK_EX) on a file of a directory until destroyed. Excludes every process that locks the same
/// file with flock; the kernel releases it when the holder dies.
class file_lock {
  public:
    enum class missing { create, ignore };

    /// Waits without limit. The file is made with mode 0600 if it is missing; or, with `ignore`, nothing is
    /// locked.
    explicit file_lock(directory const& in, std::string const& name, missing when = missing::create) {
        int const flags =
            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (when == missing::create ? O_CREAT : 0);
        file_ = fd{::openat(in.get(), name.c_str(), flags, 0600)};
        if (!file_) {
            int const error = errno;
            if (error == ENOENT && when == missing::ignore) return;
            throw_errno(error, "open the lock file \"" + in.path(name) + '"');
        }
        int result = -1;
        do result = ::flock(file_.get(), LOCK_EX);
        while (result != 0 && errno == EINTR);
        if (int const error = errno; result != 0)
            throw_errno(error, "lock the file \"" + in.path(name) + '"');
    }

  private:
    fd file_;
};

} // namespace cnix::sys
