#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/prebuilt.hpp>

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid.hpp>

namespace cnix::cni {

CNIX_INLINE std::string digest(std::string_view text) {
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

CNIX_INLINE std::string attachment_id::digest() const {
    return cni::digest(network.str() + '/' + container.str() + '/' + interface.str());
}

} // namespace cnix::cni
