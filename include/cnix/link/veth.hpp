#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/concepts/netlink_backend.hpp>

#include <array>
#include <cstdint>
#include <random>
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
    std::string alias = network_alias(attachment.network) + attachment.digest() + ' ' + attachment.network.str() + '/' +
                        attachment.container.str() + '/' + attachment.interface.str();
    alias.resize(std::min<std::size_t>(alias.size(), 255));
    return alias;
}

/// attachment_id::digest() of an alias; empty if it is not one of the network.
inline std::string attachment_digest(std::string const& alias, cni::network_name const& network) {
    std::string const start = network_alias(network);
    return alias.starts_with(start) ? alias.substr(start.size(), 32) : std::string{};
}

/// A locally administered unicast address. Random, because it must be unique on a layer 2 that other nodes may share.
inline net::mac random_mac() {
    std::random_device entropy;
    std::array<std::uint8_t, 6> bytes{};
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(entropy());
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0xfc) | 0x02);
    return net::mac{bytes};
}

} // namespace cnix::link
