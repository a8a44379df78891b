#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/ns_policy.hpp>
#include <cnix/sys/fd.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <utility>

namespace cnix::ns {

/// Enters the pod's network namespace with setns(2), which concerns the calling thread alone.
class setns {
  public:
    static setns open(std::string const& path) {
        if (path.empty())
            throw failure(path, "the path is empty", "the runtime sets CNI_NETNS for ADD and CHECK");
        probe found = look(path);
        if (found.error != 0) throw failure(path, std::strerror(found.error), advice(found.error));
        if (!found.is_network_namespace)
            throw failure(path, "not a network namespace", "CNI_NETNS names one, such as /run/netns/NAME");
        return setns{std::move(found.file)};
    }

    /// Also nothing if what the path leads to is gone in another way than a missing file, or can be no namespace: a process
    /// that has ended (/proc/PID/ns/net) is ENOENT or ESRCH, a component that is no directory any more ENOTDIR, a socket or a
    /// device without a driver ENXIO or ENODEV.
    static std::optional<setns> find(std::string const& path) {
        if (path.empty()) return std::nullopt;
        probe found = look(path);
        constexpr std::array no_namespace{ENOENT, ESRCH, ENOTDIR, ELOOP, ENXIO, ENODEV, ENAMETOOLONG};
        if (found.error != 0 && !ranges::contains(no_namespace, found.error))
            throw failure(path, std::strerror(found.error), advice(found.error));
        if (!found.is_network_namespace) return std::nullopt;
        return setns{std::move(found.file)};
    }

    int fd() const noexcept { return file_.get(); }

    template <class F> auto run(F&& f) -> decltype(f()) {
        way_back const home = enter();
        return std::forward<F>(f)();
    }

    bool is_current() const {
        struct stat own{};
        struct stat current{};
        if (::fstat(file_.get(), &own) != 0) sys::throw_errno("look at the network namespace");
        if (::stat(current_path, &current) != 0) sys::throw_errno("look at the thread's network namespace");
        return own.st_dev == current.st_dev && own.st_ino == current.st_ino;
    }

  private:
    /// Of the thread: /proc/self would be the process's main thread.
    static constexpr char const* current_path = "/proc/thread-self/ns/net";

    explicit setns(sys::fd file) noexcept : file_{std::move(file)} {}

    struct probe {
        sys::fd file;
        int error = 0;
        bool is_network_namespace = false;
    };
    static probe look(std::string const& path) noexcept {
        probe found;
        // O_NONBLOCK: a FIFO put at the path must not stop the plugin.
        found.file = sys::try_open(path, O_RDONLY | O_NONBLOCK);
        if (!found.file)
            found.error = errno;
        else // ENOTTY for any file that is not of nsfs
            found.is_network_namespace = ::ioctl(found.file.get(), NS_GET_NSTYPE) == CLONE_NEWNET;
        return found;
    }

    static char const* advice(int error) noexcept {
        switch (error) {
        case ENOENT:
        case ENOTDIR:
        case ESRCH:
            return "the sandbox is gone, or CNI_NETNS is a path of another mount namespace";
        case EACCES:
        case EPERM:
            return "run the plugin as root in the node's user namespace";
        default:
            return "look at CNI_NETNS";
        }
    }

    static cni::error failure(std::string const& path, std::string reason, char const* advice) {
        if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z')
            reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
        return {cni::code::invalid_netns, "failed to open netns \"" + path + "\": " + reason + ": " + advice};
    }

    /// Brings the thread back at the end of a scope.
    class way_back {
      public:
        explicit way_back(sys::fd home) noexcept : home_{std::move(home)} {}
        way_back(way_back const&) = delete;
        way_back& operator=(way_back const&) = delete;
        ~way_back() {
            if (::setns(home_.get(), CLONE_NEWNET) == 0) return;
            std::fprintf(stderr, "cnix: cannot return to the node's network namespace: %s\n",
                         std::strerror(errno));
            std::abort();
        }

      private:
        sys::fd home_;
    };

    way_back enter() const {
        sys::fd home = sys::open(current_path, O_RDONLY);
        if (::setns(file_.get(), CLONE_NEWNET) != 0) sys::throw_errno("enter the pod's network namespace");
        return way_back{std::move(home)};
    }

    sys::fd file_;
};

static_assert(ns_policy<setns>);

} // namespace cnix::ns
