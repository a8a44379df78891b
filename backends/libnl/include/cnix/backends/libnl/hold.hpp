#pragma once
#include <cnix/net/interface_name.hpp>
#include <cnix/sys/errors.hpp>
#include <cnix/sys/fd.hpp>

#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>

namespace cnix::backends::rtnl {

/// A shared flock(2) on a sysctl of the interface that only root may open (mode 0600), so that nobody else can stop an ADD. It
/// is there while the interface is, is another one in each network namespace, and leaves no file behind. Copies are one hold.
///
/// Without /proc/sys, IPv6, or an MTU of 1280 there is no such file: the hold is then none, and alone() is false. Processes that
/// see different instances of procfs do not see each other's.
class hold {
  public:
    explicit hold(net::interface_name const& name) {
        std::string const path = "/proc/sys/net/ipv6/conf/" + name.str() + "/stable_secret";
        while (true) {
            auto file = sys::try_open(path, O_RDONLY);
            if (!file) return;
            while (::flock(file.get(), LOCK_SH) < 0)
                if (errno != EINTR) sys::throw_errno("hold the interface \"" + name.str() + '"');
            // Who was alone may have deleted the interface while we waited.
            struct stat held{}, now{};
            if (::fstat(file.get(), &held) == 0 && ::stat(path.c_str(), &now) == 0 && held.st_ino == now.st_ino) {
                file_ = std::make_shared<sys::fd>(std::move(file));
                return;
            }
        }
    }

    /// Whether no other process holds the interface; then none gets a hold before this one is gone. When the answer is no, this
    /// hold is lost (flock(2) gives up a lock to convert it), so that the last one that asks is told yes.
    bool alone() const { return file_ && ::flock(file_->get(), LOCK_EX | LOCK_NB) == 0; }

  private:
    std::shared_ptr<sys::fd> file_;
};

} // namespace cnix::backends::rtnl
