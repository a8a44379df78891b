#pragma once
#include <cnix/net/interface_name.hpp>
#include <cnix/sys/errors.hpp>
#include <cnix/sys/fd.hpp>

#include <fcntl.h>
#include <memory>
#include <sys/file.h>

namespace cnix::backends::rtnl {

/// A shared flock(2) on the interface's directory of sysctls: it is there while the interface is, is another one in each
/// network namespace, and leaves no file behind. Copies are one hold.
class hold {
  public:
    explicit hold(net::interface_name const& name)
        : directory_{std::make_shared<sys::fd>(
              sys::try_open("/proc/sys/net/ipv4/conf/" + name.str(), O_RDONLY | O_DIRECTORY))} {
        while (*directory_ && ::flock(directory_->get(), LOCK_SH) < 0)
            if (errno != EINTR) sys::throw_errno("hold the interface \"" + name.str() + '"');
    }

    /// Whether no other process holds the interface; then none gets a hold before this one is gone. Without /proc/sys there
    /// is no telling, and the answer is no.
    bool alone() const { return *directory_ && ::flock(directory_->get(), LOCK_EX | LOCK_NB) == 0; }

  private:
    std::shared_ptr<sys::fd> directory_;
};

} // namespace cnix::backends::rtnl
