#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/ipam_policy.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::laws {

/// A call as it reaches the policy. What the verb does not have is null.
struct ipam_call {
    cni::verb verb;
    cni::attachment const* attachment = nullptr;
    cni::result const* previous = nullptr;         ///< of check
    cni::valid_attachments const* valid = nullptr; ///< of gc
};

/// What the laws of ipam_policy are tried on. There must be room for three attachments.
template <class Ipam> struct ipam_subject {
    cnix::settings<Ipam> settings;
    /// All that the Ipam keeps that says who holds what, as text. May be left empty.
    std::function<std::string()> trace = {};
    /// Whether find() can tell.
    bool finds = true;
    /// Whether add keeps what the attachment holds when it fails for that. An Ipam that delegates does not:
    /// it has to follow a failed ADD with the other plugin's DEL (CNI spec, "Delegated Plugin Execution
    /// Procedure"), which releases all of the attachment's.
    bool keeps_first = true;
    /// Whether an attachment that has its addresses is given them again by a second add.
    bool gives_again = false;
    /// Whether check() can tell that a lease is gone.
    bool checks = true;
    /// Whether gc() knows what is held. Else whoever hands out the addresses collects them.
    bool collects = true;
    /// For an Ipam that hands a call on as the runtime made it: makes the environment and settings.request
    /// those of the call. May be left empty.
    std::function<void(ipam_call const&, cnix::settings<Ipam>&)> prepare = {};
};

/// The laws of ipam_policy. `fresh` makes a subject that nobody used before.
template <ipam_policy Ipam> class ipam_laws {
  public:
    explicit ipam_laws(std::function<ipam_subject<Ipam>()> fresh) : fresh_{std::move(fresh)} {}

    void all() {
        add_then_find();
        add_twice();
        add_del();
        two_attachments();
        rollback();
        check();
        gc();
        status();
        expected();
    }

  private:
    void add_then_find() {
        node here{fresh_()};
        auto const lease = here.add(attachment("a"));
        CHECK_FALSE(lease.ips.empty());
        CHECK_MESSAGE(here.holds(attachment("a"), lease), "add then find gives the lease");
        CHECK(here.holds_nothing(attachment("b")));
        CHECK(here.holds_nothing(attachment("a", "eth1")));
    }

    void add_twice() {
        node here{fresh_()};
        auto const other = here.add(attachment("b"));
        auto const without = here.trace();
        auto const lease = here.add(attachment("a"));
        auto const before = here.trace();
        cni::rollback undo;
        if (here.subject.gives_again)
            CHECK_MESSAGE(here.add(attachment("a"), undo) == lease, "add twice gives the same");
        else
            CHECK_THROWS_AS(here.add(attachment("a"), undo), cni::error);
        CHECK(undo.undo().empty());
        if (here.subject.keeps_first) {
            CHECK_MESSAGE(here.trace() == before, "add twice keeps the first");
            CHECK(here.holds(attachment("a"), lease));
        } else {
            CHECK_MESSAGE(here.trace() == without, "or all of the attachment's is released");
        }
        CHECK(here.holds(attachment("b"), other));
    }

    void add_del() {
        node here{fresh_()};
        CHECK_NOTHROW(here.del(attachment("a"))); // of what never was
        auto const before = here.trace();
        here.add(attachment("a"));
        if (here.subject.trace) CHECK_MESSAGE(here.trace() != before, "the trace tells who holds what");
        CHECK_NOTHROW(here.del(attachment("a")));
        CHECK_MESSAGE(here.trace() == before, "add, del leaves no trace");
        CHECK(here.holds_nothing(attachment("a")));
        CHECK_NOTHROW(here.del(attachment("a")));
        CHECK_MESSAGE(here.trace() == before, "del twice succeeds");
        CHECK_MESSAGE(!here.add(attachment("a")).ips.empty(), "and the attachment can be added again");
    }

    void two_attachments() {
        node here{fresh_()};
        std::vector<cni::lease> const leases{here.add(attachment("a")), here.add(attachment("b")),
                                             here.add(attachment("a", "eth1"))};
        std::set<net::address> all;
        for (auto const& lease : leases)
            for (cni::ip const& ip : lease.ips)
                CHECK_MESSAGE(all.insert(ip.address.address()).second,
                              "two attachments never hold one address: ", ip.address.str());
        here.del(attachment("a"));
        CHECK_MESSAGE(here.holds(attachment("b"), leases[1]), "del releases one's own only");
        CHECK(here.holds(attachment("a", "eth1"), leases[2]));
        CHECK(here.wrong(attachment("b"), leases[1]) == findings{});
        CHECK(here.wrong(attachment("a", "eth1"), leases[2]) == findings{});
    }

    void rollback() {
        node here{fresh_()};
        here.add(attachment("b"));
        auto const before = here.trace();
        {
            cni::rollback undo;
            here.add(attachment("a"), undo);
            CHECK(undo.undo().empty());
        }
        CHECK_MESSAGE(here.trace() == before, "a rolled back add leaves no trace");
        CHECK(here.holds_nothing(attachment("a")));
    }

    void check() {
        node here{fresh_()};
        auto const lease = here.add(attachment("a"));
        auto const before = here.trace();
        CHECK_MESSAGE(here.wrong(attachment("a"), lease) == findings{}, "nothing is wrong after add");
        CHECK_MESSAGE(here.trace() == before, "check changes nothing");
        here.del(attachment("a"));
        if (here.subject.checks)
            CHECK_MESSAGE(here.wrong(attachment("a"), lease) != findings{}, "a lease that is gone is found");
    }

    void gc() {
        node here{fresh_()};
        auto const lease = here.add(attachment("a"));
        auto before = here.trace();
        here.add(attachment("b"));
        here.add(attachment("a", "eth1"));
        if (!here.subject.collects) before = here.trace();
        cni::valid_attachments valid{*cni::network_name::parse("net")};
        valid.insert(*cni::container_id::parse("a"), *net::interface_name::parse("eth0"));
        CHECK(here.collect(valid) == findings{});
        CHECK_MESSAGE(here.trace() == before, "gc releases what is not valid, and nothing else");
        CHECK(here.holds(attachment("a"), lease));
        CHECK(here.holds_nothing(attachment("b")));
        CHECK(here.collect(valid) == findings{});
        CHECK(here.trace() == before);
    }

    void status() {
        node here{fresh_()};
        auto const before = here.trace();
        CHECK_MESSAGE(here.status() == findings{}, "nothing is wrong when an add would succeed");
        CHECK_MESSAGE(here.trace() == before, "status leaves no trace");
        CHECK_FALSE(here.add(attachment("a")).ips.empty());
    }

    void expected() {
        if constexpr (requires(cnix::settings<Ipam> const& settings) { Ipam::expected(settings); }) {
            node here{fresh_()};
            auto const before = here.trace();
            auto const told = Ipam::expected(here.subject.settings);
            CHECK_MESSAGE(here.trace() == before, "it looks at nothing and leaves no trace");
            auto given = here.add(attachment("a"));
            given.dns = {};
            CHECK_MESSAGE(told == given, "what the first add gives");
        }
    }

    static cni::attachment attachment(std::string_view container, std::string_view interface = "eth0") {
        return {{*cni::network_name::parse("net"), *cni::container_id::parse(container),
                 *net::interface_name::parse(interface)},
                "/var/run/netns/none",
                {}};
    }

    /// A subject, and its Ipam as the verbs call it: an object of its own each time.
    struct node {
        ipam_subject<Ipam> subject;

        std::string trace() const { return subject.trace ? subject.trace() : std::string{}; }
        cni::lease add(cni::attachment const& to, cni::rollback& undo) {
            return Ipam{}.add(to, prepared({cni::verb::add, &to}), undo);
        }
        cni::lease add(cni::attachment const& to) {
            cni::rollback undo;
            auto const lease = add(to, undo);
            undo.commit();
            return lease;
        }
        void del(cni::attachment const& from) { Ipam{}.del(from, prepared({cni::verb::del, &from})); }
        findings wrong(cni::attachment const& of, cni::lease const& lease) {
            cni::result previous;
            static_cast<cni::lease&>(previous) = lease;
            findings found;
            Ipam{}.check(of, prepared({cni::verb::check, &of, &previous}), previous, found);
            return found;
        }
        findings collect(cni::valid_attachments const& valid) {
            findings found;
            Ipam{}.gc(valid, prepared({cni::verb::gc, nullptr, nullptr, &valid}), found);
            return found;
        }
        findings status() {
            findings found;
            Ipam{}.status(prepared({cni::verb::status}), found);
            return found;
        }
        /// As far as find() can tell.
        bool holds(cni::attachment const& who, cni::lease const& lease) {
            auto const found = find(who);
            return subject.finds ? found && static_cast<cni::lease const&>(*found) == lease : !found;
        }
        bool holds_nothing(cni::attachment const& who) {
            auto const found = find(who);
            return !found || found->ips.empty();
        }

      private:
        auto find(cni::attachment const& of) {
            auto const before = trace();
            auto found = Ipam{}.find(of, prepared({cni::verb::del, &of})); // DEL and CHECK ask it
            CHECK_MESSAGE(trace() == before, "find changes nothing");
            return found;
        }
        cnix::settings<Ipam> prepared(ipam_call const& call) const {
            auto settings = subject.settings;
            if (subject.prepare) subject.prepare(call, settings);
            return settings;
        }
    };

    std::function<ipam_subject<Ipam>()> fresh_;
};

} // namespace cnix::laws
