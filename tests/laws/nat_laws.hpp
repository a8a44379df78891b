#pragma once
#include <cnix/concepts/nat_policy.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

namespace cnix::laws {

inline cni::attachment attachment(std::string_view network, std::string_view container,
                                  std::string_view interface = "eth0") {
    return {{*cni::network_name::parse(network), *cni::container_id::parse(container),
             *net::interface_name::parse(interface)},
            "",
            {}};
}
inline cni::result result(std::initializer_list<std::string> addresses) {
    cni::result made;
    for (auto const& text : addresses)
        made.ips.push_back({*net::prefix::parse(text), std::nullopt, std::nullopt});
    return made;
}
/// As DEL and CHECK get it: with the result's addresses.
inline cni::attachment with_addresses(cni::attachment a, cni::result const& result) {
    for (auto const& ip : result.ips) a.addresses.push_back(ip.address.address());
    return a;
}

/// The laws of nat_policy. `state` tells all that is kept, as text, and is the same before and after what
/// leaves no trace. all() is for settings that ask for masquerading. A Nat that never masquerades has the
/// laws of not_asked_for() alone: there is nothing to be found, deleted or collected.
template <nat_policy Nat> class nat_laws {
  public:
    nat_laws(settings<Nat> settings, std::function<std::string()> state)
        : settings_{std::move(settings)}, state_{std::move(state)}, before_{state_()} {}

    void all() {
        for (auto const& addresses :
             {result({"10.1.0.5/16"}), result({"fd00::5/64"}), result({"10.1.0.5/16", "fd00::5/64"}),
              result({"10.1.0.5/16", "10.2.0.5/24"})}) {
            one(addresses, true);
            one(addresses, false);
        }
        two_attachments();
        two_interfaces();
        rollback();
        gc();
        not_asked_for();
        switched_off();
        CHECK(state_() == before_);
    }

    /// Whatever is called, nothing is changed and nothing is wrong.
    void not_asked_for() {
        for (auto const& r : {result({}), result({"10.1.0.5/16"}), result({"10.1.0.5/16", "fd00::5/64"})}) {
            auto const a = attachment("mynet", "c1");
            settings<Nat> const off;
            {
                cni::rollback undo;
                Nat{}.add(a, off, r, undo);
                CHECK(state_() == before_);
                CHECK(undo.undo().empty());
            }
            CHECK_MESSAGE(state_() == before_, "neither does the rollback");
            cni::rollback undo;
            findings found;
            Nat{}.add(a, off, r, undo);
            undo.commit();
            Nat{}.check(with_addresses(a, r), off, r, found);
            Nat{}.status(off, found);
            Nat{}.gc(cni::valid_attachments{a.network}, off, found);
            CHECK(found == findings{});
            for (auto const& later : {a, with_addresses(a, r)}) {
                Nat{}.del(later, off);
                Nat{}.del(later, off);
            }
            CHECK(state_() == before_);
        }
    }

  private:
    void one(cni::result const& addresses, bool known) {
        auto const a = attachment("mynet", "c1");
        auto const later = known ? with_addresses(a, addresses) : a;
        add(a, addresses);
        CHECK(state_() != before_);
        CHECK(check(a, addresses) == findings{});
        del(later);
        CHECK_MESSAGE(state_() == before_, "add, del leaves no trace");
        CHECK(check(a, addresses) != findings{});
        del(later);
        CHECK_MESSAGE(state_() == before_, "del twice succeeds");
    }

    void two_attachments() {
        auto const a = attachment("mynet", "c1"), b = attachment("mynet", "c2"),
                   c = attachment("other", "c1");
        auto const ra = result({"10.1.0.5/16"}), rb = result({"10.1.0.6/16"}), rc = result({"10.9.0.5/16"});
        add(a, ra);
        auto const first = state_();
        add(b, rb);
        add(c, rc);
        CHECK(check(a, ra) == findings{});
        CHECK(check(b, rb) == findings{});
        CHECK(check(c, rc) == findings{});
        CHECK(check(a, rb) != findings{});
        del(b);
        CHECK(check(a, ra) == findings{});
        CHECK(check(c, rc) == findings{});
        del(c);
        CHECK_MESSAGE(state_() == first, "the last del of a network leaves no trace of the network");
        del(with_addresses(a, ra));
        CHECK(state_() == before_);
    }

    void two_interfaces() {
        auto const a = attachment("mynet", "c1", "eth0"), b = attachment("mynet", "c1", "eth1");
        auto const ra = result({"10.1.0.5/16"}), rb = result({"10.2.0.6/16"});
        add(a, ra);
        add(b, rb);
        CHECK(check(a, ra) == findings{});
        CHECK(check(b, rb) == findings{});
        del(with_addresses(a, ra));
        CHECK(check(b, rb) == findings{});
        CHECK(check(a, ra) != findings{});
        add(a, ra);
        CHECK(check(a, ra) == findings{});
        CHECK(check(b, rb) == findings{});
        del(with_addresses(b, rb));
        CHECK(check(a, ra) == findings{});
        del(with_addresses(a, ra));
        CHECK(state_() == before_);
    }

    void rollback() {
        auto const a = attachment("mynet", "c1"), b = attachment("mynet", "c2");
        auto const ra = result({"10.1.0.5/16", "fd00::5/64"}), rb = result({"10.1.0.6/16"});
        {
            cni::rollback undo;
            Nat{}.add(a, settings_, ra, undo);
        }
        CHECK_MESSAGE(state_() == before_, "a rolled back add leaves no trace");
        add(b, rb);
        auto const first = state_();
        {
            cni::rollback undo;
            Nat{}.add(a, settings_, ra, undo);
        }
        CHECK(check(b, rb) == findings{});
        del(with_addresses(b, rb));
        CHECK(state_() == before_);
    }

    void gc() {
        auto const a = attachment("mynet", "c1"), b = attachment("mynet", "c2"),
                   c = attachment("other", "c3");
        auto const ra = result({"10.1.0.5/16"}), rb = result({"10.1.0.6/16", "fd00::6/64"}),
                   rc = result({"10.9.0.5/16"});
        add(a, ra);
        add(c, rc);
        auto const kept = state_();
        add(b, rb);
        cni::valid_attachments valid{a.network};
        valid.insert(a.container, a.interface);
        collect(valid);
        CHECK(check(a, ra) == findings{});
        CHECK(check(b, rb) != findings{});
        CHECK(check(c, rc) == findings{});
        collect(cni::valid_attachments{a.network});
        CHECK(check(a, ra) != findings{});
        CHECK(check(c, rc) == findings{});
        collect(cni::valid_attachments{c.network});
        CHECK_MESSAGE(state_() == before_, "gc of the last network leaves no trace");
    }

    void switched_off() {
        auto const a = attachment("mynet", "c1"), b = attachment("mynet", "c2");
        auto const ra = result({"10.1.0.5/16"}), rb = result({"10.1.0.6/16"});
        settings<Nat> const off;
        findings found;
        add(a, ra);
        Nat{}.del(with_addresses(a, ra), off);
        CHECK_MESSAGE(state_() == before_, "del leaves nothing though ipMasq is off now");
        add(a, ra);
        auto const first = state_();
        add(b, rb);
        cni::valid_attachments valid{a.network};
        valid.insert(a.container, a.interface);
        Nat{}.gc(valid, off, found);
        CHECK_MESSAGE(state_() == first, "nor does gc");
        Nat{}.gc(cni::valid_attachments{a.network}, off, found);
        CHECK(state_() == before_);
        Nat{}.status(settings_, found);
        CHECK(found == findings{});
        CHECK_MESSAGE(state_() == before_, "status changes nothing");
    }

    void add(cni::attachment const& a, cni::result const& r) {
        cni::rollback undo;
        Nat{}.add(a, settings_, r, undo);
        undo.commit();
    }
    void del(cni::attachment const& a) { Nat{}.del(a, settings_); }
    findings check(cni::attachment const& a, cni::result const& r) {
        findings found;
        Nat{}.check(with_addresses(a, r), settings_, r, found);
        return found;
    }
    void collect(cni::valid_attachments const& valid) {
        findings found;
        Nat{}.gc(valid, settings_, found);
        CHECK(found == findings{});
    }

    settings<Nat> settings_;
    std::function<std::string()> state_;
    std::string before_;
};

} // namespace cnix::laws
