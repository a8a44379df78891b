#pragma once
#include <cnix/concepts/nat_policy.hpp>
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
};

} // namespace cnix::nat

BOOST_HANA_ADAPT_STRUCT(cnix::nat::none_config, ipMasq);

namespace cnix {
static_assert(nat_policy<nat::none>);
}
