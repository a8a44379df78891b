#pragma once
#include <cnix/backends/nftables/handle.hpp>

namespace cnix::backends {

namespace detail {
class nft_context;
}

/// nftables through libnftables in the process, for a plugin that must start no program. It links the library
/// dynamically (there is no other), so that every process pays for loading it: more than a millisecond, as
/// much as the rest of an ADD.
using libnftables = detail::nft_handle<detail::nft_context>;

static_assert(nft_backend<libnftables>);

} // namespace cnix::backends

#ifndef CNIX_PREBUILT
#include <cnix/backends/libnftables.ipp>
#endif
