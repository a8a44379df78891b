#pragma once
#include <cnix/concepts/link_policy.hpp>

#include <doctest/doctest.h>

#include "laws/nat_laws.hpp"
#include "support/difference.hpp"
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace cnix::laws {

inline cni::lease lease(std::initializer_list<std::string> addresses, std::vector<cni::route> routes = {}) {
    return {result(addresses).ips, std::move(routes), {}};
}

/// The laws of link_policy. A World is a fresh node:
///
///     std::string pod(int n)   the path of the n-th pod's namespace, n < 3
///     std::string state()      all that is configured on the node and in its pods, as text
template <link_policy Link, ns_policy Ns, class World> class link_laws {
  public:
    explicit link_laws(settings<Link> settings) : settings_{std::move(settings)} {}

    /// For a lease: its addresses are of pod 1; `other` is another pod's of the same subnets.
    void all(typename Link::lease const& lease, typename Link::lease const& other) {
        lease_ = lease;
        other_ = other;
        add_check_del();
        rolled_back();
        rolled_back_beside_another();
        add_twice();
        del_without_the_pod();
        two_attachments();
        two_networks_in_a_pod();
        interface_of_another_network();
        interface_of_somebody_else();
        if constexpr (detail::has::link_prepares<Link>) prepared();
        gc();
        status();
    }

  private:
    void add_check_del() {
        World here;
        auto const a = at(here, "mynet", "c1", 0), b = at(here, "mynet", "c2", 1);
        auto const fresh = here.state();
        CHECK_MESSAGE(inspect(a).present == false, "nothing is inspected before add");
        auto const made = add(a, lease_);
        CHECK(here.state() != fresh);
        CHECK_MESSAGE(check(a, made) == "", "add then check finds nothing");
        auto const added = here.state();
        CHECK_MESSAGE(check(a, made) == "", "check changes nothing");
        same(added, here);
        CHECK(inspect(a).present);
        CHECK(inspect(a).addresses == addresses(lease_));
        CHECK(inspect(a).other_addresses.empty());
        same(added, here);
        del(a);
        auto const shared = here.state();
        CHECK_MESSAGE(!mentions(shared, a), "add, del leaves no trace of the attachment");
        CHECK_FALSE(inspect(a).present);
        CHECK(check(a, made) != "");
        del(a);
        same(shared, here, "del twice succeeds, and changes nothing");
        add(b, other_);
        CHECK(mentions(here.state(), b));
        del(b);
        same(shared, here, "what stays is the same for all attachments");
    }

    void rolled_back() {
        World here;
        auto const fresh = here.state();
        {
            cni::rollback undo;
            add(at(here, "mynet", "c1", 0), lease_, undo);
            CHECK(here.state() != fresh);
            CHECK_MESSAGE(text(undo.undo()) == "", "undo succeeds");
        }
        same(fresh, here, "a rolled back add leaves no trace");
    }

    void rolled_back_beside_another() {
        World here;
        auto const a = at(here, "mynet", "c1", 0), b = at(here, "mynet", "c2", 1);
        auto const made = add(a, lease_);
        auto const first = here.state();
        {
            cni::rollback undo;
            add(b, other_, undo);
            CHECK(here.state() != first);
        }
        same(first, here, "a rolled back add leaves no trace beside another attachment");
        CHECK(check(a, made) == "");
    }

    void add_twice() {
        World here;
        auto const a = at(here, "mynet", "c1", 0);
        auto const made = add(a, lease_);
        auto const first = here.state();
        CHECK_MESSAGE(fails(a, lease_), "add twice throws");
        same(first, here, "add twice keeps the first");
        CHECK(check(a, made) == "");
    }

    void del_without_the_pod() {
        World here;
        auto const a = at(here, "mynet", "c1", 0);
        add(a, lease_);
        Link{}.del(a, settings_, static_cast<Ns*>(nullptr));
        CHECK_FALSE(mentions(here.state(), a));
        CHECK_FALSE(inspect(a).present);
        CHECK_FALSE(Link{}.inspect(a, settings_, static_cast<Ns*>(nullptr)).present);
    }

    void two_attachments() {
        World here;
        auto const a = at(here, "mynet", "c1", 0), b = at(here, "mynet", "c2", 1);
        auto const made_a = add(a, lease_);
        auto const first = here.state();
        auto const made_b = add(b, other_);
        CHECK(check(a, made_a) == "");
        CHECK(check(b, made_b) == "");
        CHECK_MESSAGE(check(a, made_b) != "", "the result of another pod does not fit");
        del(b);
        same(first, here, "del touches no other attachment");
        CHECK(check(a, made_a) == "");
    }

    void two_networks_in_a_pod() {
        World here;
        auto const a = at(here, "mynet", "c1", 0), b = at(here, "other", "c1", 0, "net1");
        auto const made_a = add(a, lease_);
        auto const first = here.state();
        // Two default routes, or connected ones of one subnet, are no matter of this law.
        auto const made_b = add(b, {});
        CHECK(check(a, made_a) == "");
        CHECK(check(b, made_b) == "");
        CHECK(inspect(b).addresses.empty());
        CHECK(inspect(b).other_addresses == addresses(lease_));
        del(b);
        same(first, here);
        CHECK(check(a, made_a) == "");
    }

    void interface_of_another_network() {
        World here;
        auto const a = at(here, "mynet", "c1", 0), b = at(here, "other", "c1", 0);
        auto const made = add(a, lease_);
        auto const first = here.state();
        CHECK_MESSAGE(fails(b, other_), "an interface of the name is an error");
        same(first, here);
        del(b); // as a runtime does after a failed ADD
        same(first, here, "del does not touch what carries another attachment");
        CHECK(check(a, made) == "");
    }

    void interface_of_somebody_else() {
        World here;
        auto const a = at(here, "mynet", "c1", 0);
        here.add_interface(a.netns, "eth0");
        auto const first = here.state();
        CHECK_MESSAGE(fails(a, lease_), "an interface of the name is an error");
        same(first, here);
    }

    void prepared() {
        World here;
        auto const a = at(here, "mynet", "c1", 0), b = at(here, "mynet", "c2", 1);
        auto const fresh = here.state();
        for (bool const added : {false, true}) {
            cni::rollback undo;
            prepare_and_add(a, added ? &lease_ : nullptr, undo);
            CHECK(here.state() != fresh);
            CHECK_MESSAGE(text(undo.undo()) == "", "undo succeeds");
            same(fresh, here, "a rolled back prepare, or prepared add, leaves no trace");
        }
        cni::rollback undo;
        auto const made = prepare_and_add(a, &lease_, undo);
        undo.commit();
        CHECK_MESSAGE(check(a, made) == "", "a prepared add is as one that was not");
        auto const first = here.state();
        {
            cni::rollback second;
            CHECK_THROWS(prepare_and_add(a, &lease_, second));
        }
        same(first, here, "prepared twice, the first is kept");
        add(b, other_);
        del(a);
        CHECK(!mentions(here.state(), a));
        del(b);
    }

    void gc() {
        World here;
        auto const a = at(here, "mynet", "c1", 0), b = at(here, "mynet", "c2", 1),
                   c = at(here, "other", "c3", 2);
        auto const made = add(a, lease_);
        add(c, {});
        auto const kept = here.state();
        add(b, other_);
        cni::valid_attachments valid{a.network};
        valid.insert(a.container, a.interface);
        collect(valid);
        same(kept, here, "gc drops what is not valid, and only that");
        collect(valid);
        same(kept, here);
        CHECK(check(a, made) == "");
        collect(cni::valid_attachments{a.network});
        CHECK_FALSE(mentions(here.state(), a));
        CHECK_MESSAGE(mentions(here.state(), c), "gc keeps other networks");
        collect(cni::valid_attachments{c.network});
        CHECK_FALSE(mentions(here.state(), c));
    }

    void status() {
        World here;
        auto const fresh = here.state();
        findings found;
        Link{}.status(settings_, found);
        CHECK(text(found) == "");
        same(fresh, here, "status changes nothing");
        add(at(here, "mynet", "c1", 0), lease_);
        auto const added = here.state();
        Link{}.status(settings_, found);
        CHECK(text(found) == "");
        same(added, here);
    }

    static cni::attachment at(World& here, std::string_view network, std::string_view container, int pod,
                              std::string_view interface = "eth0") {
        auto one = attachment(network, container, interface);
        one.netns = here.pod(pod);
        return one;
    }
    static void same(std::string const& before, World& here, std::string const& law = "") {
        INFO(law);
        CHECK(test::difference(before, here.state()) == "");
    }
    static bool mentions(std::string const& state, cni::attachment const& one) {
        return state.find(one.digest()) != std::string::npos ||
               state.find(one.digest().substr(0, 11)) != std::string::npos;
    }
    static std::vector<net::address> addresses(cni::lease const& lease) {
        std::vector<net::address> all;
        for (cni::ip const& ip : lease.ips) all.push_back(ip.address.address());
        return all;
    }

    cni::result add(cni::attachment const& one, typename Link::lease const& lease, cni::rollback& undo) {
        Ns pod = Ns::open(one.netns);
        cni::result result;
        static_cast<cni::lease&>(result) = lease;
        Link{}.add(one, settings_, pod, lease, result, undo);
        return result;
    }
    cni::result prepare_and_add(cni::attachment const& one, typename Link::lease const* lease,
                                cni::rollback& undo) {
        Ns pod = Ns::open(one.netns);
        Link link;
        link.prepare(one, settings_, pod, undo);
        cni::result result;
        if (!lease) return result;
        static_cast<cni::lease&>(result) = *lease;
        link.add(one, settings_, pod, *lease, result, undo);
        return result;
    }
    cni::result add(cni::attachment const& one, typename Link::lease const& lease) {
        cni::rollback undo;
        auto const result = add(one, lease, undo);
        undo.commit();
        return result;
    }
    bool fails(cni::attachment const& one, typename Link::lease const& lease) {
        cni::rollback undo;
        try {
            add(one, lease, undo);
        } catch (std::exception const&) {
            CHECK(text(undo.undo()) == "");
            return true;
        }
        return false;
    }
    void del(cni::attachment const& one) {
        auto pod = Ns::find(one.netns);
        Link{}.del(one, settings_, pod ? &*pod : nullptr);
    }
    pod_interfaces inspect(cni::attachment const& one) {
        auto pod = Ns::find(one.netns);
        return Link{}.inspect(one, settings_, pod ? &*pod : nullptr);
    }
    static std::string text(findings const& found) {
        std::string all;
        for (std::string const& one : found) all += one + '\n';
        return all;
    }
    std::string check(cni::attachment const& one, cni::result const& made) {
        auto pod = Ns::open(one.netns);
        findings found;
        Link{}.check(with_addresses(one, made), settings_, pod, made, found);
        return text(found);
    }
    void collect(cni::valid_attachments const& valid) {
        findings found;
        Link{}.gc(valid, settings_, found);
        CHECK(text(found) == "");
    }

    settings<Link> settings_;
    typename Link::lease lease_;
    typename Link::lease other_;
};

} // namespace cnix::laws
