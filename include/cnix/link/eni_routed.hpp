#pragma once
#include <cnix/concepts/link_policy.hpp>
#include <cnix/concepts/netlink_backend.hpp>
#include <cnix/eni/lease.hpp>
#include <cnix/eni/pod.hpp>
#include <cnix/link/eni_routed/config.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::link {

/// What is given no backend: the one error.
template <class Netlink> class eni_routed : public cnix::detail::no_netlink<Netlink> {};

/// Pods with addresses of the node's ENIs, routed: a veth pair each, a route and policy rules on the node, and in the pod a
/// default route to a gateway that is on no wire and whose MAC address the pod knows. Interfaces, routes and rules are those of
/// AWS's routed-eni plugin.
template <netlink_backend Netlink> class eni_routed<Netlink> {
  public:
    using config = eni_routed_config;
    using cni_args = eni::pod_args;
    using lease = eni::lease;
    static constexpr std::string_view name = "eni";

    static constexpr void check(config const& conf, entry_facts const& entry, cnix::config::checker& found) {
        if (entry.of_file()) check_eni_file(conf, found);
    }

    /// Makes the first interface, as if it were of no branch ENI.
    template <ns_policy Ns>
    void prepare(cni::attachment const& attachment, settings<eni_routed> const& keys, Ns& pod,
                 cni::rollback& undo);

    template <ns_policy Ns>
    void add(cni::attachment const& attachment, settings<eni_routed> const& keys, Ns& pod,
             lease const& leased, cni::result& result, cni::rollback& undo);

    template <ns_policy Ns>
    void del(cni::attachment const& attachment, settings<eni_routed> const& keys, Ns* pod);

    template <ns_policy Ns>
    pod_interfaces inspect(cni::attachment const& attachment, settings<eni_routed> const& keys, Ns* pod);

    static bool is_further(std::string_view interface);

    template <ns_policy Ns>
    bool is_attached(cni::attachment const& attachment, settings<eni_routed> const&, Ns& pod);

    template <ns_policy Ns>
    void check(cni::attachment const& attachment, settings<eni_routed> const& keys, Ns& pod,
               cni::result const& previous, findings& found);

    void gc(cni::valid_attachments const& valid, settings<eni_routed> const&, findings& found);

    void status(settings<eni_routed> const& keys, findings& found);

    void status_of(lease const& leased, findings& found);

    /// Of those by upstream's plugin, too.
    std::vector<net::address> in_use();

  private:
    /// What the host end's name begins with where a branch ENI's rules are strict.
    static constexpr std::string_view strict_prefix = "vlan";
    static constexpr std::string_view usual_prefix = "eni"; ///< upstream's, and the default here

    static net::interface_name host_name(cni::attachment const& attachment, settings<eni_routed> const& keys,
                                         std::size_t interface, std::string_view prefix);
    static net::interface_name host_name(cni::attachment const& attachment, settings<eni_routed> const& keys,
                                         std::size_t interface);
    /// Of the interface that the result tells the ENI by.
    static std::string dummy_name(cni::attachment const& attachment, settings<eni_routed> const& keys);

    static bool is_to_pod(netlink::route_spec const& route);

    /// What a verb found on the node.
    struct listing;

    /// Rules whose interfaces went without a word. Not while there is a host end, but for those that were `deleted`, to which no
    /// route leads: of an ADD under way, or set down and up again. Its pod's rules look the same.
    static void delete_orphans(Netlink& host, listing const& then, std::vector<netlink::link> const& deleted,
                               findings& found);

    template <ns_policy Ns>
    static netlink::link
    make_pair(Netlink& host, cni::attachment const& attachment, settings<eni_routed> const& keys, Ns& pod,
              net::interface_name const& host_end, net::interface_name const& pod_end, cni::rollback& undo);

    template <ns_policy Ns>
    void add_interface(Netlink& host, cni::attachment const& attachment, settings<eni_routed> const& keys,
                       Ns& pod, std::size_t at, eni::allocation const& allocation,
                       std::optional<eni::branch> const& branch, cni::result& result, cni::rollback& undo);

    /// A pod that comes again under its name, in another namespace, may find its former host end: that namespace is going. One that
    /// leads into this very pod is in use.
    template <ns_policy Ns>
    static void refuse_or_delete_former(Netlink& host, Ns& pod, net::interface_name const& end,
                                        cni::attachment const& attachment);

    /// In the pod, where the rules outlive their interfaces; upstream's, too.
    static void delete_pod_rules(std::vector<net::address> const& addresses);

    /// Whether the address leads to another interface by now.
    static bool is_of_another(Netlink& host, net::address const& address,
                              std::vector<netlink::link> const& own);

    /// Not by the pod's only interface, whose name may be a further one's.
    static bool has_further(cni::result const& previous, cni::attachment const& attachment,
                            std::size_t interface);

    /// What the result tells of the pod's ENI.
    struct told_eni;
    static told_eni told_by(cni::result const& previous, cni::attachment const& attachment,
                            settings<eni_routed> const& keys, findings& found);

    /// The names that the attachment's n-th host end may have: by the keys, in strict mode, and by upstream's default. Not whatever
    /// ends so: Calico's end with the same digits.
    static std::vector<std::string> host_names(cni::attachment const& attachment,
                                               settings<eni_routed> const& keys, std::size_t interface = 0);

    /// The attachment's, by their alias, whatever CNI_ARGS and keys were at ADD; those without an alias by the names that these
    /// give them now. Host ends of pods, and the VLANs of branch ENIs. What the pod has under the interface's name and none of
    /// them leads to is somebody else's, and stays.
    static std::vector<netlink::link> own_links(std::vector<netlink::link> const& all,
                                                cni::attachment const& attachment,
                                                settings<eni_routed> const& keys);

    /// Not a port of link::bridge, which has no route either.
    static bool is_host_end_name(std::string_view end);

    /// Whoever hands out an address twice must not cut off the pod, or the node, that has it.
    static void refuse_taken(Netlink& host, net::address const& address, cni::attachment const& attachment);

    std::optional<netlink::link> prepared_{}; ///< the host end that prepare made
};

} // namespace cnix::link

#ifndef CNIX_PREBUILT
#include <cnix/link/eni_routed.ipp>
#endif
