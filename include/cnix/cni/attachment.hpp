#pragma once
#include <cnix/cni/identifier.hpp>
#include <cnix/net/address.hpp>
#include <cnix/net/interface_name.hpp>

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid.hpp>

#include <string>
#include <vector>

namespace cnix::cni {

/// RFC 4122 version 5 identifier (122 bits of SHA-1) of a text, as 32 lower-case hex digits.
inline std::string digest(std::string_view text) {
    // The name space of everything cnix names: made once, at random, and never to change.
    static constexpr boost::uuids::uuid name_space{
        {0x6b, 0x1f, 0x0a, 0x3e, 0x52, 0xc4, 0x4d, 0x0b, 0x9e, 0x7d, 0x35, 0x8a, 0xc1, 0x90, 0xe2, 0x47}};
    auto const id = boost::uuids::name_generator_sha1{name_space}(std::string{text});
    std::string hex;
    for (auto byte : id) {
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
}

/// One interface of one container on one network: what identifies an attachment in every verb, and in the list of
/// valid attachments of GC.
struct attachment_id {
    network_name network;
    container_id container;
    net::interface_name interface;

    /// A pure function of the three, so that every name cnix makes can be found again without saved state.
    std::string digest() const {
        return cni::digest(network.str() + '/' + container.str() + '/' + interface.str());
    }

    friend auto operator<=>(attachment_id const&, attachment_id const&) = default;
};

/// What a verb of a policy acts on.
struct attachment : attachment_id {
    /// CNI_NETNS as given. May be empty on DEL, or name what is gone.
    std::string netns = {};
    /// On DEL and CHECK, the attachment's addresses as far as they are known (from prevResult, else from the IPAM).
    /// Empty: not known; a policy then finds what is the attachment's by its names.
    std::vector<net::address> addresses = {};
    /// On DEL without known addresses: those that the pod's other interfaces have, which must not be taken for the
    /// attachment's.
    std::vector<net::address> other_addresses = {};
};

} // namespace cnix::cni
