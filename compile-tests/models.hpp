#pragma once
#include <cnix/compose.hpp>

/// Minimal models of each slot, to be broken one requirement at a time: `struct bad : models::nat<bad> { void add() = delete; };`
/// Hiding a name takes exactly that operation away; the unbroken derivation is the control.
namespace models {

using namespace cnix;

template <class Self> struct ns {
    static Self open(std::string const&);
    static std::optional<Self> find(std::string const&);
    int fd() const;
    template <class F> auto run(F&& f) -> decltype(f()) { return f(); }
    bool is_current() const;
};

template <class Self> struct ipam {
    using config = no_keys;
    using lease = cni::lease;
    static constexpr std::string_view type = "model";
    lease add(cni::attachment const&, settings<Self> const&, cni::rollback&);
    void del(cni::attachment const&, settings<Self> const&);
    std::optional<lease> find(cni::attachment const&, settings<Self> const&);
    void check(cni::attachment const&, settings<Self> const&, cni::result const&, findings&);
    void gc(cni::valid_attachments const&, settings<Self> const&, findings&);
    void status(settings<Self> const&, findings&);
};

template <class Self> struct link {
    using config = no_keys;
    using lease = cni::lease;
    static constexpr std::string_view name = "model";
    template <ns_policy Ns>
    void add(cni::attachment const&, settings<Self> const&, Ns&, cni::lease const&, cni::result&,
             cni::rollback&);
    template <ns_policy Ns> void del(cni::attachment const&, settings<Self> const&, Ns*);
    template <ns_policy Ns> pod_interfaces inspect(cni::attachment const&, settings<Self> const&, Ns*);
    template <ns_policy Ns>
    void check(cni::attachment const&, settings<Self> const&, Ns&, cni::result const&, findings&);
    void gc(cni::valid_attachments const&, settings<Self> const&, findings&);
    void status(settings<Self> const&, findings&);
};

template <class Self> struct nat {
    using config = no_keys;
    static constexpr std::string_view name = "model";
    void add(cni::attachment const&, settings<Self> const&, cni::result const&, cni::rollback&);
    void del(cni::attachment const&, settings<Self> const&);
    void check(cni::attachment const&, settings<Self> const&, cni::result const&, findings&);
    void gc(cni::valid_attachments const&, settings<Self> const&, findings&);
    void status(settings<Self> const&, findings&);
};

struct good_ns : ns<good_ns> {};
struct good_ipam : ipam<good_ipam> {};
struct good_link : link<good_link> {};
struct good_nat : nat<good_nat> {};

static_assert(ns_policy<good_ns>);
static_assert(ipam_policy<good_ipam>);
static_assert(link_policy<good_link>);
static_assert(nat_policy<good_nat>);

} // namespace models
