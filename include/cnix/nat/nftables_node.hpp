#pragma once
#include <cnix/concepts/nft_steps.hpp>
#include <cnix/nat/nftables_node_layout.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace cnix::nat {

/// nat::nftables' part of node_nat_policy: one transaction where something differs, none where nothing does.
template <nft_backend Nft> class nftables_node {
  public:
    explicit nftables_node(Nft& nft) : nft_{nft} {}

    void set_up(node_nat const& wanted) {
        nft::retry([&](int) {
            findings found;
            check(wanted, found);
            if (found.empty()) return;
            auto const plans = nftables_node_layout::plans(wanted);
            if (plans.empty()) return remove();
            std::string script = "add table " + nft::text(nftables_layout::table) + '\n';
            // As a whole, since the hook of a chain that is there cannot be changed.
            for (auto const& name : there()) script += "delete chain " + chain(name) + '\n';
            for (auto const& plan : plans) script += nft::make(nftables_layout::table, plan);
            nft_.run(script);
        });
    }

    void check(node_nat const& wanted, findings& found) {
        auto const plans = nftables_node_layout::plans(wanted);
        for (auto const& name : there())
            if (std::ranges::find(plans, name, &nft::chain_plan::name) == plans.end())
                found.push_back("nftables: chain " + chain(name) + " is not wanted any more");
        if (!plans.empty()) nft::check_chains(nft_, nftables_layout::table, plans, found);
    }

    void remove() {
        nft::retry([&](int) {
            std::vector<nft::object> objects;
            for (auto const& name : there())
                objects.push_back({nft::object::kind::chain, nftables_layout::table, name});
            if (objects.empty()) return;
            // Refused if a pod's masquerading comes by then.
            if (!nft_.find_chain(nftables_layout::table, nftables_layout::outbound))
                objects.push_back({nft::object::kind::empty_table, nftables_layout::table, {}});
            nft_.erase(objects);
        });
    }

    /// Whether the node has anything in the table. Costs microseconds.
    bool is_there() { return !there().empty(); }

  private:
    std::vector<std::string> there() {
        std::vector<std::string> found;
        for (auto const name : nftables_node_layout::names)
            if (nft_.find_chain(nftables_layout::table, name)) found.emplace_back(name);
        return found;
    }
    static std::string chain(std::string const& name) {
        return nft::text(nftables_layout::table) + ' ' + name;
    }

    Nft& nft_;
};

} // namespace cnix::nat
