#include <cnix/plugin.hpp>

#include <doctest/doctest.h>

#include "fakes.hpp"
#include <string>
#include <vector>

/// What the engine does for an Ipam that needs no `ipam` object, hears of what was attached, and tells what it released.
namespace {

using namespace cnix;
using fakes::conf;
using fakes::now;
using fakes::request;
using strings = std::vector<std::string>;

template <class Self> struct daemon_of : fakes::ipam {
    static constexpr std::string_view type = "fake";
    static constexpr bool always = true;

    lease add(cni::attachment const& one, settings<Self> const&, cni::rollback& undo) {
        now.step("ipam.add", one);
        undo.on_failure("release the address", [] { now.step("undo ipam"); });
        return now.lease;
    }
    void attached(cni::attachment const&, settings<Self> const&, lease const& given,
                  cni::result const& result) {
        now.lease = given;
        now.previous = result;
        now.step("ipam.attached");
    }
    std::optional<lease> del(cni::attachment const& one, settings<Self> const&) {
        now.step("ipam.del", one);
        return now.lease;
    }
    std::optional<lease> find(cni::attachment const&, settings<Self> const&) { return std::nullopt; }
    void check(cni::attachment const&, settings<Self> const&, cni::result const&, findings& found) {
        now.step("ipam.check", found);
    }
    void gc(cni::valid_attachments const&, settings<Self> const&, findings& found) {
        now.step("ipam.gc", found);
    }
    void status(settings<Self> const&, findings& found) { now.step("ipam.status", found); }
    static lease expected(settings<Self> const&) { return now.expected.value(); }
};
struct daemon : daemon_of<daemon> {};
static_assert(is_always_used<daemon> && !is_always_used<fakes::ipam> && !is_always_used<fakes::link>);

struct returns_address : daemon {
    net::address del(cni::attachment const&, settings<returns_address> const&);
};
static_assert(!ipam_policy<returns_address>, "del returns nothing, or a lease");

using plugin = cnix::plugin<fakes::link, daemon, fakes::nat, fakes::ns>;

struct fresh {
    fresh() { fakes::reset(); }
};

TEST_CASE_FIXTURE(fresh, "it gives an address without an `ipam` object, and hears of the result") {
    auto const printed = fakes::added<plugin>(request(cni::verb::add, conf("")));
    CHECK(printed.find("10.1.0.5/16") != printed.npos);
    CHECK(now.trace == strings{"ns.open", "ipam.add", "link.add", "nat.add", "ipam.attached"});
    CHECK(now.previous.interfaces.size() == 2);
}

/// A daemon that gives again what it gave before.
struct forgetful : daemon_of<forgetful> {
    static constexpr bool forgets_first = true;
};

TEST_CASE_FIXTURE(fresh, "one that may forget the first ADD is not asked again") {
    auto const add = [] {
        now.trace.clear();
        fakes::added<cnix::plugin<fakes::link, forgetful, fakes::nat, fakes::ns>>(
            request(cni::verb::add, conf("")));
    };
    add();
    CHECK(now.trace ==
          strings{"ns.open", "link.inspect", "ipam.add", "link.add", "nat.add", "ipam.attached"});
    now.seen.present = true;
    CHECK_THROWS_WITH_AS(add(),
                         "the interface eth0 exists already in /run/netns/pod; DEL it first, or choose "
                         "another CNI_IFNAME",
                         cni::error);
    CHECK(now.trace == strings{"ns.open", "link.inspect"});
}

/// One that keeps others off.
struct holding : daemon_of<holding> {
    struct held {
        held() = default;
        held(held const&) = delete;
        held& operator=(held const&) = delete;
        ~held() { now.step("let go"); }
    };
    static constexpr bool forgets_first = true;
    held hold(cni::attachment const& one, settings<holding> const&) {
        now.step("ipam.hold", one);
        return {};
    }
};

TEST_CASE_FIXTURE(fresh, "an attachment is held before it is looked at, and until all is done or undone") {
    using held = cnix::plugin<fakes::link, holding, fakes::nat, fakes::ns>;
    fakes::added<held>(request(cni::verb::add, conf("")));
    CHECK(now.trace == strings{"ns.open", "ipam.hold", "link.inspect", "ipam.add", "link.add", "nat.add",
                               "ipam.attached", "let go"});
    now.trace.clear();
    now.fail("ipam.attached", "no policy");
    CHECK_THROWS_AS(fakes::added<held>(request(cni::verb::add, conf(""))), cni::error);
    CHECK(now.trace == strings{"ns.open", "ipam.hold", "link.inspect", "ipam.add", "link.add", "nat.add",
                               "ipam.attached", "undo nat", "undo link", "undo ipam", "let go"});
    now.trace.clear();
    held::del(request(cni::verb::del, conf("")));
    CHECK(now.trace.at(1) == "ipam.hold");
    CHECK(now.trace.back() == "let go");
    now.trace.clear();
    now.fail("ipam.hold", "it is held", cni::code::try_again_later);
    CHECK_THROWS_WITH_AS(held::del(request(cni::verb::del, conf(""))), "it is held", cni::error);
    CHECK(now.trace == strings{"ns.find", "ipam.hold"});
}

TEST_CASE_FIXTURE(fresh, "what it says last undoes the ADD") {
    now.fail("ipam.attached", "no policy");
    CHECK_THROWS_WITH_AS(fakes::added<plugin>(request(cni::verb::add, conf(""))), "no policy", cni::error);
    CHECK(now.trace == strings{"ns.open", "ipam.add", "link.add", "nat.add", "ipam.attached", "undo nat",
                               "undo link", "undo ipam"});
}

TEST_CASE_FIXTURE(fresh, "an `ipam` object of another type is refused all the same") {
    auto const other = conf(R"("ipam": {"type": "other"})");
    CHECK_THROWS_WITH_AS(fakes::added<plugin>(request(cni::verb::add, other)),
                         doctest::Contains("this plugin's addresses come from `fake`, and from no other IPAM "
                                           "plugin; leave `type` out"),
                         cni::error);
    CHECK(now.trace.empty());
    // but what it gave before somebody wrote that is released
    plugin::del(request(cni::verb::del, other));
    CHECK(now.did("ipam.del"));
    now.trace.clear();
    plugin::gc(request(cni::verb::gc, conf(R"("ipam": {"type": "other"}, "cni.dev/valid-attachments": [])")));
    CHECK(now.did("ipam.gc"));
}

TEST_CASE_FIXTURE(fresh, "DEL removes what nobody knew of before the address was released") {
    now.pod_exists = false;
    plugin::del(request(cni::verb::del, conf("")));
    CHECK(now.trace == strings{"ns.find", "link.inspect without a pod", "nat.del", "link.del without a pod",
                               "ipam.del", "nat.del", "link.del without a pod"});
    CHECK(now.addresses == std::vector{net::address::parse("10.1.0.5").value()});
}

TEST_CASE_FIXTURE(fresh, "STATUS: limited connectivity goes before what is not available") {
    now.finds["ipam.status"] = "no address is free";
    now.fail("link.status", "two pods are cut off", cni::code::limited_connectivity);
    try {
        plugin::status(request(cni::verb::status, conf("")));
        FAIL("it succeeded");
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::limited_connectivity);
        CHECK(e.message() == "no address is free; two pods are cut off");
    }
}

TEST_CASE_FIXTURE(fresh, "DEL knows the addresses from prevResult, and of what is released what that lacks") {
    auto const previous = [](std::string const& address) {
        return conf(R"("prevResult": {"cniVersion": "1.1.0", "ips": [{"address": ")" + address + R"("}]})");
    };
    plugin::del(request(cni::verb::del, previous("10.1.0.5/16")));
    CHECK(now.trace == strings{"ns.find", "nat.del", "link.del", "ipam.del"});
    now.trace.clear();
    plugin::del(request(cni::verb::del, previous("10.1.0.7/16")));
    CHECK(now.trace == strings{"ns.find", "nat.del", "link.del", "ipam.del", "nat.del", "link.del"});
    CHECK(now.addresses == std::vector{net::address::parse("10.1.0.5").value()});
}

} // namespace
