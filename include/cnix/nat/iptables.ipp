#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/nat/iptables.hpp>
#include <cnix/nat/iptables_layout.hpp>
#include <cnix/nat/iptables_node.hpp>
#include <cnix/prebuilt.hpp>

#include <range/v3/algorithm/contains.hpp>

#include <algorithm>
#include <exception>
#include <functional>

namespace cnix::nat {

template <iptables_backend Iptables>
void iptables<Iptables>::add(cni::attachment const& attachment, settings<iptables> const& settings,
                             cni::result const& result, cni::rollback& undo) {
    if (!settings.config.ipMasq) return;
    if (attachment.network.str().size() > iptables_layout::max_network_name)
        throw cni::error{cni::code::invalid_network_config,
                         "the network's name is too long for `ipMasq`: GC knows the rules by it, and "
                         "their comments hold " +
                             std::to_string(iptables_layout::max_network_name) + " bytes of it"};
    auto const rules = iptables_layout::rules::of<Iptables>(attachment);
    for (auto const& [family, ips] : by_family(result)) {
        retry([&](int attempt) {
            bool const shared = attempt > 0 || iptables_.may_have(family, ipt::table::nat, rules.chain);
            auto const commands = shared ? additions(rules, family, ips) : creation(rules, family, ips);
            if (!commands.empty()) iptables_.restore(family, ipt::table::nat, commands);
        });
        std::vector<net::address> pods;
        for (auto const& ip : ips) pods.push_back(ip.address());
        undo.on_failure(
            "remove the masquerading of " + attachment.container.str(),
            [self = *this, rules, f = family, pods]() mutable { self.remove(rules, f, pods, {}); });
    }
}

template <iptables_backend Iptables>
void iptables<Iptables>::del(cni::attachment const& attachment, settings<iptables> const&) {
    auto const rules = iptables_layout::rules::of<Iptables>(attachment);
    std::exception_ptr failure; // of one family, which must not keep the other one's rules
    for (auto family : {net::family::ipv4, net::family::ipv6}) {
        std::vector<net::address> pods;
        for (auto const& address : attachment.addresses)
            if (address.family() == family) pods.push_back(address);
        // Addresses of the other family alone: this one has none.
        if (pods.empty() && !attachment.addresses.empty()) continue;
        try {
            remove(rules, family, pods, attachment.other_addresses);
        } catch (...) {
            if (!failure) failure = std::current_exception();
        }
    }
    if (failure) std::rethrow_exception(failure);
}

template <iptables_backend Iptables>
void iptables<Iptables>::check(cni::attachment const& attachment, settings<iptables> const& settings,
                               cni::result const& result, findings& found) {
    if (!settings.config.ipMasq) return;
    auto const rules = iptables_layout::rules::of<Iptables>(attachment);
    for (auto const& [family, ips] : by_family(result)) {
        auto const now = read(rules, family);
        auto const missing = [&, f = family](std::string_view chain, std::string const& rule) {
            found.push_back(std::string{ipt::program(f)} + ": missing in table nat: -A " +
                            std::string{chain} + ' ' + rule);
        };
        auto const masquerade = std::ranges::find(now.chain, rules.masquerade(family));
        if (masquerade == now.chain.end()) missing(rules.chain, rules.masquerade(family));
        for (auto const& ip : ips) {
            if (!contains(now.jumps, rules.jump(ip.address())))
                missing(iptables_layout::postrouting, rules.jump(ip.address()));
            // After the MASQUERADE rule it has no effect.
            if (std::find(now.chain.begin(), masquerade, rules.accept(ip)) == masquerade)
                missing(rules.chain, rules.accept(ip));
        }
    }
}

template <iptables_backend Iptables>
void iptables<Iptables>::gc(cni::valid_attachments const& valid, settings<iptables> const&, findings& found) {
    std::set<std::string> kept;
    for (auto const& [container, interface] : valid.pairs())
        kept.insert(iptables_layout::chain<Iptables>(valid.network(), container));
    for (auto family : {net::family::ipv4, net::family::ipv6}) {
        try {
            retry([&](int) {
                if (auto const commands = collection(valid, kept, family); !commands.empty())
                    iptables_.restore(family, ipt::table::nat, commands);
            });
        } catch (std::exception const& e) {
            found.push_back("cannot remove stale masquerading of network " + valid.network().str() + ": " +
                            e.what());
        }
    }
}

template <iptables_backend Iptables>
void iptables<Iptables>::status(settings<iptables> const& settings, findings& found) {
    if (!settings.config.ipMasq) return;
    // ip6tables only for a network that needs it: a node without it serves IPv4 networks.
    std::set<net::family> families;
    for (auto const& ip : settings.expected) families.insert(ip.address.family());
    if (families.empty()) families.insert(net::family::ipv4);
    for (net::family const family : families) {
        try {
            iptables_.test(family, ipt::table::nat, "-N CNI-status\n-A CNI-status -j MASQUERADE\n");
        } catch (std::exception const& e) {
            found.push_back(std::string{"masquerading with iptables would fail: "} + e.what());
        }
    }
}

template <iptables_backend Iptables>
void iptables<Iptables>::check_node(node_nat const& wanted, findings& found) {
    iptables_node{iptables_}.check(wanted, found);
}

template <iptables_backend Iptables>
template <class Attempt>
void iptables<Iptables>::retry(Attempt&& attempt) {
    constexpr int attempts =
        4; // one expected, one after reading, two for others who change it at the same time
    for (int i = 0;; ++i) {
        try {
            attempt(i);
            return;
        } catch (cni::error const& e) {
            if (i + 1 == attempts || e.code() == cni::code::plugin_not_available) throw;
        }
    }
}

template <iptables_backend Iptables>
std::map<net::family, std::vector<net::prefix>> iptables<Iptables>::by_family(cni::result const& result) {
    std::map<net::family, std::vector<net::prefix>> families;
    for (auto const& ip : result.ips) families[ip.address.family()].push_back(ip.address);
    return families;
}

template <iptables_backend Iptables>
bool iptables<Iptables>::contains(std::vector<std::string> const& rules, std::string const& rule) {
    return ranges::contains(rules, rule);
}

template <iptables_backend Iptables>
std::string iptables<Iptables>::append(std::string_view chain, std::string_view rule) {
    return command("-A ", chain, rule);
}

template <iptables_backend Iptables>
std::string iptables<Iptables>::erase(std::string_view chain, std::string_view rule) {
    return command("-D ", chain, rule);
}

template <iptables_backend Iptables>
std::string iptables<Iptables>::command(std::string_view verb, std::string_view chain,
                                        std::string_view rule) {
    return std::string{verb}.append(chain).append(" ").append(rule).append("\n");
}

template <iptables_backend Iptables> std::string iptables<Iptables>::delete_chain(std::string const& chain) {
    return "-F " + chain + "\n-X " + chain + '\n';
}

template <iptables_backend Iptables>
std::string iptables<Iptables>::creation(iptables_layout::rules const& rules, net::family family,
                                         std::vector<net::prefix> const& ips) {
    std::string commands = "-N " + rules.chain + '\n';
    std::set<std::string> accepts;
    for (auto const& ip : ips) accepts.insert(rules.accept(ip));
    for (auto const& rule : accepts) commands += append(rules.chain, rule);
    commands += append(rules.chain, rules.masquerade(family));
    for (auto const& ip : ips) commands += append(iptables_layout::postrouting, rules.jump(ip.address()));
    return commands;
}

template <iptables_backend Iptables>
std::string iptables<Iptables>::additions(iptables_layout::rules const& rules, net::family family,
                                          std::vector<net::prefix> const& ips) {
    auto const now = read(rules, family);
    if (!now.exists) return creation(rules, family, ips);
    std::string commands;
    std::set<std::string> accepts;
    for (auto const& ip : ips) accepts.insert(rules.accept(ip));
    auto const masquerade = std::ranges::find(now.chain, rules.masquerade(family));
    for (auto const& rule : accepts) {
        if (std::find(now.chain.begin(), masquerade, rule) != masquerade) continue;
        if (contains(now.chain, rule)) commands += erase(rules.chain, rule); // behind MASQUERADE, in vain
        commands += command("-I ", rules.chain, "1 " + rule);
    }
    if (masquerade == now.chain.end()) commands += append(rules.chain, rules.masquerade(family));
    for (auto const& ip : ips)
        if (auto const jump = rules.jump(ip.address()); !contains(now.jumps, jump))
            commands += append(iptables_layout::postrouting, jump);
    return commands;
}

template <iptables_backend Iptables>
void iptables<Iptables>::remove(iptables_layout::rules const& rules, net::family family,
                                std::vector<net::address> const& pods,
                                std::vector<net::address> const& others) {
    retry([&](int attempt) {
        if (!iptables_.may_have(family, ipt::table::nat, rules.chain)) return;
        std::string commands;
        if (attempt == 0 && !pods.empty()) { // the container's only interface on the network
            for (auto const& pod : pods) commands += erase(iptables_layout::postrouting, rules.jump(pod));
            commands += delete_chain(rules.chain);
        } else {
            commands = removals(rules, family, pods, others);
        }
        if (!commands.empty()) iptables_.restore(family, ipt::table::nat, commands);
    });
}

template <iptables_backend Iptables>
std::string iptables<Iptables>::removals(iptables_layout::rules const& rules, net::family family,
                                         std::vector<net::address> const& pods,
                                         std::vector<net::address> const& others) {
    auto const now = read(rules, family);
    std::string commands;
    std::vector<net::address> left;
    for (auto const& jump : now.jumps) {
        // The reference once wrote the whole prefix ("-s 10.22.0.2/16"), which iptables keeps as the
        // network: such a rule is every interface's in it, and goes with the first.
        auto const source = iptables_layout::saved_rule{"", jump}.match("-s ");
        auto const is_source = [&](net::address const& pod) { return source->contains(pod); };
        bool const gone = !source || (pods.empty() ? std::ranges::none_of(others, is_source)
                                                   : std::ranges::any_of(pods, is_source));
        if (gone)
            commands += erase(iptables_layout::postrouting, jump);
        else
            left.push_back(source->address());
    }
    if (left.empty()) return now.exists ? commands + delete_chain(rules.chain) : commands;
    for (auto const& rule : now.chain) {
        iptables_layout::saved_rule const accept{"", rule};
        auto const subnet = accept.match("-d ");
        bool const unused =
            accept.target() == "ACCEPT" && subnet &&
            std::ranges::none_of(left, [&](auto const& pod) { return subnet->contains(pod); });
        if (unused) commands += erase(rules.chain, rule);
    }
    return commands;
}

template <iptables_backend Iptables>
auto iptables<Iptables>::read(iptables_layout::rules const& rules, net::family family) -> state {
    state now;
    for (auto const& line : iptables_.save(family, ipt::table::nat)) {
        if (line.starts_with(':' + rules.chain + ' ')) now.exists = true;
        auto const rule = iptables_layout::saved_rule::parse(line);
        if (!rule) continue;
        if (rule->chain == rules.chain) now.chain.emplace_back(rule->rest);
        if (rule->chain == iptables_layout::postrouting && rule->target() == rules.chain)
            now.jumps.emplace_back(rule->rest);
    }
    return now;
}

template <iptables_backend Iptables>
std::string iptables<Iptables>::collection(cni::valid_attachments const& valid,
                                           std::set<std::string> const& kept, net::family family) {
    auto const of_network = iptables_layout::comment_start(valid.network());
    std::string jumps, others;
    std::set<std::string> chains;
    auto const lines = iptables_.save(family, ipt::table::nat);
    auto const stale = [&](std::string_view chain) {
        return chain.starts_with("CNI-") && chain.size() == 28 && !kept.contains(std::string{chain});
    };
    for (auto const& line : lines) {
        auto const rule = iptables_layout::saved_rule::parse(line);
        if (!rule || rule->rest.find(of_network) == rule->rest.npos) continue;
        if (rule->chain == iptables_layout::postrouting && stale(rule->target())) {
            jumps += erase(rule->chain, rule->rest);
            chains.emplace(rule->target());
        } else if (rule->chain == iptables_layout::postrouting &&
                   kept.contains(std::string{rule->target()})) {
            auto const source = rule->match("-s ");
            if (source && source->length() == net::bits(family) && valid.surely_garbage(source->address()))
                jumps += erase(rule->chain, rule->rest);
        } else if (stale(rule->chain)) {
            chains.emplace(rule->chain);
        }
    }
    for (auto const& chain : chains) others += delete_chain(chain);
    return jumps + others;
}

template <iptables_backend Iptables> void iptables<Iptables>::set_up_node(node_nat const& wanted) {
    iptables_node{iptables_}.set_up(wanted);
}

template <iptables_backend Iptables> void iptables<Iptables>::remove_node() {
    iptables_node{iptables_}.remove();
}

} // namespace cnix::nat
