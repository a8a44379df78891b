#include <cnix/link/bridge.ipp>

#include <doctest/doctest.h>

#include "recorded.hpp"
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// ADDs that use one bridge at once.
namespace {

using namespace cnix;
namespace recording = backends::recording;

/// What the test says of the other processes.
struct shared_netlink : recording::netlink {
    struct held {
        bool is = true;
        explicit operator bool() const { return is; }
        bool alone() const {
            std::vector<std::string> ports;
            for (auto const& link : recording::netlink{}.links())
                if (link.master != 0) ports.push_back(link.name);
            ports_when_asked.push_back(ports);
            return true;
        }
    };
    /// At each question in turn: whether the interface is there to be held.
    held hold(net::interface_name const&) {
        bool const is = there.empty() || there.front();
        if (!there.empty()) there.erase(there.begin());
        if (!is && made_then) std::exchange(made_then, nullptr)();
        return {is};
    }

    static inline std::vector<bool> there;
    static inline std::function<void()> made_then; ///< by another, after the first hold that was none
    static inline std::vector<std::vector<std::string>> ports_when_asked;
};
using shared_bridge = link::bridge<shared_netlink, link::spoof_check<recording::nft>>;

struct together : test::recorded_world {
    together() {
        shared_netlink::ports_when_asked.clear();
        shared_netlink::there.clear();
        shared_netlink::made_then = nullptr;
    }
    /// The ADD, and what comes after it fails.
    void fail_after_add(link::bridge_config config) {
        auto one = laws::attachment("mynet", "c1");
        one.netns = pod(0);
        auto inside = recording::ns::open(one.netns);
        settings<shared_bridge> all;
        all.config = std::move(config);
        cni::result result;
        cni::rollback undo;
        shared_bridge{}.add(one, all, inside, laws::lease({"10.1.0.2/16"}), result, undo);
        CHECK(undo.undo() == std::vector<std::string>{});
    }
};

TEST_CASE_FIXTURE(together, "whether others use the bridge is asked once, without the pod's port") {
    auto const before = state();
    SUBCASE("plain") { fail_after_add({}); }
    SUBCASE("gateway") { fail_after_add({.isGateway = true}); }
    SUBCASE("VLAN with a gateway") {
        fail_after_add({.isGateway = true, .vlan = 100});
        REQUIRE(shared_netlink::ports_when_asked.size() == 1);
        CHECK(shared_netlink::ports_when_asked[0].size() ==
              1); // the VLAN gateway's, which is known by its name
        CHECK(state() == before);
        return;
    }
    CHECK(shared_netlink::ports_when_asked == std::vector<std::vector<std::string>>{{}});
    CHECK(state() == before);
}

TEST_CASE_FIXTURE(together, "a bridge that another makes between hold and question is held too") {
    shared_netlink::there = {false, true};
    shared_netlink::made_then = [] {
        recording::netlink{}.add_bridge({.name = net::interface_name::parse("cni0").value()});
    };
    fail_after_add({});
    CHECK(shared_netlink::there.empty());
}

TEST_CASE_FIXTURE(together, "a bridge that cannot be held is used without") {
    shared_netlink::there = {false, false, false, true};
    recording::netlink{}.add_bridge({.name = net::interface_name::parse("cni0").value()});
    fail_after_add({});
    CHECK(shared_netlink::there == std::vector{true});
}

} // namespace
