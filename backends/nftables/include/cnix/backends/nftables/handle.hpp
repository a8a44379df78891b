#pragma once
#include <cnix/backends/nftables/listing.hpp>
#include <cnix/backends/nftables/queries.hpp>
#include <cnix/backends/nftables/transaction.hpp>
#include <cnix/concepts/nft_backend.hpp>

#include <algorithm>
#include <memory>
#include <string>

namespace cnix::backends::detail {

/// nftables: what is written in nft's language goes through Nft, the rest by messages of the kernel's own.
/// Copies share one Nft and one socket.
///
/// Keep one until the verb is over: after a transaction that deleted something, closing a netlink socket
/// waits for the kernel to free it (nft_rcv_nl_event in net/netfilter/nf_tables_api.c), about 15 ms that
/// otherwise pass while other things are done.
template <class Nft> class nft_handle {
  public:
    void run(std::string_view script) { language().run(std::string{script}); }
    void dry_run(std::string_view script) { language().dry_run(std::string{script}); }

    void change(std::vector<nft::element_change> const& changes) {
        nft_transaction{changes}.commit(socket());
    }
    void erase(std::vector<nft::object> const& objects) { nft_transaction{objects}.commit(socket()); }

    std::optional<nft::chain> find_chain(nft::table_id const& table, std::string_view chain) {
        return queries().find_chain(table, chain);
    }
    std::vector<std::vector<nft::rule>> rules(nft::table_id const& table,
                                              std::vector<std::string> const& chains) {
        // Several chains cannot be listed by one script: nft 1.0.6 reads only the last one's.
        bool const any = std::ranges::any_of(
            chains, [&](std::string const& chain) { return find_chain(table, chain).has_value(); });
        auto listed = any ? nft_listed(language().list("list table " + nft::text(table))) : nft_listing{};
        std::vector<std::vector<nft::rule>> rules;
        for (auto const& chain : chains) rules.push_back(listed[chain]);
        return rules;
    }
    std::optional<nft::element> find_element(nft::set_id const& set, nft::key const& key) {
        return queries().find_element(set, key);
    }
    std::vector<nft::element> elements(nft::set_id const& set) { return queries().elements(set); }

  private:
    Nft& language() {
        if (!nft_) nft_ = std::make_shared<Nft>();
        return *nft_;
    }
    ::nl_sock& socket() {
        if (!socket_) socket_ = open_netfilter_socket();
        return *socket_;
    }
    nft_queries queries() { return nft_queries{socket()}; }

    std::shared_ptr<Nft> nft_;
    std::shared_ptr<::nl_sock> socket_;
};

} // namespace cnix::backends::detail
