#include <cnix/backends/libnl.hpp>
#include <cnix/link/eni_routed.ipp>
#include <cnix/ns/setns.hpp>

#include "instantiate.hpp"

namespace cnix {

CNIX_INSTANTIATE_PREPARING_LINK(ns::setns, link::eni_routed<backends::libnl>);

} // namespace cnix
