#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/nat/iptables_node_layout.hpp>

#include <algorithm>
#include <exception>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::nat {

/// nat::iptables' part of node_nat_policy: one iptables-restore a table and family that differs, none where nothing does. Each
/// is computed from one save.
template <iptables_backend Iptables> class iptables_node {
  public:
    explicit iptables_node(Iptables& iptables) : iptables_{iptables} {}

    void set_up(node_nat const& wanted) {
        // An iptables of before 1.6.2 refuses the table that has --random-fully as a whole. What it then needs may be there.
        auto const plans = iptables_node_layout::plans(wanted);
        auto const old_plans = iptables_node_layout::plans(wanted, true);
        for (std::size_t i = 0; i < plans.size(); ++i) {
            try {
                apply(plans[i]);
            } catch (cni::error const& e) {
                bool const other = plans[i].chains != old_plans[i].chains;
                if (!other || e.code() == cni::code::plugin_not_available) throw;
                try {
                    apply(old_plans[i]);
                } catch (cni::error const&) {
                    throw e;
                }
            }
        }
    }

    void check(node_nat const& wanted, findings& found) {
        auto const plans = iptables_node_layout::plans(wanted);
        auto const old_plans = iptables_node_layout::plans(wanted, true);
        for (std::size_t i = 0; i < plans.size(); ++i) {
            auto const now = read(plans[i]);
            // Whether this iptables knows --random-fully is not asked: it would be another process.
            bool const fits = changes(now, plans[i]).empty() || changes(now, old_plans[i]).empty();
            if (!fits) compare(now, plans[i], found);
        }
    }

    void remove() {
        std::exception_ptr failure; // of one table, which must not keep the others' rules
        for (auto const& plan : iptables_node_layout::plans({.ipv4 = false, .node_port = false})) {
            try {
                apply(plan);
            } catch (...) {
                if (!failure) failure = std::current_exception();
            }
        }
        if (failure) std::rethrow_exception(failure);
    }

  private:
    using table_plan = iptables_node_layout::table_plan;
    using shared_rule = iptables_node_layout::shared_rule;
    using own_chain = iptables_node_layout::own_chain;

    /// What a table holds of cnix's.
    struct state {
        std::vector<own_chain> chains;
        std::vector<shared_rule> rules; ///< with `first` and `last` as they are

        friend bool operator==(state const&, state const&) = default;
    };

    void apply(table_plan const& plan) {
        // Others change the table, too, and another cnix may add the same rules between save and restore: so it is looked at
        // until nothing is to be changed. What is refused while others change the table may have been right before.
        constexpr int attempts = 50, refusals = 4;
        state seen;
        for (int i = 1, refused = 0; i <= attempts; ++i) {
            state now = read(plan);
            auto const commands = changes(now, plan);
            if (commands.empty()) return;
            if (now != seen) refused = 0;
            seen = std::move(now);
            try {
                iptables_.restore(plan.family, plan.table, commands);
            } catch (cni::error const& e) {
                if (++refused == refusals || i == attempts || e.code() == cni::code::plugin_not_available)
                    throw;
            }
        }
    }

    state read(table_plan const& plan) {
        state now;
        auto const built_in = plan.table == ipt::table::filter ? "FORWARD" : "PREROUTING";
        bool const nothing_wanted = plan.rules.empty() && plan.chains.empty();
        if (nothing_wanted && !iptables_.may_have(plan.family, plan.table, built_in)) return now;
        std::set<std::string_view> begun; // chains of which a rule was seen
        auto const lines = iptables_.save(plan.family, plan.table);
        for (std::string_view line : lines) {
            if (line.starts_with(':')) {
                auto const name = line.substr(1, line.find(' ') - 1);
                if (iptables_node_layout::is_ours(plan.table, name))
                    now.chains.push_back({std::string{name}, {}, {}});
            }
            auto const rule = iptables_layout::saved_rule::parse(line);
            if (!rule) continue;
            auto const chain = std::ranges::find(now.chains, rule->chain, &own_chain::name);
            if (chain != now.chains.end()) {
                if (!chain->end.empty()) chain->returns.push_back(std::move(chain->end));
                chain->end = rule->rest;
                continue;
            }
            bool const first = begun.insert(rule->chain).second;
            for (auto& other : now.rules)
                if (other.chain == rule->chain) other.last = false;
            if (iptables_node_layout::is_ours(plan.table, *rule))
                now.rules.push_back({std::string{rule->chain}, std::string{rule->rest}, first, true});
        }
        return now;
    }

    static bool same(own_chain const& one, own_chain const& other) {
        return one.end == other.end && std::ranges::is_permutation(one.returns, other.returns);
    }
    static own_chain const* find(std::vector<own_chain> const& chains, std::string const& name) {
        auto const at = std::ranges::find(chains, name, &own_chain::name);
        return at == chains.end() ? nullptr : &*at;
    }
    /// Whether a rule of the table is what is wanted, where it is wanted. A place among others' rules that was the first is
    /// not taken back: whoever came before it since has a reason.
    static bool fits(shared_rule const& is, shared_rule const& wanted) {
        return is.chain == wanted.chain && is.rest == wanted.rest && (!wanted.last || is.last);
    }

    /// The commands that make of `now` what is wanted: jumps go before the chains that they lead to, and come after them.
    static std::string changes(state const& now, table_plan const& plan) {
        std::string erased, flushed, deleted, made, added;
        auto const command = [](std::string& to, std::string_view verb, std::string_view chain,
                                std::string_view rest = {}) {
            to.append(verb).append(" ").append(chain);
            if (!rest.empty()) to.append(" ").append(rest);
            to += '\n';
        };
        auto missing = plan.rules;
        for (auto const& rule : now.rules) {
            auto const at =
                std::ranges::find_if(missing, [&](auto const& wanted) { return fits(rule, wanted); });
            if (at == missing.end())
                command(erased, "-D", rule.chain, rule.rest);
            else
                missing.erase(at);
        }
        for (auto const& rule : plan.rules) { // what is appended would stand behind it
            bool const behind = rule.last && std::ranges::find(missing, rule) == missing.end() &&
                                std::ranges::find(missing, rule.chain, &shared_rule::chain) != missing.end();
            if (!behind) continue;
            command(erased, "-D", rule.chain, rule.rest);
            missing.push_back(rule);
        }
        for (auto const& chain : now.chains) {
            auto const* wanted = find(plan.chains, chain.name);
            if (wanted && same(chain, *wanted)) continue;
            command(flushed, "-F", chain.name);
            if (!wanted) command(deleted, "-X", chain.name);
        }
        for (auto const& chain : plan.chains) {
            auto const* there = find(now.chains, chain.name);
            if (there && same(*there, chain)) continue;
            if (!there) command(made, "-N", chain.name);
            for (auto const& rule : chain.returns) command(made, "-A", chain.name, rule);
            command(made, "-A", chain.name, chain.end);
        }
        for (auto const& rule : missing)
            if (rule.first)
                command(added, "-I", rule.chain, "1 " + rule.rest);
            else
                command(added, "-A", rule.chain, rule.rest);
        return erased + flushed + deleted + made + added;
    }

    static void compare(state const& now, table_plan const& plan, findings& found) {
        auto const table = std::string{ipt::text(plan.table)};
        auto const program = std::string{ipt::program(plan.family)};
        auto const say = [&](std::string_view what, std::string const& chain, std::string const& rest) {
            found.push_back(program + ": " + std::string{what} + " in table " + table + ": -A " + chain +
                            ' ' + rest);
        };
        auto const before = found.size();
        auto missing = plan.rules;
        for (auto const& rule : now.rules) {
            auto const at = std::ranges::find_if(missing, [&](auto const& wanted) {
                return rule.chain == wanted.chain && rule.rest == wanted.rest;
            });
            if (at == missing.end()) {
                say("not wanted any more", rule.chain, rule.rest);
                continue;
            }
            if (!fits(rule, *at)) say("not the last of its chain", rule.chain, rule.rest);
            missing.erase(at);
        }
        for (auto const& rule : missing) say("missing", rule.chain, rule.rest);
        for (auto const& chain : now.chains)
            if (!find(plan.chains, chain.name))
                found.push_back(program + ": not wanted any more in table " + table + ": chain " +
                                chain.name);
        for (auto const& chain : plan.chains) {
            own_chain const nothing;
            auto const* there = find(now.chains, chain.name);
            auto const& is = there ? *there : nothing;
            for (auto const& rule : chain.returns)
                if (std::ranges::find(is.returns, rule) == is.returns.end()) say("missing", chain.name, rule);
            if (is.end != chain.end) say("missing as the last rule", chain.name, chain.end);
            for (auto const& rule : is.returns)
                if (std::ranges::find(chain.returns, rule) == chain.returns.end())
                    say("not wanted any more", chain.name, rule);
        }
        if (found.size() == before)
            found.push_back(program + ": a rule of cnix is there twice in table " + table);
    }

    Iptables& iptables_;
};

} // namespace cnix::nat
