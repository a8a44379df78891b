#pragma once
#include <cnix/concepts/iptables_backend.hpp>
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/node_nat_policy.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/nat/iptables_layout.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cnix::nat {

/// The keys of nat::iptables in the plugin's entry (docs/policies/iptables.md).
struct iptables_config {
    bool ipMasq = false;
    config::text ipMasqBackend; ///< "iptables" or absent

    constexpr void check(config::checker& found) const {
        if (ipMasqBackend == "nftables")
            found.fault(
                "ipMasqBackend",
                "this plugin masquerades with iptables: for nftables use the plugin `bridge`, or leave "
                "`ipMasqBackend` out");
        else if (!ipMasqBackend.empty() && ipMasqBackend != "iptables")
            found.fault("ipMasqBackend", config::concat("unknown backend `", ipMasqBackend,
                                                        "`: write `iptables`, or leave "
                                                        "`ipMasqBackend` out"));
    }
};

/// What is given no backend: the one error.
template <class Iptables> class iptables : public cnix::detail::no_iptables<Iptables> {};

/// Masquerades with the chains and rules of the reference plugins (iptables_layout).
///
/// A verb is one iptables-restore a family: what is expected to be right is tried, and refused as a whole if
/// it is not; only then is the table read. DEL does not trust `ipMasq`, which may have changed since ADD, but
/// starts a process only if the container can have a chain.
template <iptables_backend Iptables> class iptables<Iptables> {
  public:
    using config = iptables_config;
    static constexpr std::string_view name = "iptables";
    static constexpr bool marks_connections = true;

    void add(cni::attachment const& attachment, settings<iptables> const& settings, cni::result const& result,
             cni::rollback& undo);

    void del(cni::attachment const& attachment, settings<iptables> const&);

    void check(cni::attachment const& attachment, settings<iptables> const& settings,
               cni::result const& result, findings& found);

    void gc(cni::valid_attachments const& valid, settings<iptables> const&, findings& found);

    void status(settings<iptables> const& settings, findings& found);

    // Of node_nat_policy.

    void set_up_node(node_nat const& wanted);
    void check_node(node_nat const& wanted, findings& found);
    void remove_node();

  private:
    /// What the table holds of one container, rules without "-A <chain> ".
    struct state {
        bool exists = false;            ///< the chain
        std::vector<std::string> jumps; ///< of POSTROUTING to the chain
        std::vector<std::string> chain;
    };

    template <class Attempt> static void retry(Attempt&& attempt);

    static std::map<net::family, std::vector<net::prefix>> by_family(cni::result const& result);

    static bool contains(std::vector<std::string> const& rules, std::string const& rule);
    static std::string append(std::string_view chain, std::string_view rule);
    static std::string erase(std::string_view chain, std::string_view rule);
    static std::string command(std::string_view verb, std::string_view chain, std::string_view rule);
    static std::string delete_chain(std::string const& chain);

    /// For a container without a chain. Not ":CHAIN", which empties a chain that is there: -N fails then.
    static std::string creation(iptables_layout::rules const& rules, net::family family,
                                std::vector<net::prefix> const& ips);

    /// What is missing of it.
    std::string additions(iptables_layout::rules const& rules, net::family family,
                          std::vector<net::prefix> const& ips);

    /// Removes the jumps of the addresses, and the chain with the last one. If none is given, all of them but those of
    /// `others`.
    void remove(iptables_layout::rules const& rules, net::family family,
                std::vector<net::address> const& pods, std::vector<net::address> const& others);

    std::string removals(iptables_layout::rules const& rules, net::family family,
                         std::vector<net::address> const& pods, std::vector<net::address> const& others);

    state read(iptables_layout::rules const& rules, net::family family);

    /// Deletes the network's chains that are not to be kept, with the jumps to them. Of a container that is to be kept, the
    /// jumps of addresses that no valid attachment holds: the rules do not name the interface.
    std::string collection(cni::valid_attachments const& valid, std::set<std::string> const& kept,
                           net::family family);

    Iptables iptables_;
};

} // namespace cnix::nat

BOOST_HANA_ADAPT_STRUCT(cnix::nat::iptables_config, ipMasq, ipMasqBackend);

namespace cnix {
static_assert(nat_policy<nat::iptables<archetypes::iptables>>);
static_assert(node_nat_policy<nat::iptables<archetypes::iptables>>);
} // namespace cnix

#ifndef CNIX_PREBUILT
#include <cnix/nat/iptables.ipp>
#endif
