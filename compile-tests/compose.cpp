// Wrong compositions: one error per broken slot, in words.
#include <cnix/plugin.hpp>

#include "models.hpp"

using namespace models;

struct rich_lease : cnix::cni::lease {
    int device_number = 0;
};
struct link_of_rich_leases : models::link<link_of_rich_leases> {
    using lease = rich_lease;
};
struct link_without_gc : models::link<link_without_gc> {
    void gc() = delete;
};
struct ipam_without_find : models::ipam<ipam_without_find> {
    void find() = delete;
};
struct nat_without_check : models::nat<nat_without_check> {
    void check() = delete;
};
struct ns_without_run : models::ns<ns_without_run> {
    void run() = delete;
};

static_assert(cnix::plugin<good_link, good_ipam, good_nat, good_ns>::well_formed);

// FAIL broken_link 1: cnix: the slot `Link` lacks `void gc\(
#ifdef CT_broken_link
cnix::plugin<link_without_gc, good_ipam, good_nat, good_ns> plugin;
#endif

// FAIL broken_ipam 1: cnix: the slot `Ipam` lacks `std::optional<lease> find\(
#ifdef CT_broken_ipam
cnix::plugin<good_link, ipam_without_find, good_nat, good_ns> plugin;
#endif

// FAIL broken_nat 1: cnix: the slot `Nat` lacks `void check\(
#ifdef CT_broken_nat
cnix::plugin<good_link, good_ipam, nat_without_check, good_ns> plugin;
#endif

// FAIL broken_ns 1: cnix: the slot `Ns` lacks `template <class F> auto run\(
#ifdef CT_broken_ns
cnix::plugin<good_link, good_ipam, good_nat, ns_without_run> plugin;
#endif

// FAIL lease_without_device 1: cnix: `Ipam` does not fit `Link`: its leases do not carry what this Link needs
#ifdef CT_lease_without_device
cnix::plugin<link_of_rich_leases, good_ipam, good_nat, good_ns> plugin;
#endif

// FAIL swapped 2: the slot `Link` is given an Ipam.*the slot `Ipam` is given a Link
#ifdef CT_swapped
cnix::plugin<good_ipam, good_link, good_nat, good_ns> plugin;
#endif

// FAIL broken_ipam_alone 1: cnix: the slot `Ipam` lacks `std::optional<lease> find\(
#ifdef CT_broken_ipam_alone
cnix::ipam_plugin<ipam_without_find> plugin;
#endif
