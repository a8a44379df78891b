#include <ipamd/cloud/patience.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

using namespace cnix::ipamd;
using namespace std::chrono_literals;

TEST_CASE("the bound doubles up to the cap") {
    patience const wait{500ms, 20s};
    std::vector<patience::duration> bounds;
    for (int i = 0; i < 8; ++i) bounds.push_back(wait.bound(i));
    CHECK(bounds == std::vector<patience::duration>{500ms, 1s, 2s, 4s, 8s, 16s, 20s, 20s});
    CHECK(wait.bound(1'000'000) == 20s);
}

TEST_CASE("each wait is jittered within its bound") {
    std::set<patience::duration> firsts;
    for (int i = 0; i < 50; ++i) {
        patience wait{1s, 4s};
        firsts.insert(wait.next());
        for (int n = 1; n < 6; ++n) {
            auto const time = wait.next();
            CHECK(time >= 0ms);
            CHECK(time <= wait.bound(n));
        }
    }
    CHECK(firsts.size() > 25); // of a thousand that there are
    CHECK(*firsts.rbegin() <= 1s);
}

TEST_CASE("a stop ends a wait at once") {
    std::stop_source source;
    auto const start = std::chrono::steady_clock::now();
    std::jthread const stopper{[&] {
        std::this_thread::sleep_for(20ms);
        source.request_stop();
    }};
    CHECK(!wait_for(30s, source.get_token()));
    CHECK(std::chrono::steady_clock::now() - start < 5s);
    CHECK(!wait_for(30s, source.get_token()));
}

TEST_CASE("a wait that nobody stops") {
    auto const start = std::chrono::steady_clock::now();
    CHECK(wait_for(20ms, {}));
    CHECK(std::chrono::steady_clock::now() - start >= 20ms);
}
