#pragma once
#include <cnix/sys/fd.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::ipamd {

/// Tells systemd how the daemon is: sd_notify(3) as datagrams of our own. Does nothing where NOTIFY_SOCKET is not set, and never
/// waits: a service manager that does not read loses the message.
class service_manager {
  public:
    /// Takes NOTIFY_SOCKET: a path, or `@NAME` in the abstract namespace. Throws std::system_error if it is neither, or cannot be used.
    service_manager();
    /// The same for a given address; empty: there is none.
    explicit service_manager(std::string const& address);

    void ready(std::string_view status);
    /// What `systemctl status` shows; the first line of it.
    void status(std::string_view text);
    /// Before and after a reload: ready() ends it.
    void reloading();
    void stopping();
    /// Start takes longer than the service manager waits: it gives this much more from now on.
    void extend_timeout(std::chrono::microseconds by);

    explicit operator bool() const noexcept { return static_cast<bool>(socket_); }

  private:
    void send(std::string const& message) const;

    sys::fd socket_{};
    std::string address_{};
};

} // namespace cnix::ipamd
