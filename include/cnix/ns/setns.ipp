#pragma once
#include <cnix/ns/setns.hpp>
#include <cnix/prebuilt.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace cnix::ns {

CNIX_INLINE auto setns::open(std::string const& path) -> setns {
    if (path.empty())
        throw failure(path, "the path is empty", "the runtime sets CNI_NETNS for ADD and CHECK");
    probe found = look(path);
    if (found.error != 0) throw failure(path, std::strerror(found.error), advice(found.error));
    if (!found.is_network_namespace)
        throw failure(path, "not a network namespace", "CNI_NETNS names one, such as /run/netns/NAME");
    return setns{std::move(found.file)};
}

CNIX_INLINE auto setns::find(std::string const& path) -> std::optional<setns> {
    if (path.empty()) return std::nullopt;
    probe found = look(path);
    constexpr std::array no_namespace{ENOENT, ESRCH, ENOTDIR, ELOOP, ENXIO, ENODEV, ENAMETOOLONG};
    if (found.error != 0 && !ranges::contains(no_namespace, found.error))
        throw failure(path, std::strerror(found.error), advice(found.error));
    if (!found.is_network_namespace) return std::nullopt;
    return setns{std::move(found.file)};
}

CNIX_INLINE bool setns::is_current() const {
    struct stat own{};
    struct stat current{};
    if (::fstat(file_.get(), &own) != 0) sys::throw_errno("look at the network namespace");
    if (::stat(current_path, &current) != 0) sys::throw_errno("look at the thread's network namespace");
    return own.st_dev == current.st_dev && own.st_ino == current.st_ino;
}

CNIX_INLINE auto setns::look(std::string const& path) noexcept -> probe {
    probe found;
    // O_NONBLOCK: a FIFO put at the path must not stop the plugin.
    found.file = sys::try_open(path, O_RDONLY | O_NONBLOCK);
    if (!found.file)
        found.error = errno;
    else // ENOTTY for any file that is not of nsfs
        found.is_network_namespace = ::ioctl(found.file.get(), NS_GET_NSTYPE) == CLONE_NEWNET;
    return found;
}

CNIX_INLINE char const* setns::advice(int error) noexcept {
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

CNIX_INLINE cni::error setns::failure(std::string const& path, std::string reason, char const* advice) {
    if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z')
        reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
    return {cni::code::invalid_netns, "failed to open netns \"" + path + "\": " + reason + ": " + advice};
}

CNIX_INLINE setns::way_back::~way_back() {
    if (::setns(home_.get(), CLONE_NEWNET) == 0) return;
    std::fprintf(stderr, "cnix: cannot return to the node's network namespace: %s\n", std::strerror(errno));
    std::abort();
}

CNIX_INLINE auto setns::enter() const -> way_back {
    sys::fd home = sys::open(current_path, O_RDONLY);
    if (::setns(file_.get(), CLONE_NEWNET) != 0) sys::throw_errno("enter the pod's network namespace");
    return way_back{std::move(home)};
}

} // namespace cnix::ns
