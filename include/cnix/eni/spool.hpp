#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/cni/json_writer.hpp>
#include <cnix/concepts/settings.hpp>
#include <cnix/config/read.hpp>
#include <cnix/sys/directory.hpp>
#include <cnix/sys/file_lock.hpp>
#include <cnix/sys/random.hpp>
#include <cnix/sys/replace_durably.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::eni {

/// A release that the address daemon could not be told of.
struct spooled_release {
    cni::attachment_id attachment;
    std::string pod_name{};
    std::string pod_namespace{};
    std::string infra_container{};
    std::string pod_uid{};
    std::string reason{};

    friend bool operator==(spooled_release const&, spooled_release const&) = default;
};

namespace detail {
/// A file of the spool.
struct spool_file {
    std::uint32_t version = 0;
    config::text network{};
    config::text container{};
    config::text interface{};
    config::text podName{};
    config::text podNamespace{};
    config::text infraContainer{};
    config::text podUID{};
    config::text reason{};
};
} // namespace detail
} // namespace cnix::eni

BOOST_HANA_ADAPT_STRUCT(cnix::eni::detail::spool_file, version, network, container, interface, podName,
                        podNamespace, infraContainer, podUID, reason);

namespace cnix::eni {

/// Releases that wait for the address daemon, in a directory that plugin and daemon share: one file each, DIGEST.json, where
/// DIGEST is the attachment's. A file is there whole or not at all, and on the disk when put() returns.
///
///     {"version":1,"network":"aws-cni","container":"0123abcd","interface":"eth0","podName":"nginx","podNamespace":"default",
///      "infraContainer":"0123abcd","podUID":"5e6f","reason":"PodDeleted"}
///
/// Who acts on a file, or takes it away, holds flock(2) on it: so an ADD of the same attachment, which drop()s its release first,
/// is never overtaken by the release. Everything that fails throws std::system_error.
class spool {
  public:
    /// Keeps others off an attachment until destroyed: DIGEST.lock, which is removed then.
    class held {
      public:
        held(held&&) noexcept = default;
        held& operator=(held&&) = delete;
        ~held() {
            if (file_) ::unlinkat(directory_.get(), name_.c_str(), 0);
        }

      private:
        friend spool;
        held(sys::directory directory, std::string name, sys::fd file)
            : directory_{std::move(directory)}, name_{std::move(name)}, file_{std::move(file)} {}
        sys::directory directory_;
        std::string name_;
        sys::fd file_;
    };

    /// Of a directory that need not exist.
    explicit spool(std::string path) : path_{std::move(path)} {}

    /// Once more is as good as once: a release that is there stays, for somebody may hold the lock on it.
    void put(spooled_release const& release) const {
        auto const directory = sys::directory::open_or_create(path_, 0755);
        std::string const name = file_name(release.attachment);
        auto const there = directory.read(name, max_size);
        if (!parse(there.bytes)) {
            auto const random = sys::random_bytes<2>();
            std::string const fresh = name + '.' + std::to_string(::getpid()) + '.' +
                                      std::to_string(random[0] << 8 | random[1]) + std::string{unfinished};
            bool const free = there.why_not == sys::directory::unread::absent;
            directory.remove(fresh); // of one who was killed
            try {
                sys::put_durably(directory, fresh, name, text(release), 0600, free ? RENAME_NOREPLACE : 0);
            } catch (std::system_error const& e) {
                if (e.code() != std::errc::file_exists) throw; // another's, of this moment
            }
        }
        sync(sys::open(path_, O_RDONLY | O_DIRECTORY), path_);
        std::string const above = path_ + "/..";
        sync(sys::open(above, O_RDONLY | O_DIRECTORY), above);
    }

    /// For who changes the attachment. Waits for who holds it, and throws sys::lock_timeout after `limit`.
    held hold(cni::attachment_id const& attachment, std::chrono::milliseconds limit) const {
        using clock = std::chrono::steady_clock;
        auto const end = clock::now() + limit;
        for (;;) {
            auto directory = sys::directory::open_or_create(path_, 0755);
            std::string name = attachment.digest().append(lock_suffix);
            auto file = open_lock(directory, name, O_CREAT);
            if (!file) continue; // the directory was removed just now
            auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(end - clock::now());
            if (!sys::lock_within(file, directory.path(name), left))
                throw sys::lock_timeout{directory.path(name), limit};
            if (is_still(directory, name, file))
                return {std::move(directory), std::move(name), std::move(file)};
        }
    }

    /// Takes a release back, if there is one; waits for who is about to act on it, and throws sys::lock_timeout after `limit`.
    bool drop(cni::attachment_id const& attachment, std::chrono::milliseconds limit) const {
        return act_on(
            attachment, limit, [&](std::string const& path) { throw sys::lock_timeout{path, limit}; },
            [] { return true; });
    }

    /// All of them, in no order. Files that are none are left alone and told of.
    std::vector<spooled_release> entries(findings& unreadable) const {
        std::vector<spooled_release> all;
        auto const directory = sys::directory::open(path_);
        if (!directory) return all;
        for (std::string const& name : directory->names()) {
            if (name.ends_with(unfinished)) remove_if_old(*directory, name);
            if (name.ends_with(lock_suffix)) remove_if_free(*directory, name);
            if (!name.ends_with(suffix)) continue;
            auto release = parse(directory->read(name, max_size).bytes);
            if (release && file_name(release->attachment) == name)
                all.push_back(*std::move(release));
            else if (release || ::faccessat(directory->get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                unreadable.push_back(directory->path(name) +
                                     " is no release that waits for the address daemon; remove it");
        }
        return all;
    }

    /// If the attachment's release waits, and nobody acts on it: calls `act`, and forgets the release if it returns true. Returns
    /// whether it did.
    template <std::predicate Act> bool replay(cni::attachment_id const& attachment, Act&& act) const {
        return act_on(attachment, std::chrono::milliseconds{0}, [](std::string const&) {}, act);
    }

    /// replay() of several: `act` is given those that wait and that nobody acts on, if there are any, and returns those that are done,
    /// which are forgotten. Returns how many. Each has a file open meanwhile.
    template <class Act> std::size_t replay(std::span<spooled_release const> some, Act&& act) const {
        auto const directory = sys::directory::open(path_);
        if (!directory) return 0;
        std::vector<spooled_release const*> ours;
        std::vector<sys::fd> locked;
        for (spooled_release const& one : some) {
            auto file = lock(*directory, file_name(one.attachment), std::chrono::milliseconds{0},
                             [](std::string const&) {});
            if (!file) continue;
            ours.push_back(&one);
            locked.push_back(std::move(file));
        }
        if (ours.empty()) return 0;
        std::size_t done = 0;
        for (spooled_release const* const one : act(std::as_const(ours)))
            done += directory->remove(file_name(one->attachment));
        return done;
    }

    std::string const& path() const noexcept { return path_; }

  private:
    static constexpr std::string_view suffix = ".json";
    static constexpr std::string_view lock_suffix = ".lock";
    static constexpr std::string_view unfinished = ".new";
    static constexpr std::size_t max_size = 64 * 1024;
    static constexpr std::time_t old = 600; // seconds: a put() takes none

    /// replay(), but waits for who acts on it, and calls `busy` with the file's path if that was too long.
    bool act_on(cni::attachment_id const& attachment, std::chrono::milliseconds limit,
                std::invocable<std::string const&> auto&& busy, std::predicate auto&& act) const {
        auto const directory = sys::directory::open(path_);
        if (!directory) return false;
        std::string const name = file_name(attachment);
        auto const file = lock(*directory, name, limit, busy);
        return file && act() && directory->remove(name);
    }

    /// A release that waits, locked. Nothing: there is none, or `busy` was called with the path of one that somebody acts on.
    static sys::fd lock(sys::directory const& directory, std::string const& name,
                        std::chrono::milliseconds limit, std::invocable<std::string const&> auto&& busy) {
        sys::fd file{::openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
        if (int const error = errno; !file) {
            if (error != ENOENT) sys::throw_errno(error, "open the file \"" + directory.path(name) + '"');
            return {};
        }
        if (!sys::lock_within(file, directory.path(name), limit)) {
            busy(directory.path(name));
            return {};
        }
        return is_still(directory, name, file) ? std::move(file) : sys::fd{}; // else another did it
    }

    static std::string file_name(cni::attachment_id const& attachment) {
        return attachment.digest().append(suffix);
    }

    static std::string text(spooled_release const& release) {
        cni::json_writer out{cni::json_writer::layout::compact};
        auto const& [network, container, interface] = release.attachment;
        out.begin_object().member("version", 1).member("network", network.str());
        out.member("container", container.str()).member("interface", interface.str());
        out.member("podName", release.pod_name).member("podNamespace", release.pod_namespace);
        out.member("infraContainer", release.infra_container).member("podUID", release.pod_uid);
        return std::move(out.member("reason", release.reason).end_object()).str() + '\n';
    }

    static std::optional<spooled_release> parse(std::string const& bytes) {
        auto const read = config::read<detail::spool_file>(bytes);
        auto const& file = read.value;
        auto const network = cni::network_name::parse(file.network);
        auto const container = cni::container_id::parse(file.container);
        auto const interface = net::interface_name::parse(file.interface);
        if (!read.ok() || file.version != 1 || !network || !container || !interface) return std::nullopt;
        return spooled_release{{*network, *container, *interface}, std::string{file.podName},
                               std::string{file.podNamespace},     std::string{file.infraContainer},
                               std::string{file.podUID},           std::string{file.reason}};
    }

    static bool is_still(sys::directory const& directory, std::string const& name, sys::fd const& file) {
        struct stat now{}, then{};
        return ::fstatat(directory.get(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0 &&
               ::fstat(file.get(), &then) == 0 && now.st_dev == then.st_dev && now.st_ino == then.st_ino;
    }

    /// What a put() that was killed left.
    static void remove_if_old(sys::directory const& directory, std::string const& name) {
        struct stat status{};
        if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            status.st_mtime < std::time(nullptr) - old)
            directory.remove(name);
    }

    /// Nothing if it is missing.
    static sys::fd open_lock(sys::directory const& directory, std::string const& name, int flags) {
        sys::fd file{::openat(directory.get(), name.c_str(),
                              flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600)};
        if (int const error = errno; !file && error != ENOENT)
            sys::throw_errno(error, "open the lock file \"" + directory.path(name) + '"');
        return file;
    }

    /// What one who was killed left of hold().
    static void remove_if_free(sys::directory const& directory, std::string const& name) {
        auto const file = open_lock(directory, name, 0);
        if (file && sys::lock_within(file, directory.path(name), {}) && is_still(directory, name, file))
            directory.remove(name);
    }

    static void sync(sys::fd const& file, std::string const& path) {
        if (!file || ::fsync(file.get()) != 0) sys::throw_errno("write to the disk \"" + path + '"');
    }

    std::string path_;
};

} // namespace cnix::eni
