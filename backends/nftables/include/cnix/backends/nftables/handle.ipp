#pragma once
#include <cnix/backends/nftables/handle.hpp>
#include <cnix/backends/nftables/listing.hpp>
#include <cnix/backends/nftables/queries.hpp>
#include <cnix/backends/nftables/transaction.hpp>
#include <cnix/prebuilt.hpp>

#include <algorithm>

namespace cnix::backends::detail {

template <class Nft> void nft_handle<Nft>::run(std::string_view script) {
    language().run(std::string{script});
}

template <class Nft> void nft_handle<Nft>::dry_run(std::string_view script) {
    language().dry_run(std::string{script});
}

template <class Nft> void nft_handle<Nft>::change(std::vector<nft::element_change> const& changes) {
    nft_transaction{changes}.commit(socket());
}

template <class Nft> void nft_handle<Nft>::erase(std::vector<nft::object> const& objects) {
    nft_transaction{objects}.commit(socket());
}

template <class Nft>
std::optional<nft::chain> nft_handle<Nft>::find_chain(nft::table_id const& table, std::string_view chain) {
    return nft_queries{socket()}.find_chain(table, chain);
}

template <class Nft>
std::vector<std::vector<nft::rule>> nft_handle<Nft>::rules(nft::table_id const& table,
                                                           std::vector<std::string> const& chains) {
    // Several chains cannot be listed by one script: nft 1.0.6 reads only the last one's.
    bool const any = std::ranges::any_of(
        chains, [&](std::string const& chain) { return find_chain(table, chain).has_value(); });
    auto listed = any ? nft_listed(language().list("list table " + nft::text(table))) : nft_listing{};
    std::vector<std::vector<nft::rule>> rules;
    for (auto const& chain : chains) rules.push_back(listed[chain]);
    return rules;
}

template <class Nft>
std::optional<nft::element> nft_handle<Nft>::find_element(nft::set_id const& set, nft::key const& key) {
    return nft_queries{socket()}.find_element(set, key);
}

template <class Nft> std::vector<nft::element> nft_handle<Nft>::elements(nft::set_id const& set) {
    return nft_queries{socket()}.elements(set);
}

template <class Nft> auto nft_handle<Nft>::language() -> Nft& {
    if (!nft_) nft_ = std::make_shared<Nft>();
    return *nft_;
}

template <class Nft> auto nft_handle<Nft>::socket() -> ::nl_sock& {
    if (!socket_) socket_ = open_netfilter_socket();
    return *socket_;
}

} // namespace cnix::backends::detail
