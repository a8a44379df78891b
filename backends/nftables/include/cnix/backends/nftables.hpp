#pragma once
#include <cnix/backends/nftables/handle.hpp>
#include <cnix/backends/program.hpp>

namespace cnix::backends {

namespace detail {
/// The program `nft`.
class nft_program {
  public:
    static void run(std::string const& script) { call({"-f", "-"}, script); }
    static void dry_run(std::string const& script) { call({"--check", "-f", "-"}, script); }
    static std::string list(std::string const& command) {
        return call({"--terse", "--handle", "-f", "-"}, command);
    }

  private:
    static std::string call(std::vector<std::string> const& options, std::string const& script) {
        return run_program("nftables", "nft", options, script);
    }
};
} // namespace detail

/// nftables through the program `nft`, which few verbs start (docs/design/nftables.md), so
/// that a plugin can be linked statically.
using nftables = detail::nft_handle<detail::nft_program>;

static_assert(nft_backend<nftables>);

} // namespace cnix::backends
