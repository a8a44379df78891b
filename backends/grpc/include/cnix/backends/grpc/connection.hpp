#pragma once
#include <cnix/concepts/cni_backend.hpp>
#include <cnix/sys/fd.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

namespace cnix::backends::grpc_detail {

using clock = std::chrono::steady_clock;

inline std::chrono::milliseconds since(clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - start);
}

/// A stream to the endpoint, not blocking.
inline sys::fd connect(rpc::target const& to, clock::time_point start) {
    auto const fail = [&](std::string const& what) {
        int const error = errno;
        bool const late = error == EAGAIN || error == EINPROGRESS || error == ETIMEDOUT || error == EINTR ||
                          error == EALREADY;
        throw rpc::error{late ? rpc::status::deadline_exceeded : rpc::status::unavailable,
                         what + ": " + (late ? "nobody accepts" : std::strerror(error)), to, since(start),
                         false};
    };
    rpc::endpoint const& at = to.endpoint;
    sockaddr_storage address{};
    socklen_t size = 0;
    if (at.is_unix()) {
        auto& unix_socket = reinterpret_cast<sockaddr_un&>(address);
        unix_socket.sun_family = AF_UNIX;
        at.path().copy(unix_socket.sun_path, sizeof unix_socket.sun_path - 1);
        size = sizeof unix_socket;
    } else if (auto const bytes = at.address().bytes(); at.address().is_v4()) {
        auto& v4 = reinterpret_cast<sockaddr_in&>(address);
        v4.sin_family = AF_INET;
        v4.sin_port = htons(at.port());
        std::memcpy(&v4.sin_addr, bytes.data(), 4);
        size = sizeof v4;
    } else {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(at.port());
        std::memcpy(&v6.sin6_addr, bytes.data(), 16);
        size = sizeof v6;
    }
    sys::fd socket{::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!socket) fail("socket");
    int const yes = 1;
    if (!at.is_unix()) ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    // connect(2) waits as long as a send may: for TCP's handshake, and for room in a Unix socket's backlog. Who is stopped and goes
    // on meanwhile (SIGSTOP) is interrupted.
    auto const connect_within = [&](std::chrono::microseconds left) {
        timeval const timeout{left.count() / 1'000'000, left.count() % 1'000'000}; // of 0: for ever
        ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        return ::connect(socket.get(), reinterpret_cast<sockaddr const*>(&address), size) == 0;
    };
    for (bool connected = false; !connected;) {
        auto const left = to.within - since(start);
        connected = connect_within(std::max(left, std::chrono::milliseconds{1}));
        if (!connected && (errno != EINTR || left.count() <= 0)) fail("connect");
    }
    if (::fcntl(socket.get(), F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
    return socket;
}

} // namespace cnix::backends::grpc_detail
