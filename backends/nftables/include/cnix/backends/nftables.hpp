#pragma once
#include <cnix/backends/nftables/handle.hpp>

#include <string>

namespace cnix::backends {

namespace detail {
/// The program `nft`.
class nft_program {
  public:
    static void run(std::string const& script);
    static void dry_run(std::string const& script);
    static std::string list(std::string const& command);
};
} // namespace detail

/// nftables through the program `nft`, which few verbs start (docs/design/nftables.md), so
/// that a plugin can be linked statically.
using nftables = detail::nft_handle<detail::nft_program>;

static_assert(nft_backend<nftables>);

} // namespace cnix::backends

#ifndef CNIX_PREBUILT
#include <cnix/backends/nftables.ipp>
#endif
