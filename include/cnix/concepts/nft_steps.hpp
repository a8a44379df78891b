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
    // many refused transactions: of half a millisecond, or of 4 where nft is started.
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

/// Erases the objects if nothing leads to the chain. It has to be one of them, so that the kernel refuses if
/// something leads there by then.
template <nft_backend Nft>
void erase_unused(Nft& nft, table_id const& table, std::string_view chain,
                  std::vector<object> const& objects) {
    retry([&](int) {
        auto const now = nft.find_chain(table, chain);
        if (now && now->references == 0) nft.erase(objects);
    });
}

/// Appends what distinguishes the table's chains from what they should be.
template <nft_backend Nft>
void check_chains(Nft& nft, table_id const& table, std::vector<chain_plan> const& plans, findings& found) {
    std::vector<std::string> names;
    for (auto const& plan : plans) names.push_back(plan.name);
    auto const rules = nft.rules(table, names);
    for (std::size_t i = 0; i < plans.size(); ++i) {
        auto const& plan = plans[i];
        auto const place = "nftables: chain " + text(table) + ' ' + plan.name;
        auto const now = nft.find_chain(table, plan.name);
        if (!now) {
            found.push_back(place + " is missing");
            continue;
        }
        if (now->hook != plan.hook.hook || now->type != plan.hook.type || now->priority != plan.hook.priority)
            found.push_back(place + " is hooked to \"" + now->hook + "\" as \"" + now->type +
                            "\" at priority " + std::to_string(now->priority));
        std::vector<std::string> texts;
        std::string shown;
        for (auto const& rule : rules[i]) {
            texts.push_back(rule.text);
            shown += (shown.empty() ? "`" : ", `") + rule.text + '`';
        }
        if (texts != plan.rules)
            found.push_back(place +
                            " has other rules than cnix gave it: " + (shown.empty() ? "none" : shown));
    }
}

} // namespace cnix::nft
