#pragma once
#include <cnix/concepts/ipam_policy.hpp>

namespace cnix {

namespace detail {
namespace has {
template <class Nat>
concept nat_add = requires(Nat nat, cni::attachment const& attachment, settings<Nat> const& settings,
                           cni::result const& result, cni::rollback& undo) {
    { nat.add(attachment, settings, result, undo) } -> std::same_as<void>;
};
template <class Nat>
concept nat_del = requires(Nat nat, cni::attachment const& attachment, settings<Nat> const& settings) {
    { nat.del(attachment, settings) } -> std::same_as<void>;
};
template <class Nat>
concept nat_check = requires(Nat nat, cni::attachment const& attachment, settings<Nat> const& settings,
                             cni::result const& result, findings& found) {
    { nat.check(attachment, settings, result, found) } -> std::same_as<void>;
};
template <class Nat>
concept nat_gc =
    requires(Nat nat, cni::valid_attachments const& valid, settings<Nat> const& settings, findings& found) {
        { nat.gc(valid, settings, found) } -> std::same_as<void>;
    };
template <class Nat>
concept nat_status = requires(Nat nat, settings<Nat> const& settings, findings& found) {
    { nat.status(settings, found) } -> std::same_as<void>;
};
} // namespace has
} // namespace detail

/// How pod traffic leaves under the node's address.
///
///   name    of the mechanism, as a user would write it: "nftables".
///   add     masquerades what the result's addresses send beyond their own subnets and multicast, if the settings ask
///           for it; registers the undo.
///   del     removes what add made for the attachment. attachment.addresses may be empty: it is then found by its
///           names. An address that meanwhile belongs to another attachment is left alone. Idempotent.
///   check   appends what differs from what add made, given the result of ADD.
///   gc      removes what the network's attachments have that are not valid; appends what could not be done.
///   status  appends why an ADD could not succeed now.
///
/// Laws (tests/laws/nat_laws.hpp): add then check finds nothing; add, del leaves no trace of the attachment; the last
/// del of a network leaves no trace of the network; del twice succeeds; a rolled back add leaves no trace; gc takes what is
/// not valid, and of this network only; del and gc do so though the settings no longer ask for masquerading; where they never
/// did, nothing is changed and nothing is found.
template <class Nat>
concept nat_policy = std::default_initializable<Nat> && detail::has::config<Nat> && detail::has::name<Nat> &&
                     detail::has::nat_add<Nat> && detail::has::nat_del<Nat> && detail::has::nat_check<Nat> &&
                     detail::has::nat_gc<Nat> && detail::has::nat_status<Nat>;

namespace archetypes {
/// The least that is a Nat; declared only.
struct nat {
    using config = no_keys;
    static constexpr std::string_view name = "archetype";
    void add(cni::attachment const&, settings<nat> const&, cni::result const&, cni::rollback&);
    void del(cni::attachment const&, settings<nat> const&);
    void check(cni::attachment const&, settings<nat> const&, cni::result const&, findings&);
    void gc(cni::valid_attachments const&, settings<nat> const&, findings&);
    void status(settings<nat> const&, findings&);
};
static_assert(nat_policy<nat>);
} // namespace archetypes

} // namespace cnix
