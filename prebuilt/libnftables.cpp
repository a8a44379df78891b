#include <cnix/backends/libnftables.ipp>
#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables/handle.ipp>
#include <cnix/link/bridge.ipp>
#include <cnix/link/spoof_check.ipp>
#include <cnix/nat/nftables.ipp>
#include <cnix/ns/setns.hpp>

#include "instantiate.hpp"

namespace cnix {

using backends::libnftables;
template class backends::detail::nft_handle<backends::detail::nft_context>;
template class nat::nftables<libnftables>;
template class link::spoof_check<libnftables>;
CNIX_INSTANTIATE_LINK(ns::setns, link::bridge<backends::libnl, link::spoof_check<libnftables>>);

} // namespace cnix
