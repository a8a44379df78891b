#pragma once
#include <cnix/sys/errors.hpp>
#include <cnix/sys/fd.hpp>
#include <cnix/sys/file_kind.hpp>

#include <cstddef>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace cnix::sys {

/// An open directory whose entries are reached relative to its descriptor: what another process does to the
/// path cannot lead elsewhere. No entry is followed if it is a symbolic link. Names have no '/'. Everything
/// that fails throws std::system_error with the operation and the entry's path, unless a function says
/// otherwise.
class directory {
  public:
    /// Follows symbolic links in `path`, which is the caller's own. Nothing if it does not exist.
    static std::optional<directory> open(std::string path) {
        fd file = try_open(path, O_RDONLY | O_DIRECTORY);
        if (file) return directory{std::move(file), std::move(path)};
        if (int const error = errno; error != ENOENT)
            throw_errno(error, "open the directory \"" + path + '"');
        return std::nullopt;
    }
    /// Makes what is missing of `path`, each directory with `mode`.
    static directory open_or_create(std::string const& path, mode_t mode) {
        for (int attempt = 0;; ++attempt) {
            if (auto found = open(path)) return std::move(*found);
            if (attempt == 3)
                throw_errno(ENOENT, "open the directory \"" + path + '"'); // somebody keeps removing it
            for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
                std::string const part = path.substr(0, end);
                if (::mkdir(part.c_str(), mode) != 0)
                    if (int const error = errno; error != EEXIST)
                        throw_errno(error, "make the directory \"" + part + '"');
                if (end == path.npos) break;
            }
        }
    }

    /// Nothing if it does not exist.
    std::optional<directory> subdirectory(std::string const& name) const {
        fd file{::openat(get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
        if (file) return directory{std::move(file), path(name)};
        int const error = errno;
        if (error == ENOENT) return std::nullopt;
        if (read_link(name))
            throw_errno(
                error,
                "open the directory \"" + path(name) +
                    "\", which is a symbolic link and not followed; put a directory or a bind mount there");
        fail(error, "open the directory", name);
    }
    directory subdirectory_or_create(std::string const& name, mode_t mode) const {
        if (auto found = subdirectory(name)) return std::move(*found);
        if (::mkdirat(get(), name.c_str(), mode) != 0)
            if (int const error = errno; error != EEXIST) fail(error, "make the directory", name);
        if (auto made = subdirectory(name)) return std::move(*made);
        fail(ENOENT, "open the directory", name);
    }

    int get() const noexcept { return file_.get(); }
    std::string const& path() const noexcept { return path_; }
    std::string path(std::string_view name) const { return path_ + '/' + std::string{name}; }

    /// What an entry may turn out to be besides a file that was read.
    enum class unread { absent, not_a_file, too_large };
    /// `bytes` of what was read, unless `why_not` says that nothing was.
    struct content {
        std::string bytes;
        std::optional<unread> why_not;
        char const* kind = ""; ///< file_kind() of what is not_a_file
    };
    /// All of a regular file of at most `limit` bytes.
    content read(std::string const& name, std::size_t limit) const {
        // O_NONBLOCK: a FIFO put there must not stop us.
        fd const file{::openat(get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
        if (!file) {
            int const error = errno;
            if (error == ENOENT) return {{}, unread::absent};
            struct stat there{}; // a link, or a socket
            if ((error == ELOOP || error == ENXIO) &&
                ::fstatat(get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0)
                return {{}, unread::not_a_file, file_kind(there.st_mode)};
            fail(error, "open the file", name);
        }
        struct stat status{};
        if (::fstat(file.get(), &status) != 0) fail(errno, "look at the file", name);
        if (!S_ISREG(status.st_mode)) return {{}, unread::not_a_file, file_kind(status.st_mode)};
        auto bytes = read_up_to(file, limit, static_cast<std::size_t>(status.st_size));
        if (!bytes) fail(errno, "read the file", name);
        if (bytes->size() > limit) return {{}, unread::too_large};
        return {std::move(*bytes), std::nullopt};
    }

    /// False if there is something of that name. A file that cannot be written in full is removed again.
    bool create(std::string const& name, std::string_view bytes, mode_t mode) const {
        fd const file{
            ::openat(get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
        if (!file) {
            int const error = errno;
            if (error == EEXIST) return false;
            fail(error, "create the file", name);
        }
        while (!bytes.empty()) {
            ssize_t const count = ::write(file.get(), bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) {
                int const error = errno;
                ::unlinkat(get(), name.c_str(), 0);
                fail(error, "write the file", name);
            }
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }
    /// Puts a file in the place of whatever has that name, in one step for every reader. Callers of one name
    /// must exclude each other.
    void replace(std::string const& name, std::string_view bytes, mode_t mode) const {
        std::string const fresh = name + ".new";
        if (!create(fresh, bytes, mode)) {
            remove(fresh); // left by a caller that was killed
            create(fresh, bytes, mode);
        }
        if (::renameat(get(), fresh.c_str(), get(), name.c_str()) != 0) {
            int const error = errno;
            ::unlinkat(get(), fresh.c_str(), 0);
            fail(error, "replace the file", name);
        }
    }

    /// False if there was none.
    bool remove(std::string const& name) const {
        if (::unlinkat(get(), name.c_str(), 0) == 0) return true;
        if (int const error = errno; error != ENOENT) fail(error, "remove the file", name);
        return false;
    }

    /// The text that a symbolic link holds, which is not followed. Nothing if there is no such link.
    std::optional<std::string> read_link(std::string const& name) const {
        std::string text(4096, '\0'); // PATH_MAX, which counts a terminating NUL that is not stored
        ssize_t const size = ::readlinkat(get(), name.c_str(), text.data(), text.size());
        if (size < 0) {
            int const error = errno;
            if (error == ENOENT || error == EINVAL) return std::nullopt;
            fail(error, "read the link", name);
        }
        text.resize(static_cast<std::size_t>(size));
        return text;
    }
    void create_link(std::string const& name, std::string const& text) const {
        if (::symlinkat(text.c_str(), get(), name.c_str()) != 0) fail(errno, "create the link", name);
    }

    /// All entries but "." and "..", in no order.
    std::vector<std::string> names() const {
        int const again =
            ::openat(get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); // with a read position of its own
        if (again < 0) throw_errno(errno, "open the directory \"" + path_ + '"');
        std::unique_ptr<DIR, int (*)(DIR*)> const stream{::fdopendir(again), ::closedir};
        if (!stream) {
            int const error = errno;
            ::close(again);
            throw_errno(error, "list the directory \"" + path_ + '"');
        }
        std::vector<std::string> all;
        for (;;) {
            errno = 0;
            dirent const* const entry = ::readdir(stream.get());
            if (!entry) break;
            std::string_view const name{entry->d_name};
            if (name != "." && name != "..") all.emplace_back(name);
        }
        if (int const error = errno) throw_errno(error, "list the directory \"" + path_ + '"');
        return all;
    }

  private:
    directory(fd file, std::string path) noexcept : file_{std::move(file)}, path_{std::move(path)} {}
    [[noreturn]] void fail(int error, char const* operation, std::string_view name) const {
        throw_errno(error, std::string{operation} + " \"" + path(name) + '"');
    }

    fd file_;
    std::string path_;
};

} // namespace cnix::sys
