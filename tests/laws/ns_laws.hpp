#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/ns_policy.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

namespace cnix::test {

/// The laws of ns_policy. `path` leads to a namespace other than the current one.
template <ns_policy Ns> void ns_laws(std::string const& path) {
    {
        INFO("run enters, and returns the value");
        Ns pod = Ns::open(path);
        CHECK(pod.fd() >= 0);
        CHECK_FALSE(pod.is_current());
        CHECK(pod.run([&] { return pod.is_current() ? 7 : 0; }) == 7);
        CHECK_FALSE(pod.is_current());
        int calls = 0;
        pod.run([&] { ++calls; });
        CHECK(calls == 1);
    }
    {
        INFO("run returns to where it was after an exception, which passes through");
        Ns pod = Ns::open(path);
        CHECK_THROWS_WITH_AS(pod.run([] { throw std::runtime_error{"inside"}; }), "inside",
                             std::runtime_error);
        CHECK_FALSE(pod.is_current());
    }
    {
        INFO("run within run");
        Ns pod = Ns::open(path);
        pod.run([&] {
            CHECK(pod.run([&] { return pod.is_current(); }));
            CHECK(pod.is_current());
        });
        CHECK_FALSE(pod.is_current());
    }
    {
        INFO("a second object of the path is the same namespace");
        Ns a = Ns::open(path);
        Ns b = Ns::open(path);
        CHECK(a.run([&] { return b.is_current(); }));
    }
    {
        INFO("find");
        auto found = Ns::find(path);
        REQUIRE(found);
        CHECK(found->run([&] { return found->is_current(); }));
        CHECK_FALSE(Ns::find(""));
    }
    {
        INFO("moving keeps it");
        Ns a = Ns::open(path);
        int const descriptor = a.fd();
        Ns b = std::move(a);
        CHECK(b.fd() == descriptor);
        CHECK(b.run([&] { return b.is_current(); }));
    }
    {
        INFO("no path, no namespace");
        try {
            static_cast<void>(Ns::open(""));
            FAIL("it was opened");
        } catch (cni::error const& e) {
            CHECK(e.code() == cni::code::invalid_netns);
        }
    }
}

} // namespace cnix::test
