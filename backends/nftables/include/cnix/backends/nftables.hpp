#pragma once
#include <cnix/backends/nftables/library.hpp>
#include <cnix/backends/nftables/queries.hpp>
#include <cnix/backends/nftables/rule_text.hpp>
#include <cnix/backends/nftables/transaction.hpp>
#include <cnix/concepts/nft_backend.hpp>

#include <memory>

namespace cnix::backends {

/// nftables through libnftables, which is loaded by the first run(), dry_run() or rules(), and for the rest
/// through messages of the kernel's own. Copies share one context and one socket.
///
/// Keep one until the verb is over: after a transaction that deleted something, closing a netlink socket
/// waits for the kernel to free it (nft_rcv_nl_event in net/netfilter/nf_tables_api.c), about 15 ms that
/// otherwise pass while other things are done.
class libnftables {
  public:
    void run(std::string_view script) { context().run(std::string{script}); }
    void dry_run(std::string_view script) { context().run(std::string{script}, 0, true); }

    void change(std::vector<nft::element_change> const& changes) {
        detail::nft_transaction{changes}.commit(socket());
    }

    std::optional<nft::chain> find_chain(nft::table_id const& table, std::string_view chain) {
        return queries().find_chain(table, chain);
    }
    /// Grows with the table: libnftables reads all of it.
    std::vector<nft::rule> rules(nft::table_id const& table, std::string_view chain) {
        if (!find_chain(table, chain)) return {};
        std::string list = "list chain ";
        list.append(table.family).append(" ").append(table.name).append(" ").append(chain);
        return detail::rule_text::all(context().run(list, NFT_CTX_OUTPUT_JSON));
    }
    std::optional<nft::element> find_element(nft::set_id const& set, nft::key const& key) {
        return queries().find_element(set, key);
    }
    std::vector<nft::element> elements(nft::set_id const& set) { return queries().elements(set); }

  private:
    detail::nft_context& context() {
        if (!context_) context_ = std::make_shared<detail::nft_context>();
        return *context_;
    }
    ::nl_sock& socket() {
        if (!socket_) socket_ = detail::open_netfilter_socket();
        return *socket_;
    }
    detail::nft_queries queries() { return detail::nft_queries{socket()}; }

    std::shared_ptr<detail::nft_context> context_;
    std::shared_ptr<::nl_sock> socket_;
};

static_assert(nft_backend<libnftables>);

} // namespace cnix::backends
