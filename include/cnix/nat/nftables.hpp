#pragma once
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/nft_steps.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/nat/nftables_layout.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <algorithm>
#include <exception>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cnix::nat {

namespace layout = nftables_layout;

struct nftables_config {
    bool ipMasq = false;
    config::text ipMasqBackend; ///< "nftables" or absent

    constexpr void check(config::checker& found) const {
        if (ipMasqBackend == "iptables")
            found.fault("ipMasqBackend", "this plugin masquerades with nftables: for iptables use the plugin "
                                         "`bridge-iptables`, or leave "
                                         "`ipMasqBackend` out");
        else if (!ipMasqBackend.empty() && ipMasqBackend != "nftables")
            found.fault("ipMasqBackend", config::concat("unknown backend `", ipMasqBackend,
                                                        "`: write `nftables`, or leave "
                                                        "`ipMasqBackend` out"));
    }
};

/// Masquerades with one table for the node, one map element a pod address and one chain a network
/// (nftables_layout).
///
/// A verb is one transaction, and a second and third one for the last pod of a network and of the node.
/// Nothing is locked: a transaction that fails because another process changed what it counts on is made anew
/// from what is there then. Verbs of one attachment are not run at the same time (CNI spec, "Section 4"), nor
/// GC with others.
///
/// DEL does not trust `ipMasq`, which may have changed since ADD: it asks the kernel for the pod's addresses,
/// which takes microseconds and does not load libnftables.
template <nft_backend Nft> class nftables {
  public:
    using config = nftables_config;
    static constexpr std::string_view name = "nftables";

    void add(cni::attachment const& attachment, settings<nftables> const& settings, cni::result const& result,
             cni::rollback& undo) {
        if (!settings.config.ipMasq || result.ips.empty()) return;
        std::set<net::address> pods;
        std::set<net::prefix> subnets;
        for (auto const& ip : result.ips) {
            pods.insert(ip.address.address());
            subnets.insert(ip.address.network());
        }
        nft::retry([&](int attempt) {
            bool const known =
                attempt == 0 && nft_.find_chain(layout::table, layout::network_chain(attachment.network));
            std::string script = known ? "" : layout::make(attachment.network);
            for (auto const& pod : pods) {
                auto const map = layout::pods(pod.family());
                // Whoever had the address before: the IPAM says whose it is now.
                if (nft_.find_element(map, pod)) script += layout::delete_pod(map, pod);
                script += layout::add_pod(map, pod, attachment);
            }
            for (auto const& subnet : subnets) script += layout::add_subnet(attachment.network, subnet);
            nft_.run(script);
        });
        undo.on_failure("remove the masquerading of " + attachment.container.str(), [self = *this, attachment,
                                                                                     pods]() mutable {
            self.remove(attachment.network, self.owned(attachment, {pods.begin(), pods.end()}));
        });
    }

    void del(cni::attachment const& attachment, settings<nftables> const& settings) {
        auto mine = owned(attachment, attachment.addresses);
        bool const look_everywhere = attachment.addresses.empty() || settings.config.ipMasq;
        if (mine.empty() && look_everywhere)
            mine = select([digest = attachment.digest()](nft::element const& pod) {
                return nft::digest_of(pod.comment) == digest;
            });
        remove(attachment.network, std::move(mine));
    }

    void check(cni::attachment const& attachment, settings<nftables> const& settings,
               cni::result const& result, findings& found) {
        if (!settings.config.ipMasq || result.ips.empty()) return;
        auto const& network = attachment.network;
        for (auto const& ip : result.ips) {
            check_pod(attachment, ip.address.address(), found);
            check_subnet(network, ip.address.network(), found);
        }
        nft::check_chain(nft_, layout::table, layout::network_chain(network), {},
                         layout::network_rules(network), found);
        nft::check_chain(nft_, layout::table, layout::outbound, {}, layout::outbound_rules(), found);
        nft::check_chain(nft_, layout::table, layout::postrouting, layout::postrouting_hook(),
                         layout::postrouting_rules(), found);
    }

    void gc(cni::valid_attachments const& valid, settings<nftables> const&, findings& found) {
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

    void status(settings<nftables> const& settings, findings& found) {
        if (!settings.config.ipMasq) return;
        try {
            nft_.dry_run(layout::make(*cni::network_name::parse("status")));
        } catch (std::exception const& e) {
            found.push_back(std::string{"masquerading with nftables would fail: "} + e.what());
        }
    }

  private:
    using pod_list = std::vector<std::pair<nft::set_id, nft::element>>;

    /// Those of the addresses whose element is the attachment's.
    pod_list owned(cni::attachment_id const& attachment, std::vector<net::address> const& addresses) {
        auto const digest = attachment.digest();
        pod_list found;
        for (auto const& address : addresses) {
            auto const map = layout::pods(address.family());
            if (auto pod = nft_.find_element(map, address); pod && nft::digest_of(pod->comment) == digest)
                found.emplace_back(map, std::move(*pod));
        }
        return found;
    }

    template <class Predicate> pod_list select(Predicate&& wanted) {
        pod_list found;
        for (auto family : {net::family::ipv4, net::family::ipv6}) {
            auto const map = layout::pods(family);
            for (auto& pod : nft_.elements(map))
                if (wanted(pod)) found.emplace_back(map, std::move(pod));
        }
        return found;
    }

    /// Removes the elements, and of network and table what nobody uses then.
    void remove(cni::network_name const& network, pod_list pods) {
        nft::retry([&](int attempt) {
            if (attempt > 0) // some are gone, or have another owner
                std::erase_if(pods, [&](auto const& pod) {
                    auto const now = nft_.find_element(pod.first, pod.second.key);
                    return !now || now->comment != pod.second.comment;
                });
            if (pods.empty()) return;
            std::string script;
            for (auto const& [map, pod] : pods)
                script += layout::delete_pod(map, std::get<net::address>(pod.key));
            nft_.run(script);
        });
        nft::delete_unused(nft_, layout::table, layout::network_chain(network),
                           layout::delete_network(network));
        nft::delete_unused(nft_, layout::table, layout::outbound, layout::delete_table());
    }

    void check_pod(cni::attachment_id const& attachment, net::address const& address, findings& found) {
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

    void check_subnet(cni::network_name const& network, net::prefix const& subnet, findings& found) {
        auto const set = layout::subnets(network, subnet.family());
        bool const covered = std::ranges::any_of(nft_.elements(set), [&](nft::element const& interval) {
            auto const first = std::get<net::address>(interval.key);
            auto const last = interval.last ? std::get<net::address>(*interval.last) : first;
            return first <= subnet.first() && subnet.last() <= last;
        });
        if (!covered)
            found.push_back("nftables: set " + nft::text(set) + " does not hold " + subnet.str() +
                            ": traffic within it is masqueraded");
    }

    Nft nft_;
};

} // namespace cnix::nat

BOOST_HANA_ADAPT_STRUCT(cnix::nat::nftables_config, ipMasq, ipMasqBackend);

namespace cnix {
static_assert(nat_policy<nat::nftables<archetypes::nft>>);
}
