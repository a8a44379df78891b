#include <cnix/cni/rollback.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using cnix::cni::rollback;
using texts = std::vector<std::string>;

TEST_CASE("steps are undone in reverse, each once") {
    std::string order;
    rollback undo;
    undo.on_failure("a", [&] { order += 'a'; });
    undo.on_failure("b", [&] { order += 'b'; });
    undo.on_failure("c", [&] { order += 'c'; });
    CHECK(undo.undo() == texts{});
    CHECK(order == "cba");
    CHECK(undo.undo() == texts{});
    CHECK(order == "cba");
}

TEST_CASE("steps for a place are undone with those before it, in reverse") {
    std::string order;
    rollback undo;
    undo.on_failure("a", [&] { order += 'a'; });
    auto place = undo.here();
    undo.on_failure(place, "b", [&] { order += 'b'; });
    undo.on_failure("d", [&] { order += 'd'; });
    undo.on_failure(place, "c", [&] { order += 'c'; });
    undo.on_failure("e", [&] { order += 'e'; });
    CHECK(undo.undo() == texts{});
    CHECK(order == "edcba");
}

TEST_CASE("steps apart are undone before those that were there at their end") {
    std::string order;
    int succeeded = 0;
    rollback undo;
    undo.on_failure("a", [&] { order += 'a'; });
    {
        rollback::apart meanwhile{undo};
        meanwhile.steps.on_failure("c", [&] { order += 'c'; });
        meanwhile.steps.on_failure("d", [&] { order += 'd'; });
        meanwhile.steps.on_success([&] { ++succeeded; });
        undo.on_failure("b", [&] { order += 'b'; });
    }
    undo.on_failure("e", [&] { order += 'e'; });
    CHECK(order == "");
    SUBCASE("failure") {
        CHECK(undo.undo() == texts{});
        CHECK(order == "edcba");
    }
    SUBCASE("success") {
        undo.commit();
        CHECK(order == "");
        CHECK(succeeded == 1);
    }
}

TEST_CASE("leaving the scope undoes, after commit it does not") {
    int undone = 0;
    {
        rollback undo;
        undo.on_failure("x", [&] { ++undone; });
    }
    CHECK(undone == 1);
    {
        rollback undo;
        undo.on_failure("x", [&] { ++undone; });
        undo.commit();
    }
    CHECK(undone == 1);
}

TEST_CASE("a step that fails is told of and does not keep the others from running") {
    std::string order;
    rollback undo;
    undo.on_failure("delete a", [&] { order += 'a'; });
    undo.on_failure("delete b", [&] { throw std::runtime_error{"busy"}; });
    undo.on_failure("delete c", [&] { order += 'c'; });
    undo.on_failure("delete d", [] { throw 1; });
    CHECK(undo.undo() == texts{"could not delete d", "could not delete b: busy"});
    CHECK(order == "ca");
}

TEST_CASE("a step that the operating system fails is run once more, after the others") {
    auto const no_buffer_space = [] {
        throw std::system_error{ENOBUFS, std::generic_category(), "delete b"};
    };
    std::string order;
    int left = 0;
    rollback undo;
    undo.on_failure("delete a", [&] { order += 'a'; });
    undo.on_failure("delete b", [&] {
        order += 'b';
        if (left-- > 0) no_buffer_space();
    });
    undo.on_failure("delete c", [&] {
        order += 'c';
        if (left-- > 0) no_buffer_space();
    });
    SUBCASE("once") {
        left = 2;
        CHECK(undo.undo() == texts{});
        CHECK(order == "cbacb");
    }
    SUBCASE("twice, and it is told of") {
        left = 4;
        CHECK(undo.undo() == texts{"could not delete c: delete b: No buffer space available",
                                   "could not delete b: delete b: No buffer space available"});
        CHECK(order == "cbacb");
    }
}

TEST_CASE("a step may register another, which is undone next") {
    std::string order;
    rollback undo;
    undo.on_failure("a", [&] { order += 'a'; });
    undo.on_failure("b", [&] {
        order += 'b';
        undo.on_failure("c", [&] { order += 'c'; });
    });
    CHECK(undo.undo() == texts{});
    CHECK(order == "bca");
}

TEST_CASE("what is for success runs on commit alone, once, whatever fails in it") {
    std::string trace;
    rollback undo;
    undo.on_failure("undo", [&] { trace += "undo "; });
    undo.on_success([&] {
        trace += "first ";
        throw std::runtime_error{"not the ADD's"};
    });
    undo.on_success([&] { trace += "second "; });
    SUBCASE("commit") {
        undo.commit();
        undo.commit();
        CHECK(undo.undo().empty());
        CHECK(trace == "first second ");
    }
    SUBCASE("undo") {
        CHECK(undo.undo().empty());
        CHECK(trace == "undo ");
    }
}
