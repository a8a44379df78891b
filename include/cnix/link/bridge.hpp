#pragma once
#include <cnix/concepts/link_policy.hpp>
#include <cnix/concepts/netlink_backend.hpp>
#include <cnix/link/bridge/config.hpp>
#include <cnix/link/no_spoof_check.hpp>

namespace cnix::link {

/// What is given no backend: the one error.
template <class Netlink, class SpoofCheck = no_spoof_check>
class bridge : public cnix::detail::no_netlink<Netlink> {};

/// Pods on a Linux bridge of the node, each by a veth pair, as containernetworking's bridge plugin does it.
/// SpoofCheck does `macspoofchk`: link::spoof_check<nftables>, or no_spoof_check, which refuses the key.
template <netlink_backend Netlink, class SpoofCheck> class bridge<Netlink, SpoofCheck> {
  public:
    using config = bridge_config;
    using runtime_config = bridge_runtime_config;
    using args = bridge_args;
    using cni_args = bridge_cni_args;
    using lease = cni::lease;
    static constexpr std::string_view name = "bridge";
    static constexpr bool needs_subnets = true; ///< the pods' (compose.hpp)

    /// What one struct cannot know: whether there is an IPAM, and what this composition is made of.
    static constexpr void check(config const& conf, entry_facts const& entry, cnix::config::checker& found) {
        if (conf.disableContainerInterface && entry.has_ipam)
            found.fault("disableContainerInterface",
                        "cannot use IPAM when DisableContainerInterface flag is set: the pod's "
                        "end stays down, so it can have no address; leave out one of them");
        if constexpr (requires { SpoofCheck::refusal; })
            if (conf.macspoofchk) found.fault("macspoofchk", SpoofCheck::refusal);
    }

    template <ns_policy Ns>
    void add(cni::attachment const& attachment, settings<bridge> const& keys, Ns& pod, lease const& leased,
             cni::result& result, cni::rollback& undo);

    template <ns_policy Ns> void del(cni::attachment const& attachment, settings<bridge> const&, Ns* pod);

    template <ns_policy Ns>
    pod_interfaces inspect(cni::attachment const& attachment, settings<bridge> const&, Ns* pod);

    template <ns_policy Ns>
    void check(cni::attachment const& attachment, settings<bridge> const& keys, Ns& pod,
               cni::result const& previous, findings& found);

    void gc(cni::valid_attachments const& valid, settings<bridge> const&, findings& found);

    void status(settings<bridge> const& keys, findings& found);

  private:
    static void status_of_gateways(Netlink& host, netlink::link const& bridge,
                                   std::vector<cni::ip> const& ips, findings& found);

    /// runtimeConfig before args.cni before CNI_ARGS.
    static std::optional<net::mac> requested_mac(settings<bridge> const& keys);

    /// As a gateway, the bridge has the first address of each subnet, unless the IPAM names another.
    static std::vector<cni::ip> with_gateways(std::vector<cni::ip> ips, config const& conf);

    /// A bridge's MTU follows that of its smallest port, and an IPv6 address does not survive one that is too
    /// small.
    static void refuse_mtu_without_ipv6(Netlink& host, netlink::link const& bridge, config const& conf,
                                        std::vector<cni::ip> const& ips);

    [[no_unique_address]] SpoofCheck spoof_check_;
};

} // namespace cnix::link

#ifndef CNIX_PREBUILT
#include <cnix/link/bridge.ipp>
#endif
