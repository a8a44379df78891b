#include <cnix/backends/recording/netlink.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/backends/recording/ns.hpp>
#include <cnix/link/bridge.ipp>
#include <cnix/link/spoof_check.ipp>
#include <cnix/nat/nftables.ipp>

#include "instantiate.hpp"

namespace cnix {

using namespace backends;
template class nat::nftables<recording::nft>;
template class link::spoof_check<recording::nft>;
CNIX_INSTANTIATE_LINK(recording::ns, link::bridge<recording::netlink>);
CNIX_INSTANTIATE_LINK(recording::ns, link::bridge<recording::netlink, link::spoof_check<recording::nft>>);

} // namespace cnix
