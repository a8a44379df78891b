#pragma once
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/concepts/node_nat_policy.hpp>
#include <cnix/config/checker.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cnix::nat {

/// The keys of nat::nftables in the plugin's entry (docs/policies/nftables.md).
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

/// What is given no backend: the one error.
template <class Nft> class nftables : public cnix::detail::no_nft<Nft> {};

/// Masquerades with one table for the node, one map element a pod address and one chain a network
/// (nftables_layout).
///
/// A verb is one transaction, and a second and third one for the last pod of a network and of the node. Where
/// the network's subnets are known already, ADD's changes elements only, as DEL's does: it starts
/// no nft, and deletes nothing, so that the kernel has no RCU grace period to let it wait for when its socket
/// closes (as it does when nft remakes rules, or the interval of a subnet that is added again).
///
/// Nothing is locked: a transaction that fails because another process changed what it counts on is made anew
/// from what is there then. Verbs of one attachment are not run at the same time (CNI spec, "Section 4"), nor
/// GC with others.
///
/// DEL does not trust `ipMasq`, which may have changed since ADD: it asks the kernel for the pod's addresses,
/// which takes microseconds.
template <nft_backend Nft> class nftables<Nft> {
  public:
    using config = nftables_config;
    static constexpr std::string_view name = "nftables";
    static constexpr bool marks_connections = true;

    void add(cni::attachment const& attachment, settings<nftables> const& settings, cni::result const& result,
             cni::rollback& undo);

    void del(cni::attachment const& attachment, settings<nftables> const& settings);

    void check(cni::attachment const& attachment, settings<nftables> const& settings,
               cni::result const& result, findings& found);

    void gc(cni::valid_attachments const& valid, settings<nftables> const&, findings& found);

    void status(settings<nftables> const& settings, findings& found);

    // Of node_nat_policy.

    void set_up_node(node_nat const& wanted);
    void check_node(node_nat const& wanted, findings& found);
    void remove_node();

  private:
    /// The first attempt counts on a table that looks whole: to remake rules would make the kernel wait as above.
    std::string make(cni::network_name const& network, int attempt);
    /// As far as two questions tell: a table that was flushed, or lacks a chain, is not.
    bool is_whole();
    static std::string add_subnets(cni::network_name const& network, std::set<net::prefix> const& subnets);

    using pod_list = std::vector<std::pair<nft::set_id, nft::element>>;

    /// Those of the addresses whose element is the attachment's. A set, since an element can be deleted once.
    pod_list owned(cni::attachment_id const& attachment, std::set<net::address> const& addresses);

    template <class Predicate> pod_list select(Predicate&& wanted);

    /// Removes the elements, and of network and table what nobody uses then.
    void remove(cni::network_name const& network, pod_list pods);

    /// Without the last network. What the node has in the table stays, and the table with it.
    void remove_table();

    void check_pod(cni::attachment_id const& attachment, net::address const& address, findings& found);

    bool covered(cni::network_name const& network, net::prefix const& subnet);
    bool all_covered(cni::network_name const& network, std::set<net::prefix> const& subnets);

    void check_subnet(cni::network_name const& network, net::prefix const& subnet, findings& found);

    Nft nft_;
};

} // namespace cnix::nat

BOOST_HANA_ADAPT_STRUCT(cnix::nat::nftables_config, ipMasq, ipMasqBackend);

namespace cnix {
static_assert(nat_policy<nat::nftables<archetypes::nft>>);
static_assert(node_nat_policy<nat::nftables<archetypes::nft>>);
} // namespace cnix

#ifndef CNIX_PREBUILT
#include <cnix/nat/nftables.ipp>
#endif
