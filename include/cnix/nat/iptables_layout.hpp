#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/net/prefix.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace cnix::nat::iptables_layout {

// clang-format off
/// The rules of the reference plugins (containernetworking/plugins, pkg/ip/ipmasq_iptables_linux.go), in the words of
/// iptables-save, so that rules which either made are found, checked and removed by the other:
///
///     -A POSTROUTING -s 10.22.0.2/32 -m comment --comment "name: \"mynet\" id: \"c1\"" -j CNI-f0bca4ac77cde1bf2f3da5df
///     -A CNI-f0bc... -d 10.22.0.0/16 -m comment --comment "name: \"mynet\" id: \"c1\"" -j ACCEPT
///     -A CNI-f0bc... ! -d 224.0.0.0/4 -m comment --comment "name: \"mynet\" id: \"c1\"" -j MASQUERADE
// clang-format on
///
/// The chain's name is made of network and container alone: the interfaces of a container on one network
/// share it.

constexpr inline std::string_view postrouting = "POSTROUTING";

/// "CNI-" and 24 hex digits.
template <class Iptables> std::string chain(cni::network_name const& network, std::string_view container) {
    return "CNI-" + Iptables::sha512(network.str() + std::string{container}).substr(0, 24);
}

/// How the comments of a network's rules begin, as iptables-save quotes them.
inline std::string comment_start(cni::network_name const& network) {
    return "-m comment --comment \"name: \\\"" + network.str() + "\\\" id: \\\"";
}
/// Bytes of a comment (XT_MAX_COMMENT_LEN - 1 in linux/netfilter/xt_comment.h).
constexpr inline std::size_t max_comment = 255;
/// Bytes of a network's name of which a comment can tell the network.
constexpr inline std::size_t max_network_name = max_comment - std::string_view{R"(name: "" id: ")"}.size();
/// Names that are longer together than a comment are cut, where the reference fails.
inline std::string comment(cni::network_name const& network, cni::container_id const& container) {
    std::string text = "name: \"" + network.str() + "\" id: \"" + container.str() + '"';
    if (text.size() > max_comment) text.resize(max_comment);
    std::string quoted = "-m comment --comment \"";
    for (char c : text) {
        if (c == '"') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

struct rules {
    std::string chain;
    std::string comment;

    template <class Iptables> static rules of(cni::attachment_id const& id) {
        return {iptables_layout::chain<Iptables>(id.network, id.container.str()),
                iptables_layout::comment(id.network, id.container)};
    }

    // What follows "-A <chain> ".
    std::string jump(net::address const& pod) const {
        return "-s " + net::prefix::host(pod).str() + ' ' + comment + " -j " + chain;
    }
    std::string accept(net::prefix const& subnet) const {
        // iptables leaves a match of everything out
        auto const match = subnet.length() == 0 ? std::string{} : "-d " + subnet.network().str() + ' ';
        return match + comment + " -j ACCEPT";
    }
    std::string masquerade(net::family family) const {
        return std::string{family == net::family::ipv4 ? "! -d 224.0.0.0/4 " : "! -d ff00::/8 "} + comment +
               " -j MASQUERADE";
    }
};

/// "-A CHAIN REST" in parts.
struct saved_rule {
    std::string_view chain;
    std::string_view rest;

    static std::optional<saved_rule> parse(std::string_view line) {
        if (!line.starts_with("-A ")) return std::nullopt;
        line.remove_prefix(3);
        auto const space = line.find(' ');
        if (space == line.npos) return std::nullopt;
        return saved_rule{line.substr(0, space), line.substr(space + 1)};
    }
    /// The chain after the final "-j", or the target without its options; empty if there is none.
    std::string_view target() const {
        auto const at = rest.rfind("-j ");
        if (at == rest.npos) return {};
        auto const name = rest.substr(at + 3);
        return name.substr(0, name.find(' '));
    }
    /// After "-s " or "-d " at the beginning.
    std::optional<net::prefix> match(std::string_view option) const {
        if (!rest.starts_with(option)) return std::nullopt;
        auto const text = rest.substr(option.size());
        return net::prefix::parse(text.substr(0, text.find(' ')));
    }
};

} // namespace cnix::nat::iptables_layout
