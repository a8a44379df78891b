#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/link/bridge.ipp>
#include <cnix/link/spoof_check.hpp>
#include <cnix/ns/setns.hpp>

#include "instantiate.hpp"

namespace cnix {

using backends::libnl;
CNIX_INSTANTIATE_LINK(ns::setns, link::bridge<libnl>);
CNIX_INSTANTIATE_LINK(ns::setns, link::bridge<libnl, link::spoof_check<backends::nftables>>);

} // namespace cnix
