#pragma once
#include <cnix/cni/valid_attachments.hpp>
#include <cnix/prebuilt.hpp>

namespace cnix::cni {

CNIX_INLINE void valid_attachments::insert(container_id const& container,
                                           net::interface_name const& interface) {
    digests_.insert(attachment_id{network_, container, interface}.digest());
    pairs_.emplace(container.str(), interface.str());
    containers_.insert(container.str());
}

CNIX_INLINE bool valid_attachments::contains(std::string const& container,
                                             std::string const& interface) const {
    return pairs_.contains({container, interface});
}

CNIX_INLINE bool valid_attachments::contains_container(std::string const& container) const {
    return containers_.contains(container);
}

CNIX_INLINE bool valid_attachments::contains_digest(std::string const& digest) const {
    return digests_.contains(digest);
}

CNIX_INLINE void valid_attachments::know_addresses(std::optional<std::set<net::address>> addresses) {
    addresses_ = std::move(addresses);
}

CNIX_INLINE bool valid_attachments::surely_garbage(net::address const& address) const {
    return addresses_ && !addresses_->contains(address);
}

} // namespace cnix::cni
