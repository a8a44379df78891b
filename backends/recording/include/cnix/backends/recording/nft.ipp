#pragma once
#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/backends/recording/nft_ruleset.hpp>
#include <cnix/concepts/nft_script.hpp>
#include <cnix/prebuilt.hpp>

#include <boost/algorithm/string/join.hpp>

#include <utility>

namespace cnix::backends::recording {

CNIX_INLINE void nft::run(std::string_view script) {
    faults::call("run a transaction of nftables");
    commit(script);
}

CNIX_INLINE void nft::change(std::vector<cnix::nft::element_change> const& changes) {
    faults::call("change elements of nftables");
    if (!changes.empty()) commit(cnix::nft::text(changes));
}

CNIX_INLINE void nft::erase(std::vector<cnix::nft::object> const& objects) {
    faults::call("delete objects of nftables");
    std::string script;
    auto changed = ruleset();
    for (auto const& object : objects) {
        auto const command = "delete " + cnix::nft::text(object) + '\n';
        if (object.kind == cnix::nft::object::kind::empty_table && !changed.is_empty(object.table))
            throw cni::error{cni::code::internal,
                             "cnix: nftables: cannot " + command + ": Device or resource busy"};
        changed.apply(command);
        script += command;
    }
    if (!objects.empty()) commit(script);
}

CNIX_INLINE void nft::dry_run(std::string_view script) {
    faults::call("check a transaction of nftables");
    auto copy = ruleset();
    copy.apply(script);
}

CNIX_INLINE std::optional<cnix::nft::chain> nft::find_chain(cnix::nft::table_id const& table,
                                                            std::string_view chain) {
    faults::call("look for a chain of nftables");
    return ruleset().find_chain(table, chain);
}

CNIX_INLINE std::vector<std::vector<cnix::nft::rule>> nft::rules(cnix::nft::table_id const& table,
                                                                 std::vector<std::string> const& chains) {
    faults::call("list chains of nftables");
    std::vector<std::vector<cnix::nft::rule>> all;
    for (auto const& chain : chains) all.push_back(ruleset().rules(table, chain));
    return all;
}

CNIX_INLINE std::optional<cnix::nft::element> nft::find_element(cnix::nft::set_id const& set,
                                                                cnix::nft::key const& key) {
    faults::call("look for an element of nftables");
    return ruleset().find_element(set, key);
}

CNIX_INLINE std::vector<cnix::nft::element> nft::elements(cnix::nft::set_id const& set) {
    faults::call("list a set of nftables");
    return ruleset().elements(set);
}

CNIX_INLINE auto nft::ruleset() -> nft_ruleset& { return kernel::self().part<nft_ruleset>(); }

CNIX_INLINE void nft::reset() { ruleset() = {}; }

CNIX_INLINE void nft::commit(std::string_view script) {
    auto changed = ruleset();
    changed.apply(script);
    auto const former = std::exchange(ruleset(), std::move(changed));
    std::vector<std::string> undo;
    if (auto const commands = ruleset().commands_to(former); !commands.empty())
        undo.push_back("nft " + recording::quoted(boost::algorithm::join(commands, "; ")));
    journal::append("nft -f - <<'END'\n" + std::string{script} + "END", std::move(undo));
}

} // namespace cnix::backends::recording
