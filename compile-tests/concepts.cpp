// Every requirement of every slot's concept, refused once. Building this file is the test.
#include <cnix/concepts/node_nat_policy.hpp>

#include "models.hpp"

using namespace models;

#define CNIX_LACKS(CONCEPT, SLOT, NAME)                                                                      \
    struct SLOT##_without_##NAME : models::SLOT<SLOT##_without_##NAME> {                                     \
        void NAME() = delete;                                                                                \
    };                                                                                                       \
    static_assert(!cnix::CONCEPT<SLOT##_without_##NAME>)

#define CNIX_LACKS_TYPE(CONCEPT, SLOT, NAME)                                                                 \
    class SLOT##_without_##NAME : public models::SLOT<SLOT##_without_##NAME> {                               \
        using NAME = void;                                                                                   \
    };                                                                                                       \
    static_assert(!cnix::CONCEPT<SLOT##_without_##NAME>)

CNIX_LACKS(ns_policy, ns, open);
CNIX_LACKS(ns_policy, ns, find);
CNIX_LACKS(ns_policy, ns, fd);
CNIX_LACKS(ns_policy, ns, run);
CNIX_LACKS(ns_policy, ns, is_current);
struct immovable_ns : models::ns<immovable_ns> {
    immovable_ns(immovable_ns&&) = delete;
};
static_assert(!cnix::ns_policy<immovable_ns>);

CNIX_LACKS_TYPE(ipam_policy, ipam, config);
CNIX_LACKS_TYPE(ipam_policy, ipam, lease);
CNIX_LACKS(ipam_policy, ipam, type);
CNIX_LACKS(ipam_policy, ipam, add);
CNIX_LACKS(ipam_policy, ipam, del);
CNIX_LACKS(ipam_policy, ipam, find);
CNIX_LACKS(ipam_policy, ipam, check);
CNIX_LACKS(ipam_policy, ipam, gc);
CNIX_LACKS(ipam_policy, ipam, status);
struct ipam_with_foreign_lease : models::ipam<ipam_with_foreign_lease> {
    struct lease {};
};
static_assert(!cnix::ipam_policy<ipam_with_foreign_lease>);
struct ipam_that_needs_arguments : models::ipam<ipam_that_needs_arguments> {
    explicit ipam_that_needs_arguments(int);
};
static_assert(!cnix::ipam_policy<ipam_that_needs_arguments>);

CNIX_LACKS_TYPE(link_policy, link, config);
CNIX_LACKS_TYPE(link_policy, link, lease);
CNIX_LACKS(link_policy, link, name);
CNIX_LACKS(link_policy, link, add);
CNIX_LACKS(link_policy, link, del);
CNIX_LACKS(link_policy, link, inspect);
CNIX_LACKS(link_policy, link, check);
CNIX_LACKS(link_policy, link, gc);
CNIX_LACKS(link_policy, link, status);
struct link_with_foreign_lease : models::link<link_with_foreign_lease> {
    struct lease {};
};
static_assert(!cnix::link_policy<link_with_foreign_lease>);
struct link_that_needs_arguments : models::link<link_that_needs_arguments> {
    explicit link_that_needs_arguments(int);
};
static_assert(!cnix::link_policy<link_that_needs_arguments>);

// What may be left out is as it should be, or called otherwise.
struct link_that_prepares : models::link<link_that_prepares> {
    template <cnix::ns_policy Ns>
    void prepare(cnix::cni::attachment const&, cnix::settings<link_that_prepares> const&, Ns&,
                 cnix::cni::rollback&);
};
static_assert(cnix::link_policy<link_that_prepares> && cnix::detail::has::link_prepares<link_that_prepares>);
struct link_that_returns_what_it_prepared : models::link<link_that_returns_what_it_prepared> {
    template <cnix::ns_policy Ns>
    int prepare(cnix::cni::attachment const&, cnix::settings<link_that_returns_what_it_prepared> const&, Ns&,
                cnix::cni::rollback&);
};
static_assert(!cnix::link_policy<link_that_returns_what_it_prepared>);
struct link_that_prepares_for_nobody : models::link<link_that_prepares_for_nobody> {
    void prepare();
};
static_assert(!cnix::link_policy<link_that_prepares_for_nobody>);
struct last_link final : models::link<last_link> {};
static_assert(cnix::link_policy<last_link> && !cnix::detail::has::link_prepares<last_link>);
struct waiting_ipam : models::ipam<waiting_ipam> {
    static constexpr bool waits = true;
};
static_assert(cnix::is_waiting<waiting_ipam> && !cnix::is_waiting<good_ipam>);

CNIX_LACKS_TYPE(nat_policy, nat, config);
CNIX_LACKS(nat_policy, nat, name);
CNIX_LACKS(nat_policy, nat, add);
CNIX_LACKS(nat_policy, nat, del);
CNIX_LACKS(nat_policy, nat, check);
CNIX_LACKS(nat_policy, nat, gc);
CNIX_LACKS(nat_policy, nat, status);

// The second contract of Nat policies.
template <class> struct good_node_nat {
    static constexpr std::string_view name = "good";
    static constexpr bool marks_connections = true;
    void set_up_node(cnix::node_nat const&) {}
    void check_node(cnix::node_nat const&, cnix::findings&) {}
    void remove_node() {}
};
static_assert(cnix::node_nat_policy<good_node_nat<void>>);
#define CNIX_NODE_NAT_LACKS(NAME)                                                                            \
    struct node_nat_without_##NAME : good_node_nat<node_nat_without_##NAME> {                                \
        void NAME() = delete;                                                                                \
    };                                                                                                       \
    static_assert(!cnix::node_nat_policy<node_nat_without_##NAME>)
CNIX_NODE_NAT_LACKS(name);
CNIX_NODE_NAT_LACKS(marks_connections);
CNIX_NODE_NAT_LACKS(set_up_node);
CNIX_NODE_NAT_LACKS(check_node);
CNIX_NODE_NAT_LACKS(remove_node);

struct nat_that_needs_arguments : models::nat<nat_that_needs_arguments> {
    explicit nat_that_needs_arguments(int);
};
static_assert(!cnix::nat_policy<nat_that_needs_arguments>);

// Rules across slots.
struct rich_lease : cnix::cni::lease {
    int device_number = 0;
};
struct ipam_with_rich_lease : models::ipam<ipam_with_rich_lease> {
    using lease = rich_lease;
    lease add(cnix::cni::attachment const&, cnix::settings<ipam_with_rich_lease> const&,
              cnix::cni::rollback&);
    std::optional<lease> find(cnix::cni::attachment const&, cnix::settings<ipam_with_rich_lease> const&);
};
struct link_of_rich_leases : models::link<link_of_rich_leases> {
    using lease = rich_lease;
};
static_assert(cnix::composable<good_link, good_ipam, good_nat, good_ns>);
static_assert(cnix::composable<good_link, ipam_with_rich_lease, good_nat, good_ns>,
              "more than needed is fine");
static_assert(cnix::composable<link_of_rich_leases, ipam_with_rich_lease, good_nat, good_ns>);
static_assert(!cnix::composable<link_of_rich_leases, good_ipam, good_nat, good_ns>);
static_assert(!cnix::composable<good_ipam, good_link, good_nat, good_ns>);
