#include <cnix/backends/nftables.ipp>
#include <cnix/backends/nftables/handle.ipp>
#include <cnix/link/spoof_check.ipp>
#include <cnix/nat/nftables.ipp>

namespace cnix {

using backends::nftables;
template class backends::detail::nft_handle<backends::detail::nft_program>;
template class nat::nftables<nftables>;
template class link::spoof_check<nftables>;

} // namespace cnix
