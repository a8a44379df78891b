#pragma once
#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/journal.hpp>

#include "recorded.hpp"
#include <algorithm>
#include <cerrno>
#include <functional>
#include <regex>
#include <string>
#include <vector>

/// An ADD in which one call to the kernel fails, for every call that it makes.
namespace cnix::test {

/// The journal with random MAC addresses left out.
inline std::vector<std::string> commands() {
    static std::regex const random{"([0-9a-f]{2}:){5}[0-9a-f]{2}"};
    std::vector<std::string> lines;
    for (std::string const& line : recording::journal::lines())
        lines.push_back(std::regex_replace(line, random, "<mac>"));
    return lines;
}

/// Whether `some` is `all` without one command, which is dispensable.
inline bool lacks_one(std::vector<std::string> const& all, std::vector<std::string> const& some,
                      std::regex const& dispensable) {
    auto const [left, right] = std::mismatch(all.begin(), all.end(), some.begin(), some.end());
    return left != all.end() && std::regex_match(*left, dispensable) &&
           std::equal(left + 1, all.end(), right, some.end());
}

/// `prepare` makes the node, `add` is the ADD. Commands that match `dispensable` may fail, and the pod works all the same.
inline void whatever_call_fails(std::function<void()> const& prepare,
                                std::function<void(cni::rollback&)> const& add,
                                std::regex const& dispensable) {
    recorded_world here;
    prepare();
    recording::faults::clear();
    recording::journal::clear();
    cni::rollback success;
    REQUIRE_NOTHROW(add(success));
    unsigned const calls = recording::faults::calls();
    auto const all = commands();
    success.commit();
    CHECK(calls > 8);
    unsigned thrown = 0;
    for (int error : {EIO, ENOMEM, EEXIST}) {
        for (unsigned n = 1; n <= calls; ++n) {
            INFO("call ", n, " of ", calls, " fails with errno ", error);
            recorded_world again;
            prepare();
            auto const before = again.state();
            recording::journal::clear();
            recording::faults::clear();
            recording::faults::fail_call(n, error);
            cni::rollback undo;
            std::string text;
            try {
                add(undo);
            } catch (std::exception const& e) {
                text = e.what();
            }
            CHECK_FALSE(recording::faults::pending());
            INFO(text);
            if (text.empty()) {
                // "Exists" is what another ADD causes that was first: no failure then.
                if (error != EEXIST) CHECK(lacks_one(all, commands(), dispensable));
                undo.commit();
                continue;
            }
            ++thrown;
            CHECK(undo.undo() == std::vector<std::string>{});
            CHECK(difference(before, again.state()) == "");
        }
    }
    CHECK(thrown > calls);
}

} // namespace cnix::test
