#pragma once
#include <cnix/cni/rollback.hpp>
#include <cnix/cni/valid_attachments.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/concepts/nft_script.hpp>
#include <cnix/concepts/settings.hpp>

#include <string>
#include <vector>

namespace cnix::link {

/// What is given no backend: the one error.
template <class Nft> class spoof_check : public cnix::detail::no_nft<Nft> {
  public:
    void add(auto&&...) {}
    void del(auto&&...) {}
    void check(auto&&...) {}
    void gc(auto&&...) {}
    void status(auto&&...) {}
};

// clang-format off
/// `macspoofchk`: a bridge port lets pass only frames with the MAC address of its pod.
///
///     table bridge cnix {
///       map ports { type ifname : verdict; elements = { "veth0123456789a" comment "<attachment>" : goto guarded } }
///       set macs  { type ifname . ether_addr; elements = { "veth0123456789a" . 02:00:00:00:00:01 comment "<attachment>" } }
///       chain guarded    { iifname . ether saddr @macs return; drop }
///       chain prerouting { type filter hook prerouting priority dstnat; iifname vmap @ports }
///     }
// clang-format on
///
/// Four rules, however many pods. The elements of `ports` hold the chain `guarded` (EBUSY), so the
/// transaction that
/// deletes it together with the table is refused while there is a guarded port.
///
/// DEL also removes what the reference plugin left of the attachment in the table `bridge nat`
/// (containernetworking/plugins, pkg/link/spoofcheck.go).
template <nft_backend Nft> class spoof_check<Nft> {
  public:
    void add(cni::attachment const& attachment, net::interface_name const& port, net::mac const& mac,
             cni::rollback& undo);

    /// Idempotent; touches nothing that belongs to another attachment.
    void del(cni::attachment const& attachment, net::interface_name const& port);

    void check(cni::attachment const& attachment, net::interface_name const& port, net::mac const& mac,
               findings& found);

    void gc(cni::valid_attachments const& valid, findings& found);

    void status(findings& found);

  private:
    static constexpr nft::table_id table{"bridge", "cnix"};
    static constexpr std::string_view guarded = "guarded";

    static nft::set_id ports();
    static nft::set_id macs();
    static nft::chain_plan guarded_plan();
    static nft::chain_plan prerouting_plan();

    static std::string make();
    static std::vector<nft::object> objects();
    /// The port and every address it may send with.
    std::vector<nft::element_change> erase_port(net::interface_name const& port);

    void remove_port(cni::attachment_id const& attachment, net::interface_name const& port);

    static bool stale(cni::valid_attachments const& valid, nft::element const& element);

    void remove_reference(cni::attachment_id const& attachment);
    static bool is_name_character(char c);

    Nft nft_;
};

} // namespace cnix::link

#ifndef CNIX_PREBUILT
#include <cnix/link/spoof_check.ipp>
#endif
