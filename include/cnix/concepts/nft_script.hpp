#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/concepts/nft_backend.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cnix::nft {

/// What a script of nft consists of beside its fixed words. Nothing else may be appended to one: each
/// function gives text that nft's scanner reads as exactly one token, or throws cni::error.

/// Of a table, chain, set or map: at most NFT_NAME_MAXLEN - 1 bytes.
constexpr inline std::size_t max_name = 127;

/// "<kind>-<network>" where that fits, else "<kind>/<digest of the network>"; a network's name holds no '/'.
/// Begins with a letter and is no keyword whatever the network is called. `kind` is ours.
inline std::string network_object(std::string_view kind, cni::network_name const& network) {
    std::string name{kind};
    if (kind.size() + 1 + network.str().size() <= max_name) return name + '-' + network.str();
    return name + '/' + cni::digest(network.str());
}

/// How a comment names a network: by its name if that is short, else by '/' and its digest.
inline std::string network_label(cni::network_name const& network) {
    return network.str().size() <= 60 ? network.str() : '/' + cni::digest(network.str());
}

/// The attachment's digest (32 hex digits), by which it is recognised, and for the reader its three names as
/// far as they fit. Bytes that cannot stand in nft's quotes, or in JSON as they are, become '?'.
inline std::string comment(cni::attachment_id const& id) {
    std::string text =
        id.digest() + ' ' + network_label(id.network) + '/' + id.container.str() + '/' + id.interface.str();
    if (text.size() > max_comment) text.resize(max_comment);
    for (char& c : text)
        if (c < ' ' || c > '~' || c == '"' || c == '\\') c = '?';
    return text;
}
/// Whether it is the comment of an attachment to the network.
inline bool comments_on(std::string_view comment, cni::network_name const& network) {
    return comment.size() > 33 && comment.substr(33).starts_with(network_label(network) + '/');
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
/// An address is one token as it is.
inline std::string text(net::address const& address) { return address.str(); }
/// `"veth1" . 02:00:00:00:00:01`
inline std::string text(port_mac const& pair) { return text(pair.port) + " . " + pair.mac.str(); }
/// Any key.
inline std::string text(key const& any) {
    return std::visit([](auto const& one) { return text(one); }, any);
}

/// "inet cnix"
inline std::string text(table_id const& table) {
    return std::string{table.family} + ' ' + std::string{table.name};
}
/// "inet cnix pods4"
inline std::string text(set_id const& set) { return text(set.table) + ' ' + set.name; }

/// `create element inet cnix pods4 { 10.1.0.5 comment "..." : goto net-mynet }`, one command a line.
inline std::string text(element_change const& change) {
    bool const creates = change.kind == element_change::kind::create;
    std::string command = (creates ? "create element " : "delete element ") + text(change.set) + " { " +
                          text(change.element.key);
    if (creates && !change.element.comment.empty()) command += " comment \"" + change.element.comment + '"';
    if (creates && !change.element.chain.empty()) command += " : goto " + change.element.chain;
    return command + " }\n";
}
/// All of them, in order.
inline std::string text(std::vector<element_change> const& changes) {
    std::string script;
    for (auto const& change : changes) script += text(change);
    return script;
}

/// "chain inet cnix outbound"
inline std::string text(object const& one) {
    auto const name = text(one.table) + ' ' + one.name;
    switch (one.kind) {
    case object::kind::chain:
        return "chain " + name;
    case object::kind::set:
        return "set " + name;
    case object::kind::table:
    case object::kind::empty_table:
        break;
    }
    return "table " + text(one.table);
}

/// What a chain should be.
struct chain_plan {
    std::string name;
    chain hook;                     ///< its references are not looked at
    std::vector<std::string> rules; ///< as nft lists them
};

/// Commands that make the chain if it is missing, and its rules these whatever it had.
inline std::string make(table_id const& table, chain_plan const& plan) {
    std::string const name = text(table) + ' ' + plan.name;
    auto const base = plan.hook.hook.empty() ? std::string{}
                                             : " { type " + plan.hook.type + " hook " + plan.hook.hook +
                                                   " priority " + std::to_string(plan.hook.priority) + "; }";
    std::string script = "add chain " + name + base + "\nflush chain " + name + '\n';
    for (auto const& rule : plan.rules) script += "add rule " + name + ' ' + rule + '\n';
    return script;
}

} // namespace cnix::nft
