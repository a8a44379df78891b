#include <cnix/backends/recording/netlink.hpp>
#include <cnix/backends/recording/ns.hpp>
#include <cnix/link/eni_routed.ipp>

#include "instantiate.hpp"

namespace cnix {

CNIX_INSTANTIATE_PREPARING_LINK(backends::recording::ns, link::eni_routed<backends::recording::netlink>);

} // namespace cnix
