#pragma once
#include <cnix/backends/libnftables.hpp>
#include <cnix/backends/program.hpp>
#include <cnix/cni/error.hpp>

#include <nftables/libnftables.h>

#include <memory>
#include <string>

namespace cnix::backends::detail {

/// A context of libnftables: its netlink socket belongs to the network namespace that was current when it was
/// made.
class nft_context {
  public:
    nft_context() : context_{::nft_ctx_new(NFT_CTX_DEFAULT), ::nft_ctx_free} {
        if (!context_ || ::nft_ctx_buffer_output(context_.get()) != 0 ||
            ::nft_ctx_buffer_error(context_.get()) != 0)
            throw cni::error{cni::code::internal, "cnix: nftables: libnftables cannot make a context"};
    }

    void run(std::string const& script) { call(script, 0, false); }
    void dry_run(std::string const& script) { call(script, 0, true); }
    std::string list(std::string const& command) {
        return call(command, NFT_CTX_OUTPUT_TERSE | NFT_CTX_OUTPUT_HANDLE, false);
    }

  private:
    std::string call(std::string const& script, unsigned output_flags, bool dry) {
        ::nft_ctx_output_set_flags(context_.get(), output_flags);
        ::nft_ctx_set_dry_run(context_.get(), dry);
        int const failed = ::nft_run_cmd_from_buffer(context_.get(), script.c_str());
        std::string output = ::nft_ctx_get_output_buffer(context_.get());   // reading empties the buffers,
        std::string complaint = ::nft_ctx_get_error_buffer(context_.get()); // so both are read every time
        if (failed) {
            auto const line = first_line(complaint);
            throw cni::error{
                cni::code::internal,
                "cnix: nftables: " + (line.empty() ? "the kernel refuses the transaction" : line), complaint};
        }
        return output;
    }

    std::unique_ptr<::nft_ctx, decltype(&::nft_ctx_free)> context_;
};

} // namespace cnix::backends::detail
