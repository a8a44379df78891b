#pragma once
#include <cnix/cni/error.hpp>

#include <nftables/libnftables.h>

#include <dlfcn.h>
#include <memory>
#include <string>

namespace cnix::backends::detail {

/// libnftables.so.1, loaded when first asked for and kept: it and what it pulls in cost a process more than a
/// millisecond to load, which only those should pay who change rules.
class nft_library {
  public:
    /// Throws cni::error, code 50, if the library cannot be loaded.
    static nft_library const& get() {
        static nft_library const library; // not made, and tried again by the next call, if this throws
        return library;
    }

    decltype(&::nft_ctx_new) ctx_new;
    decltype(&::nft_ctx_free) ctx_free;
    decltype(&::nft_ctx_set_dry_run) ctx_set_dry_run;
    decltype(&::nft_ctx_buffer_output) ctx_buffer_output;
    decltype(&::nft_ctx_buffer_error) ctx_buffer_error;
    decltype(&::nft_ctx_get_output_buffer) ctx_get_output_buffer;
    decltype(&::nft_ctx_get_error_buffer) ctx_get_error_buffer;
    decltype(&::nft_ctx_output_set_flags) ctx_output_set_flags;
    decltype(&::nft_run_cmd_from_buffer) run_cmd_from_buffer;

  private:
    static constexpr char const* name = "libnftables.so.1";

    nft_library() : handle_{::dlopen(name, RTLD_NOW | RTLD_LOCAL)} {
        if (!handle_) fail(::dlerror());
        load(ctx_new, "nft_ctx_new");
        load(ctx_free, "nft_ctx_free");
        load(ctx_set_dry_run, "nft_ctx_set_dry_run");
        load(ctx_buffer_output, "nft_ctx_buffer_output");
        load(ctx_buffer_error, "nft_ctx_buffer_error");
        load(ctx_get_output_buffer, "nft_ctx_get_output_buffer");
        load(ctx_get_error_buffer, "nft_ctx_get_error_buffer");
        load(ctx_output_set_flags, "nft_ctx_output_set_flags");
        load(run_cmd_from_buffer, "nft_run_cmd_from_buffer");
    }

    template <class Function> void load(Function& function, char const* symbol) {
        // POSIX makes a pointer from dlsym convertible to a function pointer.
        function = reinterpret_cast<Function>(::dlsym(handle_.get(), symbol));
        if (!function) fail(::dlerror());
    }
    [[noreturn]] static void fail(char const* reason) {
        throw cni::error{cni::code::plugin_not_available, "cnix: nftables: cannot load " + std::string{name} +
                                                              ": " + (reason ? reason : "unknown reason") +
                                                              "; install the package `libnftables1`"};
    }

    struct close {
        void operator()(void* handle) const noexcept { ::dlclose(handle); }
    };
    std::unique_ptr<void, close> handle_;
};

/// A context of libnftables: its netlink socket belongs to the network namespace that was current when it was
/// made.
class nft_context {
  public:
    nft_context()
        : library_{nft_library::get()}, context_{library_.ctx_new(NFT_CTX_DEFAULT), library_.ctx_free} {
        if (!context_ || library_.ctx_buffer_output(context_.get()) != 0 ||
            library_.ctx_buffer_error(context_.get()) != 0)
            throw cni::error{cni::code::internal, "cnix: nftables: libnftables cannot make a context"};
    }

    /// What it prints. Throws cni::error with its complaint.
    std::string run(std::string const& script, unsigned output_flags = 0, bool dry = false) {
        library_.ctx_output_set_flags(context_.get(), output_flags);
        library_.ctx_set_dry_run(context_.get(), dry);
        int const failed = library_.run_cmd_from_buffer(context_.get(), script.c_str());
        std::string output = library_.ctx_get_output_buffer(context_.get());   // reading empties the buffers,
        std::string complaint = library_.ctx_get_error_buffer(context_.get()); // so both are read every time
        if (failed)
            throw cni::error{cni::code::internal, "cnix: nftables: " + first_line(complaint), complaint};
        return output;
    }

  private:
    static std::string first_line(std::string const& complaint) {
        auto line = complaint.substr(0, complaint.find('\n'));
        return line.empty() ? "the kernel refuses the transaction" : line;
    }

    nft_library const& library_;
    std::unique_ptr<::nft_ctx, decltype(&::nft_ctx_free)> context_;
};

} // namespace cnix::backends::detail
