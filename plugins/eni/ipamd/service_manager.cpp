#include <ipamd/printable.hpp>
#include <ipamd/service_manager.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sys/socket.h>
#include <sys/un.h>

namespace cnix::ipamd {

namespace {

std::string from_environment() {
    char const* const told = std::getenv("NOTIFY_SOCKET");
    return told ? told : "";
}

} // namespace

service_manager::service_manager() : service_manager{from_environment()} {}

service_manager::service_manager(std::string const& address) {
    if (address.empty()) return;
    if ((address[0] != '/' && address[0] != '@') || address.size() >= sizeof sockaddr_un{}.sun_path)
        sys::throw_errno(EINVAL, "tell the service manager at NOTIFY_SOCKET \"" + address + '"');
    socket_ = sys::fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket_) sys::throw_errno("make a socket for the service manager");
    address_ = address;
    if (address_[0] == '@') address_[0] = '\0';
}

// A status is a line, for a second one would be another assignment, and UTF-8, or systemd does not take it.

void service_manager::ready(std::string_view status) { send("READY=1\nSTATUS=" + one_line(status)); }

void service_manager::status(std::string_view text) { send("STATUS=" + one_line(text)); }

void service_manager::reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void service_manager::stopping() { send("STOPPING=1\nSTATUS=stopping"); }

void service_manager::extend_timeout(std::chrono::microseconds by) {
    send("EXTEND_TIMEOUT_USEC=" + std::to_string(by.count()));
}

void service_manager::send(std::string const& message) const {
    if (!socket_) return;
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, address_.data(), address_.size());
    // An abstract name ends with the address, a path with a NUL.
    auto const size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size() + (address_[0] != '\0'));
    ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
             reinterpret_cast<sockaddr const*>(&to), size);
}

} // namespace cnix::ipamd
