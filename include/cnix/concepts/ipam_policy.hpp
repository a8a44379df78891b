#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/cni/result.hpp>
#include <cnix/cni/rollback.hpp>
#include <cnix/cni/valid_attachments.hpp>
#include <cnix/concepts/settings.hpp>

#include <concepts>
#include <optional>
#include <string_view>

namespace cnix {

namespace detail {
namespace has {
template <class Policy>
concept lease = requires {
    typename Policy::lease;
    requires std::derived_from<typename Policy::lease, cni::lease>;
};
template <class Ipam>
concept ipam_type = requires {
    { Ipam::type } -> std::convertible_to<std::string_view>;
};
template <class Ipam>
concept ipam_add = requires(Ipam ipam, cni::attachment const& attachment, settings<Ipam> const& settings,
                            cni::rollback& undo) {
    { ipam.add(attachment, settings, undo) } -> std::same_as<typename Ipam::lease>;
};
/// What del may return.
template <class Returned, class Ipam>
concept released_by =
    std::same_as<Returned, void> || std::same_as<Returned, std::optional<typename Ipam::lease>>;
template <class Ipam>
concept ipam_del = requires(Ipam ipam, cni::attachment const& attachment, settings<Ipam> const& settings) {
    { ipam.del(attachment, settings) } -> released_by<Ipam>;
};
template <class Ipam>
concept ipam_find = requires(Ipam ipam, cni::attachment const& attachment, settings<Ipam> const& settings) {
    { ipam.find(attachment, settings) } -> std::same_as<std::optional<typename Ipam::lease>>;
};
template <class Ipam>
concept ipam_check = requires(Ipam ipam, cni::attachment const& attachment, settings<Ipam> const& settings,
                              cni::result const& previous, findings& found) {
    { ipam.check(attachment, settings, previous, found) } -> std::same_as<void>;
};
template <class Ipam>
concept ipam_gc = requires(Ipam ipam, cni::valid_attachments const& valid, settings<Ipam> const& settings,
                           findings& found) {
    { ipam.gc(valid, settings, found) } -> std::same_as<void>;
};
template <class Ipam>
concept ipam_status = requires(Ipam ipam, settings<Ipam> const& settings, findings& found) {
    { ipam.status(settings, found) } -> std::same_as<void>;
};
} // namespace has
} // namespace detail

/// Where a pod's addresses come from.
///
///   type      the `ipam.type` it answers to; empty: any.
///   lease     what it hands out: cni::lease, or derived from it with more (an ENI's device number, say).
///   add       takes addresses for the attachment, and registers their release with the rollback. Throws cni::error
///             and has changed nothing.
///   del       releases all that the attachment holds, and only that. Nothing held is no error. Idempotent. May return what
///             it released, if it knows only then; Link and Nat, which did not know the addresses, then remove what they have.
///   find      what the attachment holds now, without changing anything; nothing if that cannot be told.
///   check     appends what is wrong with the attachment's lease, given the result of its ADD.
///   gc        releases what the network's attachments hold that are not in the valid set; appends what could not be
///             done, and goes on.
///   status    appends why an ADD could not succeed now.
///   expected  (may be left out) the lease that an ADD with these settings gives if nobody holds an address yet, without its
///             dns: for the other slots' status, and for a plan. Looks at nothing on the node but files that configure it.
///             Throws cni::error if there would be none.
///   possible  (may be left out) a lease of each sort that ADDs with these settings may give, one for each ENI, say: for a Link's
///             status_of. As expected.
///   status_of_pods (may be left out) appends why an ADD could not succeed, or would take somebody's address, because of the
///             addresses that pods have: given a function that asks the Link for them (in_use), as often as it is called.
///   attached  (may be left out) the last step of an ADD, given its result, for who must hear of it. Throws cni::error, and the
///             ADD has failed.
///   waits     (may be left out) true: add waits for another process, and a Link may prepare meanwhile.
///   always    (may be left out) true: the composition has addresses without an `ipam` object, whose keys may all be left out.
///             DEL and GC then release whatever `ipam.type` says: no other plugin gave this composition's pods an address.
///   forgets_first (may be left out) true: an add that fails, or is undone, may release what an earlier add of the attachment got,
///             as it does where `type` is empty. The engine then asks for nothing if the pod has the interface already.
///
///   hold      (may be left out) keeps other ADDs and DELs of the attachment off until what it returns is destroyed, which is when
///             the verb ends; for who forgets_first. Throws cni::error, and the verb has failed and done nothing.
///
/// Laws (tests/laws/ipam_laws.hpp): add then find gives the lease; add twice without del throws and keeps the first, or gives it
/// again and has nothing to undo, or, of one that delegates, throws and releases all of the attachment's; add, del leaves no
/// trace; del twice succeeds; two attachments never hold one address; a rolled back add leaves no trace; check finds nothing
/// after add, and something without the lease; gc releases what is not valid, and nothing else; find, check and status change
/// nothing.
template <class Ipam>
concept ipam_policy =
    std::default_initializable<Ipam> && detail::has::config<Ipam> && detail::has::lease<Ipam> &&
    detail::has::ipam_type<Ipam> && detail::has::ipam_add<Ipam> && detail::has::ipam_del<Ipam> &&
    detail::has::ipam_find<Ipam> && detail::has::ipam_check<Ipam> && detail::has::ipam_gc<Ipam> &&
    detail::has::ipam_status<Ipam>;

/// Whether a slot's policy is the Ipam, whatever else is wrong with it: its keys are in the `ipam` object, and without one it
/// does nothing, unless it is_always_used.
template <class Policy> constexpr inline bool is_ipam = requires { Policy::type; };

/// Whether it is an Ipam that needs no `ipam` object.
template <class Policy>
constexpr inline bool is_always_used = is_ipam<Policy> && requires { requires Policy::always; };

/// See ipam_policy.
template <class Policy>
constexpr inline bool may_forget_first =
    std::string_view{Policy::type}.empty() || requires { requires Policy::forgets_first; };

/// See ipam_policy.
template <class Policy> constexpr inline bool is_waiting = requires { requires Policy::waits; };

/// What errors send to whose `ipam.type` is not the composition's: the plugin whose Ipam answers to any type.
constexpr inline std::string_view any_ipam_plugin = "bridge-delegate";

namespace archetypes {
/// The least that is an Ipam; declared only.
struct ipam {
    using config = no_keys;
    using lease = cni::lease;
    static constexpr std::string_view type = "archetype";
    lease add(cni::attachment const&, settings<ipam> const&, cni::rollback&);
    void del(cni::attachment const&, settings<ipam> const&);
    std::optional<lease> find(cni::attachment const&, settings<ipam> const&);
    void check(cni::attachment const&, settings<ipam> const&, cni::result const&, findings&);
    void gc(cni::valid_attachments const&, settings<ipam> const&, findings&);
    void status(settings<ipam> const&, findings&);
};
static_assert(ipam_policy<ipam>);
} // namespace archetypes

} // namespace cnix
