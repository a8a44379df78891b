#pragma once
#include <cnix/config/text.hpp>
#include <cnix/net/address.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::rpc {

/// Most bytes of a Unix socket's path: sun_path of sockaddr_un (linux/un.h) without its NUL.
constexpr inline std::size_t max_socket_path = 107;

/// Where a gRPC server listens, in gRPC's own spelling (unix:///path, ipv4:, ipv6:, or nothing before ADDRESS:PORT). No host
/// names: a statically linked program has no resolver.
class endpoint {
  public:
    static constexpr std::string_view form =
        "where a daemon listens, such as unix:///var/run/aws-node/ipamd.sock (a path of at most 107 bytes) "
        "or 127.0.0.1:50051 (no names)";

    static constexpr std::optional<endpoint> parse(std::string_view text) {
        endpoint made;
        if (text.starts_with("unix:")) {
            text.remove_prefix(text.starts_with("unix://") ? 7 : 5);
            if (!text.starts_with('/') || text.size() > max_socket_path || text.find('\0') != text.npos)
                return std::nullopt;
            made.path_ = text;
            return made;
        }
        if (text.starts_with("ipv4:") || text.starts_with("ipv6:")) text.remove_prefix(5);
        auto const colon = text.rfind(':');
        if (colon == text.npos) return std::nullopt;
        std::string_view host = text.substr(0, colon);
        bool const bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
        if (bracketed) host = host.substr(1, host.size() - 2);
        auto const address = net::address::parse(host);
        if (!address || (host.find(':') != host.npos) != bracketed) return std::nullopt;
        unsigned port = 0;
        std::string_view const digits = text.substr(colon + 1);
        if (digits.empty() || digits.size() > 5) return std::nullopt;
        for (char const digit : digits) {
            if (digit < '0' || digit > '9') return std::nullopt;
            port = port * 10 + static_cast<unsigned>(digit - '0');
        }
        if (port == 0 || port > 65535) return std::nullopt;
        made.address_ = *address;
        made.port_ = static_cast<std::uint16_t>(port);
        return made;
    }

    constexpr bool is_unix() const { return !path_.empty(); }
    /// Of a Unix socket; absolute.
    constexpr std::string_view path() const { return path_.view(); }
    /// Of TCP.
    constexpr net::address address() const { return address_; }
    /// See address().
    constexpr std::uint16_t port() const { return port_; }

    std::string str() const {
        if (is_unix()) return "unix://" + std::string{path()};
        std::string const host = address_.str();
        return (address_.is_v6() ? '[' + host + ']' : host) + ':' + std::to_string(port_);
    }

    friend constexpr bool operator==(endpoint const& a, endpoint const& b) {
        return a.path_ == b.path_ && a.address_ == b.address_ && a.port_ == b.port_;
    }

  private:
    constexpr endpoint() = default;

    config::text path_;
    net::address address_;
    std::uint16_t port_ = 0;
};

} // namespace cnix::rpc
