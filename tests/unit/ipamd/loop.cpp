#include <ipamd/loop.hpp>

#include <doctest/doctest.h>

using namespace cnix;
using namespace std::chrono_literals;

TEST_CASE("the pause after a failure doubles up to the longest, differs by a quarter, and begins anew") {
    boost::asio::io_context loop;
    ipamd::repeated again{loop, 400ms, 3000ms};
    bool differs = false;
    for (int round = 0; round < 20; ++round) {
        for (auto const about : {400ms, 800ms, 1600ms, 3000ms, 3000ms}) {
            auto const pause = again.next_pause();
            CAPTURE(about.count());
            CHECK(pause >= about * 3 / 4);
            CHECK(pause <= about * 5 / 4);
            differs = differs || pause != about;
        }
        again.succeeded();
    }
    CHECK(differs);
}

TEST_CASE("what is to be done again is done once, by the last call") {
    boost::asio::io_context loop;
    ipamd::repeated again{loop, 1ms, 2ms};
    int first = 0, second = 0;
    again.after(1h, [&] { ++first; });
    again.after_failure([&] { ++second; });
    loop.run();
    CHECK(first == 0);
    CHECK(second == 1);
    again.after(1h, [&] { ++first; });
    again.cancel();
    loop.restart();
    loop.run();
    CHECK(first == 0);
}
