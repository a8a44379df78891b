#pragma once
#include <cnix/net/interface_name.hpp>
#include <cnix/sys/fd.hpp>

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>

namespace cnix::backends::rtnl {

/// A shared flock(2) on a sysctl of the interface that only root may open (mode 0600), so that nobody else
/// can stop an ADD. It is there while the interface is, is another one in each network namespace, and leaves
/// no file behind. Copies are one hold.
///
/// Without IPv6, or with an MTU below 1280, there is no such file. The interface's directory of IPv4 sysctls
/// serves then; as anybody can open that, it is not waited for, and the hold may be none. Processes that see
/// different instances of procfs do not see each other's.
class hold {
  public:
    hold() = default; ///< none
    explicit hold(net::interface_name const& name) {
        std::string const configurations = "/proc/sys/net/ipv";
        if (!take(configurations + "6/conf/" + name.str() + "/stable_secret", LOCK_SH))
            take(configurations + "4/conf/" + name.str(), LOCK_SH | LOCK_NB);
    }

    explicit operator bool() const noexcept { return file_ != nullptr; }

    /// Whether no other process holds the interface; then none gets a hold before this one is gone. When the
    /// answer is no, this hold is lost (flock(2) gives up a lock to convert it), so that the last one that
    /// asks is told yes.
    bool alone() const { return file_ && ::flock(file_->get(), LOCK_EX | LOCK_NB) == 0; }

  private:
    bool take(std::string const& path, int operation) {
        while (true) {
            auto file = sys::try_open(path, O_RDONLY);
            if (!file) return false;
            int locked = -1;
            do locked = ::flock(file.get(), operation);
            while (locked < 0 && errno == EINTR);
            if (locked < 0) return false;
            // Who was alone may have deleted the interface while we waited.
            struct stat held{}, now{};
            if (::fstat(file.get(), &held) == 0 && ::stat(path.c_str(), &now) == 0 &&
                held.st_ino == now.st_ino) {
                file_ = std::make_shared<sys::fd>(std::move(file));
                return true;
            }
        }
    }

    std::shared_ptr<sys::fd> file_;
};

} // namespace cnix::backends::rtnl
