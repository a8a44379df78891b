#pragma once
#include <cnix/concepts/rpc_endpoint.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::ipamd {

/// Where an HTTP server listens.
struct http_address {
    static constexpr std::string_view form =
        "ADDRESS:PORT such as 127.0.0.1:61679, :PORT for all addresses, or unix:/PATH of at most 107 bytes";

    std::string path{};                    ///< of a Unix socket; empty: TCP
    std::optional<net::address> address{}; ///< of TCP; nothing: all, of both families
    std::uint16_t port = 0;                ///< of TCP

    /// As Go spells them, of the names only localhost. Nothing if it is none.
    static std::optional<http_address> parse(std::string_view text) {
        bool const all = text.starts_with(':');
        std::string spelled{text};
        if (all) spelled.insert(0, "0.0.0.0");
        if (text.starts_with("localhost:")) spelled.replace(0, 9, "127.0.0.1");
        auto const read = rpc::endpoint::parse(spelled);
        if (!read) return std::nullopt;
        if (read->is_unix()) return http_address{std::string{read->path()}, std::nullopt, 0};
        http_address made{{}, std::nullopt, read->port()};
        if (!all) made.address = read->address();
        return made;
    }
    std::string text() const {
        if (!path.empty()) return "unix:" + path;
        std::string host = address ? address->str() : "";
        if (address && address->is_v6()) host = '[' + host + ']';
        return host + ':' + std::to_string(port);
    }

    friend bool operator==(http_address const&, http_address const&) = default;
};

} // namespace cnix::ipamd
