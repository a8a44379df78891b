#pragma once
// Why a type is no policy of its slot: one compile error, which names the first thing that it lacks.

#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/concepts/link_policy.hpp>
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/ns_policy.hpp>
#include <cnix/config/schema.hpp>

#include <concepts>
#include <type_traits>

namespace cnix::detail {

template <class Type>
concept unqualified_class = std::is_class_v<Type> && std::same_as<Type, std::remove_cv_t<Type>>;

template <class Type>
concept defined = requires { sizeof(Type); };

/// A policy of the library that has refused its backend: that was its error.
template <class Type>
concept refused_by_itself = requires { typename Type::is_refused; };

/// What a slot may look into.
template <class Type>
concept policy_type = unqualified_class<Type> && defined<Type> && !refused_by_itself<Type>;

/// Its keys can be read. No part of the slots' concepts, which may be asked before the struct is adapted.
template <class Policy>
concept readable_config = config::adapted_struct<typename Policy::config>;

// A type must not model two concepts' slots; none does.
template <class Type>
concept not_a_link = !link_policy<Type>;
template <class Type>
concept not_an_ipam = !ipam_policy<Type>;
template <class Type>
concept not_a_nat = !nat_policy<Type>;
template <class Type>
concept not_an_ns = !ns_policy<Type>;

// Each static_assert repeats its condition, so that the compiler's notes say why it does not hold.

template <class Policy> auto explain_link() {
    if constexpr (refused_by_itself<Policy>)
        return;
    else if constexpr (!unqualified_class<Policy>)
        static_assert(unqualified_class<Policy>,
                      "cnix: the slot `Link` is given no class; write the policy's own type, without const, "
                      "& or *; docs/compose.md#link");
    else if constexpr (!defined<Policy>)
        static_assert(defined<Policy>, "cnix: the slot `Link` is given a class that is declared only; "
                                       "include the header that defines it; docs/compose.md#link");
    else if constexpr (!not_an_ipam<Policy>)
        static_assert(not_an_ipam<Policy>, "cnix: the slot `Link` is given an Ipam; the order is "
                                           "plugin<Link, Ipam, Nat, Ns>; docs/compose.md#link");
    else if constexpr (!not_a_nat<Policy>)
        static_assert(not_a_nat<Policy>, "cnix: the slot `Link` is given a Nat; the order is plugin<Link, "
                                         "Ipam, Nat, Ns>; docs/compose.md#link");
    else if constexpr (!not_an_ns<Policy>)
        static_assert(not_an_ns<Policy>, "cnix: the slot `Link` is given an Ns; the order is plugin<Link, "
                                         "Ipam, Nat, Ns>; docs/compose.md#link");
    else if constexpr (!std::default_initializable<Policy>)
        static_assert(std::default_initializable<Policy>,
                      "cnix: the slot `Link` lacks a default constructor; write it as cnix::archetypes::link "
                      "has it; docs/writing-a-policy.md#link");
    else if constexpr (!has::config<Policy>)
        static_assert(has::config<Policy>,
                      "cnix: the slot `Link` lacks the type `config`, a struct of its keys (no_keys if it "
                      "has none); write it as cnix::archetypes::link has it; docs/writing-a-policy.md#link");
    else if constexpr (!has::lease<Policy>)
        static_assert(has::lease<Policy>,
                      "cnix: the slot `Link` lacks the type `lease`, cni::lease or derived from it; write it "
                      "as cnix::archetypes::link has it; docs/writing-a-policy.md#link");
    else if constexpr (!has::name<Policy>)
        static_assert(has::name<Policy>,
                      "cnix: the slot `Link` lacks `static constexpr std::string_view name`; write it as "
                      "cnix::archetypes::link has it; docs/writing-a-policy.md#link");
    else if constexpr (!has::link_add<Policy>)
        static_assert(has::link_add<Policy>,
                      "cnix: the slot `Link` lacks `template <ns_policy Ns> void add(cni::attachment const&, "
                      "settings<Link> const&, Ns& pod, lease const&, cni::result&, cni::rollback&)`; write "
                      "it as cnix::archetypes::link has it; docs/writing-a-policy.md#link");
    else if constexpr (!has::link_del<Policy>)
        static_assert(has::link_del<Policy>,
                      "cnix: the slot `Link` lacks `template <ns_policy Ns> void del(cni::attachment const&, "
                      "settings<Link> const&, Ns* pod)`; write it as cnix::archetypes::link has it; "
                      "docs/writing-a-policy.md#link");
    else if constexpr (!has::link_inspect<Policy>)
        static_assert(has::link_inspect<Policy>,
                      "cnix: the slot `Link` lacks `template <ns_policy Ns> pod_interfaces "
                      "inspect(cni::attachment const&, settings<Link> const&, Ns* pod)`; write it as "
                      "cnix::archetypes::link has it; docs/writing-a-policy.md#link");
    else if constexpr (!has::link_check<Policy>)
        static_assert(has::link_check<Policy>,
                      "cnix: the slot `Link` lacks `template <ns_policy Ns> void check(cni::attachment "
                      "const&, settings<Link> const&, Ns& pod, cni::result const&, findings&)`; write it as "
                      "cnix::archetypes::link has it; docs/writing-a-policy.md#link");
    else if constexpr (!has::link_gc<Policy>)
        static_assert(
            has::link_gc<Policy>,
            "cnix: the slot `Link` lacks `void gc(cni::valid_attachments const&, settings<Link> const&, "
            "findings&)`; write it as cnix::archetypes::link has it; docs/writing-a-policy.md#link");
    else if constexpr (!has::link_status<Policy>)
        static_assert(has::link_status<Policy>,
                      "cnix: the slot `Link` lacks `void status(settings<Link> const&, findings&)`; write it "
                      "as cnix::archetypes::link has it; docs/writing-a-policy.md#link");
    else if constexpr (!has::link_prepare<Policy>)
        static_assert(has::link_prepare<Policy>,
                      "cnix: the slot `Link` has a `prepare` that is not `template <ns_policy Ns> void "
                      "prepare(cni::attachment const&, settings<Link> const&, Ns& pod, cni::rollback&)`; "
                      "write it so, or call it otherwise; docs/writing-a-policy.md#link");
    else if constexpr (!readable_config<Policy>)
        static_assert(readable_config<Policy>,
                      "cnix: the slot `Link` has a `config` that is not adapted; list its members with "
                      "BOOST_HANA_ADAPT_STRUCT behind it, outside of every namespace; "
                      "docs/writing-a-policy.md#what-every-policy-has");
}

template <class Policy> auto explain_ipam() {
    if constexpr (refused_by_itself<Policy>)
        return;
    else if constexpr (!unqualified_class<Policy>)
        static_assert(unqualified_class<Policy>,
                      "cnix: the slot `Ipam` is given no class; write the policy's own type, without const, "
                      "& or *; docs/compose.md#ipam");
    else if constexpr (!defined<Policy>)
        static_assert(defined<Policy>, "cnix: the slot `Ipam` is given a class that is declared only; "
                                       "include the header that defines it; docs/compose.md#ipam");
    else if constexpr (!not_a_link<Policy>)
        static_assert(not_a_link<Policy>, "cnix: the slot `Ipam` is given a Link; the order is plugin<Link, "
                                          "Ipam, Nat, Ns>; docs/compose.md#ipam");
    else if constexpr (!not_a_nat<Policy>)
        static_assert(not_a_nat<Policy>, "cnix: the slot `Ipam` is given a Nat; the order is plugin<Link, "
                                         "Ipam, Nat, Ns>; docs/compose.md#ipam");
    else if constexpr (!not_an_ns<Policy>)
        static_assert(not_an_ns<Policy>, "cnix: the slot `Ipam` is given an Ns; the order is plugin<Link, "
                                         "Ipam, Nat, Ns>; docs/compose.md#ipam");
    else if constexpr (!std::default_initializable<Policy>)
        static_assert(std::default_initializable<Policy>,
                      "cnix: the slot `Ipam` lacks a default constructor; write it as cnix::archetypes::ipam "
                      "has it; docs/writing-a-policy.md#ipam");
    else if constexpr (!has::config<Policy>)
        static_assert(has::config<Policy>,
                      "cnix: the slot `Ipam` lacks the type `config`, a struct of its keys (no_keys if it "
                      "has none); write it as cnix::archetypes::ipam has it; docs/writing-a-policy.md#ipam");
    else if constexpr (!has::lease<Policy>)
        static_assert(has::lease<Policy>,
                      "cnix: the slot `Ipam` lacks the type `lease`, cni::lease or derived from it; write it "
                      "as cnix::archetypes::ipam has it; docs/writing-a-policy.md#ipam");
    else if constexpr (!has::ipam_type<Policy>)
        static_assert(has::ipam_type<Policy>,
                      "cnix: the slot `Ipam` lacks `static constexpr std::string_view type`; write it as "
                      "cnix::archetypes::ipam has it; docs/writing-a-policy.md#ipam");
    else if constexpr (!has::ipam_add<Policy>)
        static_assert(
            has::ipam_add<Policy>,
            "cnix: the slot `Ipam` lacks `lease add(cni::attachment const&, settings<Ipam> const&, "
            "cni::rollback&)`; write it as cnix::archetypes::ipam has it; docs/writing-a-policy.md#ipam");
    else if constexpr (!has::ipam_del<Policy>)
        static_assert(has::ipam_del<Policy>,
                      "cnix: the slot `Ipam` lacks `void del(cni::attachment const&, settings<Ipam> "
                      "const&)`; write it as cnix::archetypes::ipam has it; docs/writing-a-policy.md#ipam");
    else if constexpr (!has::ipam_find<Policy>)
        static_assert(
            has::ipam_find<Policy>,
            "cnix: the slot `Ipam` lacks `std::optional<lease> find(cni::attachment const&, settings<Ipam> "
            "const&)`; write it as cnix::archetypes::ipam has it; docs/writing-a-policy.md#ipam");
    else if constexpr (!has::ipam_check<Policy>)
        static_assert(has::ipam_check<Policy>,
                      "cnix: the slot `Ipam` lacks `void check(cni::attachment const&, settings<Ipam> "
                      "const&, cni::result const&, findings&)`; write it as cnix::archetypes::ipam has it; "
                      "docs/writing-a-policy.md#ipam");
    else if constexpr (!has::ipam_gc<Policy>)
        static_assert(
            has::ipam_gc<Policy>,
            "cnix: the slot `Ipam` lacks `void gc(cni::valid_attachments const&, settings<Ipam> const&, "
            "findings&)`; write it as cnix::archetypes::ipam has it; docs/writing-a-policy.md#ipam");
    else if constexpr (!has::ipam_status<Policy>)
        static_assert(has::ipam_status<Policy>,
                      "cnix: the slot `Ipam` lacks `void status(settings<Ipam> const&, findings&)`; write it "
                      "as cnix::archetypes::ipam has it; docs/writing-a-policy.md#ipam");
    else if constexpr (!readable_config<Policy>)
        static_assert(readable_config<Policy>,
                      "cnix: the slot `Ipam` has a `config` that is not adapted; list its members with "
                      "BOOST_HANA_ADAPT_STRUCT behind it, outside of every namespace; "
                      "docs/writing-a-policy.md#what-every-policy-has");
}

template <class Policy> auto explain_nat() {
    if constexpr (refused_by_itself<Policy>)
        return;
    else if constexpr (!unqualified_class<Policy>)
        static_assert(unqualified_class<Policy>, "cnix: the slot `Nat` is given no class; write the policy's "
                                                 "own type, without const, & or *; docs/compose.md#nat");
    else if constexpr (!defined<Policy>)
        static_assert(defined<Policy>, "cnix: the slot `Nat` is given a class that is declared only; include "
                                       "the header that defines it; docs/compose.md#nat");
    else if constexpr (!not_a_link<Policy>)
        static_assert(not_a_link<Policy>, "cnix: the slot `Nat` is given a Link; the order is plugin<Link, "
                                          "Ipam, Nat, Ns>; docs/compose.md#nat");
    else if constexpr (!not_an_ipam<Policy>)
        static_assert(not_an_ipam<Policy>, "cnix: the slot `Nat` is given an Ipam; the order is plugin<Link, "
                                           "Ipam, Nat, Ns>; docs/compose.md#nat");
    else if constexpr (!not_an_ns<Policy>)
        static_assert(not_an_ns<Policy>, "cnix: the slot `Nat` is given an Ns; the order is plugin<Link, "
                                         "Ipam, Nat, Ns>; docs/compose.md#nat");
    else if constexpr (!std::default_initializable<Policy>)
        static_assert(std::default_initializable<Policy>,
                      "cnix: the slot `Nat` lacks a default constructor; write it as cnix::archetypes::nat "
                      "has it; docs/writing-a-policy.md#nat");
    else if constexpr (!has::config<Policy>)
        static_assert(has::config<Policy>,
                      "cnix: the slot `Nat` lacks the type `config`, a struct of its keys (no_keys if it has "
                      "none); write it as cnix::archetypes::nat has it; docs/writing-a-policy.md#nat");
    else if constexpr (!has::name<Policy>)
        static_assert(has::name<Policy>,
                      "cnix: the slot `Nat` lacks `static constexpr std::string_view name`; write it as "
                      "cnix::archetypes::nat has it; docs/writing-a-policy.md#nat");
    else if constexpr (!has::nat_add<Policy>)
        static_assert(has::nat_add<Policy>,
                      "cnix: the slot `Nat` lacks `void add(cni::attachment const&, settings<Nat> const&, "
                      "cni::result const&, cni::rollback&)`; write it as cnix::archetypes::nat has it; "
                      "docs/writing-a-policy.md#nat");
    else if constexpr (!has::nat_del<Policy>)
        static_assert(has::nat_del<Policy>,
                      "cnix: the slot `Nat` lacks `void del(cni::attachment const&, settings<Nat> const&)`; "
                      "write it as cnix::archetypes::nat has it; docs/writing-a-policy.md#nat");
    else if constexpr (!has::nat_check<Policy>)
        static_assert(has::nat_check<Policy>,
                      "cnix: the slot `Nat` lacks `void check(cni::attachment const&, settings<Nat> const&, "
                      "cni::result const&, findings&)`; write it as cnix::archetypes::nat has it; "
                      "docs/writing-a-policy.md#nat");
    else if constexpr (!has::nat_gc<Policy>)
        static_assert(
            has::nat_gc<Policy>,
            "cnix: the slot `Nat` lacks `void gc(cni::valid_attachments const&, settings<Nat> const&, "
            "findings&)`; write it as cnix::archetypes::nat has it; docs/writing-a-policy.md#nat");
    else if constexpr (!has::nat_status<Policy>)
        static_assert(has::nat_status<Policy>,
                      "cnix: the slot `Nat` lacks `void status(settings<Nat> const&, findings&)`; write it "
                      "as cnix::archetypes::nat has it; docs/writing-a-policy.md#nat");
    else if constexpr (!readable_config<Policy>)
        static_assert(readable_config<Policy>,
                      "cnix: the slot `Nat` has a `config` that is not adapted; list its members with "
                      "BOOST_HANA_ADAPT_STRUCT behind it, outside of every namespace; "
                      "docs/writing-a-policy.md#what-every-policy-has");
}

template <class Policy> auto explain_ns() {
    if constexpr (refused_by_itself<Policy>)
        return;
    else if constexpr (!unqualified_class<Policy>)
        static_assert(unqualified_class<Policy>, "cnix: the slot `Ns` is given no class; write the policy's "
                                                 "own type, without const, & or *; docs/compose.md#ns");
    else if constexpr (!defined<Policy>)
        static_assert(defined<Policy>, "cnix: the slot `Ns` is given a class that is declared only; include "
                                       "the header that defines it; docs/compose.md#ns");
    else if constexpr (!not_a_link<Policy>)
        static_assert(not_a_link<Policy>, "cnix: the slot `Ns` is given a Link; the order is plugin<Link, "
                                          "Ipam, Nat, Ns>; docs/compose.md#ns");
    else if constexpr (!not_an_ipam<Policy>)
        static_assert(not_an_ipam<Policy>, "cnix: the slot `Ns` is given an Ipam; the order is plugin<Link, "
                                           "Ipam, Nat, Ns>; docs/compose.md#ns");
    else if constexpr (!not_a_nat<Policy>)
        static_assert(not_a_nat<Policy>, "cnix: the slot `Ns` is given a Nat; the order is plugin<Link, "
                                         "Ipam, Nat, Ns>; docs/compose.md#ns");
    else if constexpr (!std::movable<Policy>)
        static_assert(std::movable<Policy>,
                      "cnix: the slot `Ns` lacks a move constructor and a move assignment; write it as "
                      "cnix::archetypes::ns has it; docs/writing-a-policy.md#ns");
    else if constexpr (!has::ns_open<Policy>)
        static_assert(has::ns_open<Policy>,
                      "cnix: the slot `Ns` lacks `static Ns open(std::string const& path)`; write it as "
                      "cnix::archetypes::ns has it; docs/writing-a-policy.md#ns");
    else if constexpr (!has::ns_find<Policy>)
        static_assert(has::ns_find<Policy>,
                      "cnix: the slot `Ns` lacks `static std::optional<Ns> find(std::string const& path)`; "
                      "write it as cnix::archetypes::ns has it; docs/writing-a-policy.md#ns");
    else if constexpr (!has::ns_fd<Policy>)
        static_assert(has::ns_fd<Policy>, "cnix: the slot `Ns` lacks `int fd() const`; write it as "
                                          "cnix::archetypes::ns has it; docs/writing-a-policy.md#ns");
    else if constexpr (!has::ns_run<Policy>)
        static_assert(has::ns_run<Policy>,
                      "cnix: the slot `Ns` lacks `template <class F> auto run(F&& f)`, which returns what f "
                      "does, or void; write it as cnix::archetypes::ns has it; docs/writing-a-policy.md#ns");
    else if constexpr (!has::ns_is_current<Policy>)
        static_assert(has::ns_is_current<Policy>,
                      "cnix: the slot `Ns` lacks `bool is_current() const`; write it as cnix::archetypes::ns "
                      "has it; docs/writing-a-policy.md#ns");
}

} // namespace cnix::detail
