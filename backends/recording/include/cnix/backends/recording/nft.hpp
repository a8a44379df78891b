#pragma once
#include <cnix/backends/recording/names.hpp>
#include <cnix/concepts/nft_backend.hpp>

namespace cnix::backends::recording {

/// nftables that keeps what it was asked in the journal, a transaction a here document, and answers from a
/// ruleset that it keeps in memory, one for the process.
class nft {
  public:
    void run(std::string_view script);
    void change(std::vector<cnix::nft::element_change> const& changes);
    void erase(std::vector<cnix::nft::object> const& objects);
    void dry_run(std::string_view script);
    std::optional<cnix::nft::chain> find_chain(cnix::nft::table_id const& table, std::string_view chain);
    std::vector<std::vector<cnix::nft::rule>> rules(cnix::nft::table_id const& table,
                                                    std::vector<std::string> const& chains);
    std::optional<cnix::nft::element> find_element(cnix::nft::set_id const& set, cnix::nft::key const& key);
    std::vector<cnix::nft::element> elements(cnix::nft::set_id const& set);

    static nft_ruleset& ruleset();
    static void reset();

  private:
    static void commit(std::string_view script);
};

static_assert(nft_backend<nft>);

} // namespace cnix::backends::recording

#ifndef CNIX_PREBUILT
#include <cnix/backends/recording/nft.ipp>
#endif
