#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/concepts/nft_script.hpp>
#include <cnix/concepts/settings.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace cnix::nft {

/// Steps that the policies on nftables share.

/// Calls attempt(0), attempt(1), ... until one does not throw: a transaction that failed because another
/// process changed what it counted on is made anew from what is there now. The last failure is thrown.
template <class Attempt> void retry(Attempt&& attempt) {
    // Each failure means that another process got on. One for want of rights or of kernel support costs as
    // many refused transactions, of half a millisecond.
    constexpr int attempts = 10;
    for (int i = 0;; ++i) {
        try {
            attempt(i);
            return;
        } catch (cni::error const& e) {
            if (i + 1 == attempts || e.code() == cni::code::plugin_not_available) throw;
        }
    }
}

/// Runs the script if nothing leads to the chain. The script has to delete the chain, so that the kernel
/// refuses it if something leads there by then.
template <nft_backend Nft>
void delete_unused(Nft& nft, table_id const& table, std::string_view chain, std::string const& script) {
    retry([&](int) {
        auto const now = nft.find_chain(table, chain);
        if (now && now->references == 0) nft.run(script);
    });
}

/// Appends what distinguishes the chain from one with this hook (that of a default chain: none) and these
/// rules.
template <nft_backend Nft>
void check_chain(Nft& nft, table_id const& table, std::string_view chain, nft::chain const& hook,
                 std::vector<std::string> const& expected, findings& found) {
    auto const place = "nftables: chain " + text(table) + ' ' + std::string{chain};
    auto const now = nft.find_chain(table, chain);
    if (!now) {
        found.push_back(place + " is missing");
        return;
    }
    if (now->hook != hook.hook || now->type != hook.type || now->priority != hook.priority)
        found.push_back(place + " is hooked to \"" + now->hook + "\" as \"" + now->type + "\" at priority " +
                        std::to_string(now->priority));
    std::vector<std::string> rules;
    std::string shown;
    for (auto const& rule : nft.rules(table, chain)) {
        rules.push_back(rule.text);
        shown += (shown.empty() ? "`" : ", `") + rule.text + '`';
    }
    if (rules != expected)
        found.push_back(place + " has other rules than cnix gave it: " + (shown.empty() ? "none" : shown));
}

} // namespace cnix::nft
