#pragma once
#include <cnix/concepts/nft_steps.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/nat/nftables_layout.hpp>
#include <cnix/nat/nftables_node.hpp>
#include <cnix/prebuilt.hpp>

#include <algorithm>
#include <exception>

namespace cnix::nat {

namespace layout = nftables_layout;

template <nft_backend Nft>
void nftables<Nft>::add(cni::attachment const& attachment, settings<nftables> const& settings,
                        cni::result const& result, cni::rollback& undo) {
    if (!settings.config.ipMasq || result.ips.empty()) return;
    std::set<net::address> pods;
    std::set<net::prefix> subnets;
    for (auto const& ip : result.ips) {
        pods.insert(ip.address.address());
        subnets.insert(ip.address.network());
    }
    // Registered first: the attempts below may make the elements and fail afterwards.
    undo.on_failure("remove the masquerading of " + attachment.container.str(),
                    [self = *this, attachment, pods]() mutable {
                        self.remove(attachment.network, self.owned(attachment, pods));
                    });
    nft::retry([&](int attempt) {
        std::vector<nft::element_change> changes;
        for (auto const& pod : pods) {
            // Whoever had the address before: the IPAM says whose it is now.
            if (auto const map = layout::pods(pod.family()); nft_.find_element(map, pod))
                changes.push_back(nft::erase(map, pod));
            changes.push_back(layout::add_pod(pod, attachment));
        }
        if (attempt == 0 && all_covered(attachment.network, subnets))
            nft_.change(changes);
        else
            nft_.run(make(attachment.network, attempt) + add_subnets(attachment.network, subnets) +
                     nft::text(changes));
        // From here on the elements hold the network's chain, and this its sets. Before, its last pod may
        // have left and another one made the network anew, with other subnets. (It can for `run` too:
        // nft leaves out an interval that the set held when it looked.)
        if (!all_covered(attachment.network, subnets)) nft_.run(add_subnets(attachment.network, subnets));
    });
}

template <nft_backend Nft>
void nftables<Nft>::del(cni::attachment const& attachment, settings<nftables> const& settings) {
    auto mine = owned(attachment, {attachment.addresses.begin(), attachment.addresses.end()});
    bool const look_everywhere = attachment.addresses.empty() || settings.config.ipMasq;
    if (mine.empty() && look_everywhere)
        mine = select([digest = attachment.digest()](nft::element const& pod) {
            return nft::digest_of(pod.comment) == digest;
        });
    remove(attachment.network, std::move(mine));
}

template <nft_backend Nft>
void nftables<Nft>::check(cni::attachment const& attachment, settings<nftables> const& settings,
                          cni::result const& result, findings& found) {
    if (!settings.config.ipMasq || result.ips.empty()) return;
    auto const& network = attachment.network;
    for (auto const& ip : result.ips) {
        check_pod(attachment, ip.address.address(), found);
        check_subnet(network, ip.address.network(), found);
    }
    nft::check_chains(nft_, layout::table,
                      {layout::network_plan(network), layout::outbound_plan(), layout::postrouting_plan()},
                      found);
}

template <nft_backend Nft>
void nftables<Nft>::gc(cni::valid_attachments const& valid, settings<nftables> const&, findings& found) {
    try {
        auto const chain = layout::network_chain(valid.network());
        remove(valid.network(), select([&](nft::element const& pod) {
                   return pod.chain == chain && !valid.contains_digest(nft::digest_of(pod.comment));
               }));
    } catch (std::exception const& e) {
        found.push_back("cannot remove stale masquerading of network " + valid.network().str() + ": " +
                        e.what());
    }
}

template <nft_backend Nft> void nftables<Nft>::status(settings<nftables> const& settings, findings& found) {
    if (!settings.config.ipMasq) return;
    try {
        // All of it: another network's last pod may take the table away meanwhile.
        nft_.dry_run(layout::make_table() + layout::make_network(*cni::network_name::parse("status")));
    } catch (std::exception const& e) {
        found.push_back(std::string{"masquerading with nftables would fail: "} + e.what());
    }
}

template <nft_backend Nft> std::string nftables<Nft>::make(cni::network_name const& network, int attempt) {
    bool const rely = attempt == 0 && is_whole();
    return (rely ? "" : layout::make_table()) + layout::make_network(network);
}

template <nft_backend Nft> bool nftables<Nft>::is_whole() {
    auto const outbound = nft_.find_chain(layout::table, layout::outbound);
    if (!outbound || outbound->references == 0) return false;
    auto const plan = layout::postrouting_plan();
    auto const postrouting = nft_.find_chain(layout::table, plan.name);
    return postrouting && *postrouting == plan.hook;
}

template <nft_backend Nft>
std::string nftables<Nft>::add_subnets(cni::network_name const& network,
                                       std::set<net::prefix> const& subnets) {
    std::string script;
    for (auto const& subnet : subnets) script += layout::add_subnet(network, subnet);
    return script;
}

template <nft_backend Nft>
auto nftables<Nft>::owned(cni::attachment_id const& attachment, std::set<net::address> const& addresses)
    -> pod_list {
    auto const digest = attachment.digest();
    pod_list found;
    for (auto const& address : addresses) {
        auto const map = layout::pods(address.family());
        if (auto pod = nft_.find_element(map, address); pod && nft::digest_of(pod->comment) == digest)
            found.emplace_back(map, std::move(*pod));
    }
    return found;
}

template <nft_backend Nft>
template <class Predicate>
auto nftables<Nft>::select(Predicate&& wanted) -> pod_list {
    pod_list found;
    for (auto family : {net::family::ipv4, net::family::ipv6}) {
        auto const map = layout::pods(family);
        for (auto& pod : nft_.elements(map))
            if (wanted(pod)) found.emplace_back(map, std::move(pod));
    }
    return found;
}

template <nft_backend Nft> void nftables<Nft>::remove(cni::network_name const& network, pod_list pods) {
    nft::retry([&](int attempt) {
        if (attempt > 0) // some are gone, or have another owner
            std::erase_if(pods, [&](auto const& pod) {
                auto const now = nft_.find_element(pod.first, pod.second.key);
                return !now || now->comment != pod.second.comment;
            });
        if (pods.empty()) return;
        std::vector<nft::element_change> changes;
        for (auto const& [map, pod] : pods) changes.push_back(nft::erase(map, pod.key));
        nft_.change(changes);
    });
    nft::erase_unused(nft_, layout::table, layout::network_chain(network), layout::network_objects(network));
    remove_table();
}

template <nft_backend Nft> void nftables<Nft>::remove_table() {
    nft::retry([&](int attempt) {
        auto const now = nft_.find_chain(layout::table, layout::outbound);
        if (!now || now->references != 0) return;
        constexpr int parts_are_missing = 5; // that somebody has taken out: no attempt would ever succeed
        if (attempt >= parts_are_missing) nft_.run(layout::make_table());
        auto objects = layout::table_objects();
        if (!nftables_node{nft_}.is_there()) // refused if the node comes by then
            objects.push_back({nft::object::kind::empty_table, layout::table, {}});
        nft_.erase(objects);
    });
}

template <nft_backend Nft>
void nftables<Nft>::check_pod(cni::attachment_id const& attachment, net::address const& address,
                              findings& found) {
    auto const map = layout::pods(address.family());
    auto const where = "nftables: " + address.str() + " in map " + nft::text(map);
    auto const pod = nft_.find_element(map, address);
    if (!pod)
        found.push_back(where + " is missing: its traffic leaves unmasqueraded");
    else if (nft::digest_of(pod->comment) != attachment.digest())
        found.push_back(where + " belongs to another attachment: " + pod->comment);
    else if (pod->chain != layout::network_chain(attachment.network))
        found.push_back(where + " leads to chain " + pod->chain + " instead of " +
                        layout::network_chain(attachment.network));
}

template <nft_backend Nft>
bool nftables<Nft>::covered(cni::network_name const& network, net::prefix const& subnet) {
    auto const intervals = nft_.elements(layout::subnets(network, subnet.family()));
    return std::ranges::any_of(intervals, [&](nft::element const& interval) {
        auto const first = std::get<net::address>(interval.key);
        auto const last = interval.last ? std::get<net::address>(*interval.last) : first;
        return first <= subnet.first() && subnet.last() <= last;
    });
}

template <nft_backend Nft>
bool nftables<Nft>::all_covered(cni::network_name const& network, std::set<net::prefix> const& subnets) {
    return std::ranges::all_of(subnets, [&](auto const& subnet) { return covered(network, subnet); });
}

template <nft_backend Nft>
void nftables<Nft>::check_subnet(cni::network_name const& network, net::prefix const& subnet,
                                 findings& found) {
    if (!covered(network, subnet))
        found.push_back("nftables: set " + nft::text(layout::subnets(network, subnet.family())) +
                        " does not hold " + subnet.str() + ": traffic within it is masqueraded");
}

template <nft_backend Nft> void nftables<Nft>::set_up_node(node_nat const& wanted) {
    nftables_node{nft_}.set_up(wanted);
}

template <nft_backend Nft> void nftables<Nft>::check_node(node_nat const& wanted, findings& found) {
    nftables_node{nft_}.check(wanted, found);
}

template <nft_backend Nft> void nftables<Nft>::remove_node() { nftables_node{nft_}.remove(); }

} // namespace cnix::nat
