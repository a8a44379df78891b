#include <cnix/plugin.hpp>

#include <doctest/doctest.h>

#include "fakes.hpp"
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/// An ADD whose Ipam waits for another process, and whose Link prepares meanwhile.
namespace {

using namespace cnix;
using namespace std::chrono_literals;
using fakes::conf;
using fakes::now;
using fakes::request;
using strings = std::vector<std::string>;

/// How far the two are. Each can wait for a step of the other.
class meeting {
  public:
    void reach(std::string const& step) {
        std::lock_guard const lock{mutex_};
        reached_.push_back(step);
        changed_.notify_all();
    }
    /// Throws if it is not reached within a time that no machine needs.
    void wait_for(std::string const& step) {
        std::unique_lock lock{mutex_};
        auto const there = [&] {
            return std::find(reached_.begin(), reached_.end(), step) != reached_.end();
        };
        if (!changed_.wait_for(lock, 20s, there)) throw std::runtime_error{step + " was not reached"};
    }
    strings reached() {
        std::lock_guard const lock{mutex_};
        return reached_;
    }
    void reset() {
        std::lock_guard const lock{mutex_};
        reached_.clear();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    strings reached_;
};
meeting met;
std::function<void()> while_preparing, while_asking;

template <class Self, bool Waits> struct daemon_of : fakes::ipam {
    static constexpr std::string_view type = "fake";
    static constexpr bool waits = Waits;
    lease add(cni::attachment const&, settings<Self> const&, cni::rollback& undo) {
        met.reach("asked");
        undo.on_failure("release the address", [] { now.step("undo ipam"); });
        while_asking();
        now.step("ipam.add");
        return now.lease;
    }
    void del(cni::attachment const&, settings<Self> const&) {}
    std::optional<lease> find(cni::attachment const&, settings<Self> const&) { return std::nullopt; }
    void check(cni::attachment const&, settings<Self> const&, cni::result const&, findings&) {}
    void gc(cni::valid_attachments const&, settings<Self> const&, findings&) {}
    void status(settings<Self> const&, findings&) {}
    static lease expected(settings<Self> const&) { return now.expected.value(); }
};
struct daemon : daemon_of<daemon, true> {};
struct prompt : daemon_of<prompt, false> {};
static_assert(is_waiting<daemon> && !is_waiting<prompt> && !is_waiting<fakes::ipam>);

struct link : fakes::link {
    template <ns_policy Ns>
    void prepare(cni::attachment const& attachment, settings<link> const&, Ns&, cni::rollback& undo) {
        prepared_by = std::this_thread::get_id();
        met.reach("prepare " + attachment.interface.str());
        undo.on_failure("delete the prepared interface", [] { now.step("undo prepare"); });
        while_preparing();
        met.reach("prepared");
    }
    template <ns_policy Ns>
    void add(cni::attachment const& attachment, settings<link> const&, Ns&, cni::lease const& leased,
             cni::result& result, cni::rollback& undo) {
        now.step(prepared_by == std::thread::id{} ? "link.add" : "link.add, prepared", attachment);
        undo.on_failure("delete the interface", [] { now.step("undo link"); });
        result.ips = leased.ips;
        now.step("added");
    }
    void status(settings<link> const&, findings&) {}
    void gc(cni::valid_attachments const&, settings<link> const&, findings&) {}
    template <ns_policy Ns> void del(cni::attachment const&, settings<link> const&, Ns*) {}
    template <ns_policy Ns> pod_interfaces inspect(cni::attachment const&, settings<link> const&, Ns*) {
        return {};
    }
    template <ns_policy Ns>
    void check(cni::attachment const&, settings<link> const&, Ns&, cni::result const&, findings&) {}

    std::thread::id prepared_by{};
};

using plugin = cnix::plugin<link, daemon, fakes::nat, fakes::ns>;

struct fresh {
    fresh() {
        fakes::reset();
        met.reset();
        while_preparing = [] { met.wait_for("asked"); };
        while_asking = [] { met.wait_for("prepare eth0"); };
    }
    template <class Plugin = plugin> std::string error_of_add() {
        try {
            fakes::added<Plugin>(request(cni::verb::add, conf()));
        } catch (cni::error const& e) {
            return e.message();
        }
        return "";
    }
};

TEST_CASE_FIXTURE(fresh, "both are under way at once, and what was prepared is completed") {
    CHECK(error_of_add() == "");
    CHECK(now.trace == strings{"ns.open", "ipam.add", "link.add, prepared", "added", "nat.add"});
}

TEST_CASE_FIXTURE(fresh, "the Link's add comes after the whole prepare") {
    while_preparing = [] {
        met.wait_for("asked");
        std::this_thread::sleep_for(50ms);
    };
    now.on["link.add, prepared"] = [] { CHECK(met.reached().back() == "prepared"); };
    CHECK(error_of_add() == "");
}

TEST_CASE_FIXTURE(fresh, "the Ipam fails while the Link prepares: its error is told, and both are undone") {
    bool link_too = false;
    SUBCASE("it alone") {}
    SUBCASE("both") { link_too = true; }
    while_preparing = [=] {
        met.wait_for("asked");
        std::this_thread::sleep_for(50ms);
        if (link_too) throw cni::error{cni::code::internal, "no interface"};
    };
    now.fail("ipam.add", "the daemon is away", cni::code::try_again_later);
    CHECK(error_of_add() == "the daemon is away");
    CHECK(now.trace == strings{"ns.open", "ipam.add", "undo prepare", "undo ipam"});
}

TEST_CASE_FIXTURE(fresh, "the Link fails while the Ipam waits: both are undone") {
    while_preparing = [] { throw std::runtime_error{"no interface"}; };
    while_asking = [] {
        met.wait_for("prepare eth0");
        std::this_thread::sleep_for(50ms);
    };
    CHECK(error_of_add() == "no interface");
    CHECK(now.trace == strings{"ns.open", "ipam.add", "undo prepare", "undo ipam"});
}

TEST_CASE_FIXTURE(fresh, "what fails afterwards undoes what was prepared, in reverse") {
    now.fail("added", "no route");
    now.break_down("undo prepare");
    CHECK(error_of_add() == "no route; could not delete the prepared interface: undo prepare broke down");
    CHECK(now.trace == strings{"ns.open", "ipam.add", "link.add, prepared", "added", "undo link",
                               "undo prepare", "undo ipam"});
}

TEST_CASE_FIXTURE(fresh, "an Ipam that does not wait is not waited for") {
    while_asking = [] {};
    CHECK(error_of_add<cnix::plugin<link, prompt, fakes::nat, fakes::ns>>() == "");
    CHECK(now.trace == strings{"ns.open", "ipam.add", "link.add", "added", "nat.add"});
    CHECK(met.reached() == strings{"asked"});
}

TEST_CASE_FIXTURE(fresh, "without an `ipam` object there is nothing to wait for") {
    fakes::added<plugin>(request(cni::verb::add, conf("")));
    CHECK(now.trace == strings{"ns.open", "link.add", "added", "nat.add"});
}

} // namespace
