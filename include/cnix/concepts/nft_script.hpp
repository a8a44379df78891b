#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/concepts/nft_backend.hpp>

#include <string>
#include <string_view>

namespace cnix::nft {

/// What a script of nft consists of beside its fixed words. Nothing else may be appended to one: each
/// function gives text that nft's scanner reads as exactly one token, or throws cni::error.

/// Of a table, chain, set or map: at most NFT_NAME_MAXLEN - 1 bytes.
constexpr inline std::size_t max_name = 127;
constexpr inline std::size_t max_comment = 127;

/// "<kind>-<network>" where that fits, else "<kind>/<digest of the network>"; a network's name holds no '/'.
/// Begins with a letter and is no keyword whatever the network is called. `kind` is ours.
inline std::string network_object(std::string_view kind, cni::network_name const& network) {
    std::string name{kind};
    if (kind.size() + 1 + network.str().size() <= max_name) return name + '-' + network.str();
    return name + '/' + cni::digest(network.str());
}

/// The attachment's digest (32 hex digits), by which it is recognised, and for the reader its three names as
/// far as they fit. Bytes that cannot stand in nft's quotes, or in JSON as they are, become '?'.
inline std::string comment(cni::attachment_id const& id) {
    std::string text =
        id.digest() + ' ' + id.network.str() + '/' + id.container.str() + '/' + id.interface.str();
    if (text.size() > max_comment) text.resize(max_comment);
    for (char& c : text)
        if (c < ' ' || c > '~' || c == '"' || c == '\\') c = '?';
    return text;
}

/// The digest that a comment begins with; nothing of ours: empty.
inline std::string digest_of(std::string_view comment) {
    auto const digest = comment.substr(0, comment.find(' '));
    bool const hex = digest.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    return digest.size() == 32 && hex ? std::string{digest} : std::string{};
}

/// A quoted string has no escapes but for '*', which else ends a name as a wild card.
inline std::string text(net::interface_name const& name) {
    if (name.view().find_first_of("\"*\\") != std::string_view::npos)
        throw cni::error{cni::code::invalid_environment, "cnix: nftables cannot name the interface " +
                                                             name.str() +
                                                             ": rename it without '\"', '*' and '\\'"};
    return '"' + name.str() + '"';
}
inline std::string text(net::address const& address) { return address.str(); }
inline std::string text(port_mac const& pair) { return text(pair.port) + " . " + pair.mac.str(); }
inline std::string text(key const& any) {
    return std::visit([](auto const& one) { return text(one); }, any);
}

/// "inet cnix"
inline std::string text(table_id const& table) {
    return std::string{table.family} + ' ' + std::string{table.name};
}
/// "inet cnix pods4"
inline std::string text(set_id const& set) { return text(set.table) + ' ' + set.name; }

} // namespace cnix::nft
