#pragma once
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/node_nat_policy.hpp>
#include <cnix/config/checker.hpp>

#include <boost/hana/adapt_struct.hpp>

namespace cnix::nat {

/// `ipMasq`, to be refused: who asks for it must not believe that it is done.
struct none_config {
    bool ipMasq = false;

    constexpr void check(config::checker& found) const {
        if (ipMasq)
            found.fault("ipMasq", "this plugin does not masquerade: use the plugin `bridge` (nftables) or "
                                  "`bridge-iptables`, or leave "
                                  "`ipMasq` out");
    }
};

/// Pods leave under their own addresses.
class none {
  public:
    using config = none_config;
    using planned = none; ///< it changes nothing (docs/plan.md)
    static constexpr std::string_view name = "none";

    void add(cni::attachment const&, settings<none> const&, cni::result const&, cni::rollback&) {}
    void del(cni::attachment const&, settings<none> const&) {}
    void check(cni::attachment const&, settings<none> const&, cni::result const&, findings&) {}
    void gc(cni::valid_attachments const&, settings<none> const&, findings&) {}
    void status(settings<none> const&, findings&) {}

    // Of node_nat_policy: the cloud translates, and NodePorts of pods that are not on the primary interface are somebody else's.

    static constexpr bool marks_connections = false;
    void set_up_node(node_nat const&) {}
    void check_node(node_nat const&, findings&) {}
    void remove_node() {}
};

} // namespace cnix::nat

BOOST_HANA_ADAPT_STRUCT(cnix::nat::none_config, ipMasq);

namespace cnix {
static_assert(nat_policy<nat::none>);
static_assert(node_nat_policy<nat::none>);
} // namespace cnix
