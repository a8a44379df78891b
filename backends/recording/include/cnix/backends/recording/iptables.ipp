#pragma once
#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/iptables.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/prebuilt.hpp>

#include <algorithm>

namespace cnix::backends::recording {

template <class Hash>
void iptables<Hash>::restore(net::family family, ipt::table which, std::string_view commands) {
    faults::call("restore rules of iptables");
    auto& table = state(family, which);
    auto changed = table;
    apply(changed, commands);
    auto const former = std::exchange(table, std::move(changed));
    std::string const program = std::string{ipt::program(family)} + "-restore --noflush --wait";
    std::string const header = '*' + std::string{ipt::text(which)};
    std::string commands_back;
    for (std::string const& command : commands_to(table, former))
        commands_back += ' ' + recording::quoted(command);
    std::vector<std::string> undo;
    if (!commands_back.empty())
        undo.push_back("printf '%s\\n' '" + header + '\'' + commands_back + " COMMIT | " + program);
    journal::append(program + " <<'END'\n" + header + '\n' + std::string{commands} + "COMMIT\nEND",
                    std::move(undo));
}

template <class Hash>
void iptables<Hash>::test(net::family family, ipt::table which, std::string_view commands) {
    faults::call("check rules of iptables");
    auto copy = state(family, which);
    apply(copy, commands);
}

template <class Hash> std::vector<std::string> iptables<Hash>::save(net::family family, ipt::table which) {
    faults::call("save rules of iptables");
    auto const& table = state(family, which);
    std::vector<std::string> lines{'*' + std::string{ipt::text(which)}};
    for (auto const& [name, rules] : table)
        lines.push_back(':' + name + (built_in(name) ? " ACCEPT" : " -") + " [0:0]");
    for (auto const& [name, rules] : table)
        for (auto const& rule : rules) lines.push_back("-A " + name + ' ' + rule);
    lines.emplace_back("COMMIT");
    return lines;
}

template <class Hash>
bool iptables<Hash>::may_have(net::family family, ipt::table which, std::string_view chain) {
    faults::call("look for a chain of iptables");
    return state(family, which).contains(chain);
}

template <class Hash> std::string iptables<Hash>::sha512(std::string_view text) { return Hash::sha512(text); }

template <class Hash> void iptables<Hash>::reset() { kernel::self().part<tables>() = {}; }

template <class Hash> bool iptables<Hash>::built_in(std::string_view chain) {
    return chain.find_first_of("abcdefghijklmnopqrstuvwxyz-") == chain.npos;
}

template <class Hash> auto iptables<Hash>::state(net::family family, ipt::table which) -> table_state& {
    auto const [at, is_new] = kernel::self().part<tables>().try_emplace({family, which});
    if (is_new)
        for (char const* const chain : {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})
            if (has(which, chain)) at->second.try_emplace(chain);
    return at->second;
}

template <class Hash> bool iptables<Hash>::has(ipt::table which, std::string_view built_in_chain) {
    if (which == ipt::table::nat) return built_in_chain != "FORWARD";
    return which == ipt::table::mangle || !built_in_chain.ends_with("ROUTING");
}

template <class Hash>
std::vector<std::string> iptables<Hash>::commands_to(table_state const& here, table_state const& wanted) {
    std::vector<std::string> commands;
    auto const rules_missing = [&](std::string const& verb, table_state const& all, table_state const& from) {
        for (auto const& [name, list] : all) {
            auto const other = from.find(name);
            for (auto const& rule : list)
                if (other == from.end() || std::ranges::find(other->second, rule) == other->second.end())
                    commands.push_back(verb + ' ' + name + ' ' + rule);
        }
    };
    auto const chains_missing = [&](std::string const& verb, table_state const& all,
                                    table_state const& from) {
        for (auto const& [name, list] : all)
            if (!from.contains(name)) commands.push_back(verb + ' ' + name);
    };
    rules_missing("-D", here, wanted);
    chains_missing("-X", here, wanted);
    chains_missing("-N", wanted, here);
    rules_missing("-A", wanted, here);
    return commands;
}

template <class Hash> void iptables<Hash>::apply(table_state& table, std::string_view commands) {
    while (!commands.empty()) {
        auto const line = commands.substr(0, commands.find('\n'));
        commands.remove_prefix(std::min(commands.size(), line.size() + 1));
        command(table, line);
    }
}

template <class Hash> void iptables<Hash>::command(table_state& table, std::string_view line) {
    auto rest = line;
    auto const next = [&rest] {
        auto const word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        return word;
    };
    auto const verb = next();
    auto const name = next();
    auto const at = table.find(name);
    if (verb == "-N") {
        require(at == table.end(), line, "Chain already exists.");
        table.try_emplace(std::string{name});
        return;
    }
    require(at != table.end(), line, "No chain/target/match by that name.");
    auto& list = at->second;
    if (verb == "-F") {
        list.clear();
    } else if (verb == "-X") {
        require(list.empty() && !referenced(table, name), line, "Device or resource busy.");
        table.erase(at);
    } else if (verb == "-D") {
        auto const rule = std::ranges::find(list, rest);
        require(rule != list.end(), line, "Bad rule (does a matching rule exist in that chain?).");
        list.erase(rule);
    } else {
        require(verb == "-A" || (verb == "-I" && next() == "1"), line, "unknown option");
        auto const target = target_of(rest);
        require(std::ranges::find(targets, target) != targets.end() || table.contains(target), line,
                "No chain/target/match by that name.");
        list.emplace(verb == "-A" ? list.end() : list.begin(), rest);
    }
}

template <class Hash>
void iptables<Hash>::require(bool condition, std::string_view line, std::string_view complaint) {
    if (!condition)
        throw cni::error{cni::code::internal, "cnix: iptables: iptables-restore: " + std::string{complaint} +
                                                  ": " + std::string{line}};
}

template <class Hash> std::string_view iptables<Hash>::target_of(std::string_view rule) {
    auto const at = rule.rfind("-j ");
    if (at == rule.npos) return {};
    auto const target = rule.substr(at + 3);
    return target.substr(0, target.find(' '));
}

template <class Hash> bool iptables<Hash>::referenced(table_state const& table, std::string_view chain) {
    for (auto const& [name, list] : table)
        for (auto const& rule : list)
            if (target_of(rule) == chain) return true;
    return false;
}

} // namespace cnix::backends::recording
