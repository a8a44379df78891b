#pragma once
#include <cnix/cni/identifier.hpp>
#include <cnix/net/address.hpp>
#include <cnix/net/interface_name.hpp>

#include <string>
#include <vector>

namespace cnix::cni {

/// RFC 4122 version 5 identifier (122 bits of SHA-1) of a text, as 32 lower-case hex digits.
std::string digest(std::string_view text);

/// One interface of one container on one network: what identifies an attachment in every verb, and in the list of
/// valid attachments of GC.
struct attachment_id {
    network_name network;
    container_id container;
    net::interface_name interface;

    /// A pure function of the three, so that every name cnix makes can be found again without saved state.
    std::string digest() const;

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

#ifndef CNIX_PREBUILT
#include <cnix/cni/attachment.ipp>
#endif
