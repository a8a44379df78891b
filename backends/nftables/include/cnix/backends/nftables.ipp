#pragma once
#include <cnix/backends/nftables.hpp>
#include <cnix/backends/program.hpp>
#include <cnix/prebuilt.hpp>

namespace cnix::backends::detail {

CNIX_INLINE void nft_program::run(std::string const& script) {
    run_program("nftables", "nft", {"-f", "-"}, script);
}

CNIX_INLINE void nft_program::dry_run(std::string const& script) {
    run_program("nftables", "nft", {"--check", "-f", "-"}, script);
}

CNIX_INLINE std::string nft_program::list(std::string const& command) {
    return run_program("nftables", "nft", {"--terse", "--handle", "-f", "-"}, command);
}

} // namespace cnix::backends::detail
