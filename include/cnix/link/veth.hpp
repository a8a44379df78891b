#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/concepts/netlink_backend.hpp>
#include <cnix/sys/random.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

namespace cnix::link {

/// The host end's name: "veth" and 11 hex digits (44 bits) of the attachment's digest, IFNAMSIZ - 1 bytes in all. Two of
/// 1,000 pods share a name with a probability of 3e-8; ADD then fails with "exists", and the runtime tries a new container.
inline net::interface_name host_interface_name(cni::attachment_id const& attachment) {
    return net::interface_name::parse("veth" + attachment.digest().substr(0, 11)).value();
}

/// What the host end's alias begins with for every attachment of the network, and only for these.
inline std::string network_alias(cni::network_name const& network) {
    return "cnix:" + cni::digest(network) + ":";
}

/// The host end's alias: by which GC knows whose it is, with a readable rest as far as IFALIASZ - 1 bytes go.
inline std::string host_interface_alias(cni::attachment_id const& attachment) {
    std::string alias = network_alias(attachment.network) + attachment.digest() + ' ' +
                        attachment.network.str() + '/' + attachment.container.str() + '/' +
                        attachment.interface.str();
    alias.resize(std::min<std::size_t>(alias.size(), 255));
    return alias;
}

/// attachment_id::digest() of an alias; empty if it is not one of the network.
inline std::string attachment_digest(std::string const& alias, cni::network_name const& network) {
    std::string const start = network_alias(network);
    return alias.starts_with(start) ? alias.substr(start.size(), 32) : std::string{};
}

/// Whether it is the alias of the attachment's host end.
inline bool is_alias_of(std::string const& alias, cni::attachment_id const& attachment) {
    return attachment_digest(alias, attachment.network) == attachment.digest();
}

/// Whether it is the alias of another attachment's host end, on whatever network.
inline bool is_alias_of_another(std::string const& alias, cni::attachment_id const& attachment) {
    return alias.starts_with("cnix:") && !is_alias_of(alias, attachment);
}

/// The interface group (IFLA_GROUP) that a host end of the network has from its creation until it has its alias, which
/// cannot be given at creation. GC knows by it what an ADD left that was killed in between.
inline std::uint32_t network_group(cni::network_name const& network) {
    auto const digits =
        static_cast<std::uint32_t>(std::stoul(cni::digest(network).substr(0, 8), nullptr, 16));
    return (digits & 0x7fffffff) | 1; // no more than `ip` takes, and never 0, "default"
}

/// A locally administered unicast address below 0x80, so never one of random_port_mac(). Random, because it must be unique
/// on a layer 2 that other nodes may share.
inline net::mac random_mac() {
    auto bytes = sys::random_bytes<6>();
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7c) | 0x02);
    return net::mac{bytes};
}

/// The same for a bridge's port. A bridge whose own address nobody set takes the lowest one of its ports
/// (br_stp_recalculate_bridge_id in net/bridge/br_stp_if.c); with 0xfe in front this one is never the lowest.
inline net::mac random_port_mac() {
    auto bytes = sys::random_bytes<6>();
    bytes[0] = 0xfe;
    return net::mac{bytes};
}

} // namespace cnix::link
