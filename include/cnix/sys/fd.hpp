#pragma once
#include <cnix/sys/errors.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>

namespace cnix::sys {

/// Owns a file descriptor, or none.
class fd {
  public:
    fd() noexcept = default;
    /// Takes over `descriptor`; a negative one is none.
    explicit fd(int descriptor) noexcept : descriptor_{descriptor} {}
    fd(fd&& other) noexcept : descriptor_{other.release()} {}
    fd& operator=(fd&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    ~fd() { reset(); }

    /// Negative: none.
    int get() const noexcept { return descriptor_; }
    explicit operator bool() const noexcept { return descriptor_ >= 0; }

    /// The caller closes it from now on.
    [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

    /// Closes what it owned; errno stays as it was. What close(2) reports is dropped: who must know whether
    /// data reached the disk asks fsync(2) before.
    void reset(int descriptor = -1) noexcept {
        int const old = std::exchange(descriptor_, descriptor);
        if (old < 0) return;
        int const saved = errno;
        ::close(old);
        errno = saved;
    }

  private:
    int descriptor_ = -1;
};

/// open(2) with O_CLOEXEC added, repeated when a signal interrupts it. Nothing on failure: errno tells why.
inline fd try_open(std::string const& path, int flags, mode_t mode = 0) noexcept {
    int descriptor = -1;
    do descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    while (descriptor < 0 && errno == EINTR);
    return fd{descriptor};
}

/// The same; throws std::system_error when it cannot be opened.
inline fd open(std::string const& path, int flags, mode_t mode = 0) {
    fd file = try_open(path, flags, mode);
    if (!file) {
        int const error = errno;
        throw_errno(error, "open the file \"" + path + '"');
    }
    return file;
}

/// What is left to read of a file that has about `expected` bytes, at most `limit` + 1 of them: then there were more than
/// `limit`. Nothing on failure: errno tells why.
inline std::optional<std::string> read_up_to(fd const& file, std::size_t limit, std::size_t expected) {
    std::string bytes(std::min(expected, limit) + 1, '\0');
    std::size_t size = 0;
    for (;;) {
        if (size == bytes.size()) {
            if (size > limit) return bytes;
            bytes.resize(std::min(2 * size, limit + 1)); // it has grown meanwhile
        }
        ssize_t const count = ::read(file.get(), bytes.data() + size, bytes.size() - size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::nullopt;
        if (count == 0) break;
        size += static_cast<std::size_t>(count);
    }
    bytes.resize(size);
    return bytes;
}

} // namespace cnix::sys
