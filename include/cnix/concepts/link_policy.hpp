#pragma once
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/concepts/ns_policy.hpp>

#include <type_traits>

namespace cnix {

/// A pod's interfaces as an attachment sees them.
struct pod_interfaces {
    bool present = false;                      ///< whether the attachment's interface is there
    std::vector<net::address> addresses;       ///< its addresses, without link-local ones
    std::vector<net::address> other_addresses; ///< those of all the pod's other interfaces
};

namespace detail {
namespace has {
template <class Link>
concept link_add = requires(Link link, cni::attachment const& attachment, settings<Link> const& settings,
                            archetypes::ns& pod, typename Link::lease const& lease, cni::result& result,
                            cni::rollback& undo) {
    { link.add(attachment, settings, pod, lease, result, undo) } -> std::same_as<void>;
};
template <class Link>
concept link_del = requires(Link link, cni::attachment const& attachment, settings<Link> const& settings,
                            archetypes::ns* maybe_pod) {
    { link.del(attachment, settings, maybe_pod) } -> std::same_as<void>;
};
template <class Link>
concept link_inspect = requires(Link link, cni::attachment const& attachment, settings<Link> const& settings,
                                archetypes::ns* maybe_pod) {
    { link.inspect(attachment, settings, maybe_pod) } -> std::same_as<pod_interfaces>;
};
template <class Link>
concept link_check = requires(Link link, cni::attachment const& attachment, settings<Link> const& settings,
                              archetypes::ns& pod, cni::result const& previous, findings& found) {
    { link.check(attachment, settings, pod, previous, found) } -> std::same_as<void>;
};
template <class Link>
concept link_gc = requires(Link link, cni::valid_attachments const& valid, settings<Link> const& settings,
                           findings& found) {
    { link.gc(valid, settings, found) } -> std::same_as<void>;
};
template <class Link>
concept link_status = requires(Link link, settings<Link> const& settings, findings& found) {
    { link.status(settings, found) } -> std::same_as<void>;
};
template <class Link>
concept link_prepares = requires(Link link, cni::attachment const& attachment, settings<Link> const& settings,
                                 archetypes::ns& pod, cni::rollback& undo) {
    { link.prepare(attachment, settings, pod, undo) } -> std::same_as<void>;
};
/// Makes the name ambiguous in a class derived from both, whatever is called so.
struct another_prepare {
    void prepare();
};
template <class Link> struct with_another_prepare : Link, another_prepare {};
template <class Link>
concept link_without_prepare = std::is_final_v<Link> || requires { &with_another_prepare<Link>::prepare; };
/// A prepare that is misspelled is no Link without one.
template <class Link>
concept link_prepare = link_prepares<Link> || link_without_prepare<Link>;
} // namespace has
} // namespace detail

/// How a pod's interface reaches the node's network.
///
///   name      of the design, a file name: "bridge".
///   lease     the least it needs of an Ipam's lease; a lease that derives from it is accepted.
///   add       makes the attachment's interface in the pod with the lease's addresses and routes, and fills the
///             result: interfaces, and each ip's interface index and gateway. An interface of that name in the pod is
///             an error. Registers the undo of each change; what served others before stays.
///   prepare   (may be left out) what of add needs no lease. Where the Ipam `waits`, the engine calls it while it does, in a thread of
///             its own, and add, on the same object, when both have ended. It looks at nothing that the Ipam changes, registers
///             the undo of each change, and leaves to add whatever is in its way. An add that nothing was prepared for does it all.
///   del       removes the interface, so that no traffic passes when it returns. The pod's namespace may be gone
///             (nothing is passed). Never touches what carries another attachment. Idempotent.
///   inspect   what the pod has now; nothing without a pod.
///   is_attached (may be left out) whether a pod has the interface, as inspect tells it, for less.
///   is_further (may be left out) whether an interface of that name, in a result, is one that an attachment has besides CNI_IFNAME.
///   check     appends what differs from what add made, given the result of ADD.
///   gc        removes the interfaces of the network's attachments that are not valid; appends what could not be done.
///   status    appends why an ADD could not succeed now. Throws cni::error with the code limited_connectivity if the pods that are
///             there are cut off.
///
///   status_of (may be left out) appends why a pod that an ADD gives such a lease would not work.
///   in_use (may be left out) the addresses that the pods on the node have now, of whatever network.
///
/// A lease without addresses asks for a layer-2 attachment.
///
/// Laws (tests/laws/link_laws.hpp): add then check finds nothing; add, del leaves no trace of the attachment; del twice
/// succeeds, and without the pod too; add twice throws and keeps the first; a rolled back add leaves no trace, beside another
/// attachment too; an interface that is another network's or somebody else's is not touched; gc drops what is not valid, and only
/// that; inspect, check and status change nothing; a prepared add is as one that was not, and a rolled back prepare leaves no trace.
template <class Link>
concept link_policy =
    std::default_initializable<Link> && detail::has::config<Link> && detail::has::lease<Link> &&
    detail::has::name<Link> && detail::has::link_add<Link> && detail::has::link_del<Link> &&
    detail::has::link_inspect<Link> && detail::has::link_check<Link> && detail::has::link_gc<Link> &&
    detail::has::link_status<Link> && detail::has::link_prepare<Link>;

namespace archetypes {
/// The least that is a Link; declared only.
struct link {
    using config = no_keys;
    using lease = cni::lease;
    static constexpr std::string_view name = "archetype";
    template <ns_policy Ns>
    void add(cni::attachment const&, settings<link> const&, Ns& pod, lease const&, cni::result&,
             cni::rollback&);
    template <ns_policy Ns> void del(cni::attachment const&, settings<link> const&, Ns* pod);
    template <ns_policy Ns> pod_interfaces inspect(cni::attachment const&, settings<link> const&, Ns* pod);
    template <ns_policy Ns>
    void check(cni::attachment const&, settings<link> const&, Ns& pod, cni::result const&, findings&);
    void gc(cni::valid_attachments const&, settings<link> const&, findings&);
    void status(settings<link> const&, findings&);
};
static_assert(link_policy<link>);
} // namespace archetypes

} // namespace cnix
