#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/cni/rollback.hpp>
#include <cnix/cni/valid_attachments.hpp>
#include <cnix/concepts/settings.hpp>
#include <cnix/net/mac.hpp>

#include <string_view>

namespace cnix::link {

/// For a bridge that is not to contain nftables: `macspoofchk` is refused, so there is never anything to do.
struct no_spoof_check {
    using planned = no_spoof_check; ///< it changes nothing (docs/plan.md)
    static constexpr std::string_view refusal = "this composition has no spoof check; compose link::bridge "
                                                "with link::spoof_check, or leave the key out";

    void add(cni::attachment const&, net::interface_name const&, net::mac const&, cni::rollback&) {}
    void del(cni::attachment const&, net::interface_name const&) {}
    void check(cni::attachment const&, net::interface_name const&, net::mac const&, findings&) {}
    void gc(cni::valid_attachments const&, findings&) {}
    void status(findings&) {}
};

} // namespace cnix::link
