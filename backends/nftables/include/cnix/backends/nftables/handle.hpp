#pragma once
#include <cnix/concepts/nft_backend.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct nl_sock;

namespace cnix::backends::detail {

/// nftables: what is written in nft's language goes through Nft, the rest by messages of the kernel's own.
/// Copies share one Nft and one socket.
///
/// Keep one until the verb is over: after a transaction that deleted something, closing a netlink socket
/// waits for the kernel to free it (nft_rcv_nl_event in net/netfilter/nf_tables_api.c), about 15 ms that
/// otherwise pass while other things are done.
template <class Nft> class nft_handle {
  public:
    void run(std::string_view script);
    void dry_run(std::string_view script);

    void change(std::vector<nft::element_change> const& changes);
    void erase(std::vector<nft::object> const& objects);

    std::optional<nft::chain> find_chain(nft::table_id const& table, std::string_view chain);
    std::vector<std::vector<nft::rule>> rules(nft::table_id const& table,
                                              std::vector<std::string> const& chains);
    std::optional<nft::element> find_element(nft::set_id const& set, nft::key const& key);
    std::vector<nft::element> elements(nft::set_id const& set);

  private:
    Nft& language();
    ::nl_sock& socket();

    std::shared_ptr<Nft> nft_;
    std::shared_ptr<::nl_sock> socket_;
};

} // namespace cnix::backends::detail

#ifndef CNIX_PREBUILT
#include <cnix/backends/nftables/handle.ipp>
#endif
