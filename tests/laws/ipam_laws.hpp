#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/ipam_policy.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <string>

namespace cnix::laws {

/// What the laws of ipam_policy are tried on. There must be room for three attachments.
template <class Ipam> struct ipam_subject {
    cnix::settings<Ipam> settings;
    /// All that the Ipam keeps that says who holds what, as text. May be left empty.
    std::function<std::string()> trace;
    /// Whether find() can tell.
    bool finds = true;
};

/// The laws of ipam_policy.hpp, one by one. `fresh` makes a subject that nobody used before.
template <ipam_policy Ipam> void ipam_laws(std::function<ipam_subject<Ipam>()> const& fresh) {
    auto const attachment = [](std::string_view container, std::string_view interface = "eth0") {
        return cni::attachment{{*cni::network_name::parse("net"), *cni::container_id::parse(container),
                                *net::interface_name::parse(interface)},
                               "/var/run/netns/none",
                               {}};
    };
    auto const add = [](Ipam& ipam, cni::attachment const& to, settings<Ipam> const& with) {
        cni::rollback undo;
        auto const lease = ipam.add(to, with, undo);
        undo.commit();
        return lease;
    };
    auto const trace = [](ipam_subject<Ipam> const& subject) {
        return subject.trace ? subject.trace() : std::string{};
    };
    auto const holds_nothing = [](auto const& found) { return !found || found->ips.empty(); };

    {
        INFO("add then find gives the lease");
        auto const subject = fresh();
        Ipam ipam;
        auto const lease = add(ipam, attachment("a"), subject.settings);
        CHECK_FALSE(lease.ips.empty());
        if (subject.finds) {
            Ipam other; // nothing is kept in the object
            auto const found = other.find(attachment("a"), subject.settings);
            REQUIRE(found);
            CHECK(static_cast<cni::lease const&>(*found) == lease);
            CHECK(holds_nothing(other.find(attachment("b"), subject.settings)));
            CHECK(holds_nothing(other.find(attachment("a", "eth1"), subject.settings)));
        }
    }
    {
        INFO("add twice without del throws and keeps the first");
        auto const subject = fresh();
        Ipam ipam;
        auto const lease = add(ipam, attachment("a"), subject.settings);
        auto const before = trace(subject);
        cni::rollback undo;
        CHECK_THROWS_AS(ipam.add(attachment("a"), subject.settings, undo), cni::error);
        CHECK(undo.undo().empty());
        CHECK(trace(subject) == before);
        if (subject.finds)
            CHECK(static_cast<cni::lease const&>(*ipam.find(attachment("a"), subject.settings)) == lease);
    }
    {
        INFO("add, del leaves no trace; del twice, and of what never was, succeeds");
        auto const subject = fresh();
        Ipam ipam;
        CHECK_NOTHROW(ipam.del(attachment("a"), subject.settings));
        auto const before = trace(subject);
        add(ipam, attachment("a"), subject.settings);
        CHECK_NOTHROW(ipam.del(attachment("a"), subject.settings));
        CHECK(trace(subject) == before);
        CHECK(holds_nothing(ipam.find(attachment("a"), subject.settings)));
        CHECK_NOTHROW(ipam.del(attachment("a"), subject.settings));
        CHECK(trace(subject) == before);
    }
    {
        INFO("two attachments never hold one address; del releases one's own only");
        auto const subject = fresh();
        Ipam ipam;
        auto const first = add(ipam, attachment("a"), subject.settings);
        auto const second = add(ipam, attachment("b"), subject.settings);
        auto const third = add(ipam, attachment("a", "eth1"), subject.settings);
        for (auto const* one : {&first, &second, &third})
            for (auto const* other : {&first, &second, &third})
                for (cni::ip const& ip : one->ips)
                    for (cni::ip const& other_ip : other->ips)
                        if (one != other) CHECK(ip.address.address() != other_ip.address.address());
        ipam.del(attachment("a"), subject.settings);
        if (subject.finds) {
            CHECK(ipam.find(attachment("b"), subject.settings));
            CHECK(ipam.find(attachment("a", "eth1"), subject.settings));
        }
    }
    {
        INFO("a rolled back add leaves no trace");
        auto const subject = fresh();
        Ipam ipam;
        add(ipam, attachment("b"), subject.settings);
        auto const before = trace(subject);
        {
            cni::rollback undo;
            ipam.add(attachment("a"), subject.settings, undo);
            CHECK(undo.undo().empty());
        }
        CHECK(trace(subject) == before);
        CHECK(holds_nothing(ipam.find(attachment("a"), subject.settings)));
    }
    {
        INFO("check finds nothing wrong after add, and something after the lease is gone");
        auto const subject = fresh();
        Ipam ipam;
        cni::result result;
        static_cast<cni::lease&>(result) = add(ipam, attachment("a"), subject.settings);
        findings found;
        ipam.check(attachment("a"), subject.settings, result, found);
        CHECK(found == findings{});
        ipam.del(attachment("a"), subject.settings);
        ipam.check(attachment("a"), subject.settings, result, found);
        CHECK_FALSE(found.empty());
    }
    {
        INFO("gc releases what is not valid, and nothing else");
        auto const subject = fresh();
        Ipam ipam;
        add(ipam, attachment("a"), subject.settings);
        auto const before = trace(subject);
        add(ipam, attachment("b"), subject.settings);
        add(ipam, attachment("a", "eth1"), subject.settings);
        cni::valid_attachments valid{*cni::network_name::parse("net")};
        valid.insert(*cni::container_id::parse("a"), *net::interface_name::parse("eth0"));
        findings found;
        ipam.gc(valid, subject.settings, found);
        CHECK(found == findings{});
        CHECK(trace(subject) == before);
        if (subject.finds) {
            CHECK(ipam.find(attachment("a"), subject.settings));
            CHECK(holds_nothing(ipam.find(attachment("b"), subject.settings)));
        }
    }
    {
        INFO("status finds nothing wrong when an add would succeed, and leaves no trace");
        auto const subject = fresh();
        Ipam ipam;
        auto const before = trace(subject);
        findings found;
        ipam.status(subject.settings, found);
        CHECK(found == findings{});
        CHECK(trace(subject) == before);
        CHECK_FALSE(add(ipam, attachment("a"), subject.settings).ips.empty());
    }
}

} // namespace cnix::laws
