#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/ns_policy.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace cnix::laws {

/// What the laws of ns_policy are tried on.
struct ns_subject {
    std::string pod;           ///< leads to a namespace other than the current one
    std::string other;         ///< leads to a third
    std::function<void()> end; ///< from then on `pod` leads nowhere
    /// Leads to something that is no network namespace; absent where the Ns knows of nothing else.
    std::optional<std::string> no_namespace = {};
};

/// The laws of ns_policy.
template <ns_policy Ns> class ns_laws {
  public:
    explicit ns_laws(ns_subject subject) : subject_{std::move(subject)} {}

    void all() {
        run_enters();
        run_returns_what_f_returns();
        run_returns_after_an_exception();
        run_within_run();
        another_object_of_the_path();
        namespaces_differ();
        find();
        moving_keeps_it();
        no_path();
        no_namespace();
        the_pod_ends();
    }

  private:
    void run_enters() {
        Ns pod = Ns::open(subject_.pod);
        CHECK(pod.fd() >= 0);
        CHECK_FALSE(pod.is_current());
        int calls = 0;
        pod.run([&] {
            ++calls;
            CHECK(pod.is_current());
        });
        CHECK(calls == 1);
        CHECK_FALSE(pod.is_current());
        CHECK_MESSAGE(pod.run([&] { return pod.is_current(); }), "and once more");
    }

    void run_returns_what_f_returns() {
        Ns pod = Ns::open(subject_.pod);
        CHECK(pod.run([] { return 7; }) == 7);
        CHECK(*pod.run([] { return std::make_unique<int>(7); }) == 7);
        int one = 0;
        static_assert(std::is_same_v<decltype(pod.run([&]() -> int& { return one; })), int&>);
        CHECK(&pod.run([&]() -> int& { return one; }) == &one);
    }

    void run_returns_after_an_exception() {
        Ns pod = Ns::open(subject_.pod);
        CHECK_THROWS_WITH_AS(pod.run([] { throw std::runtime_error{"inside"}; }), "inside",
                             std::runtime_error);
        CHECK_FALSE(pod.is_current());
    }

    void run_within_run() {
        Ns pod = Ns::open(subject_.pod), other = Ns::open(subject_.other);
        pod.run([&] {
            CHECK(pod.run([&] { return pod.is_current(); }));
            CHECK(pod.is_current());
            CHECK(other.run([&] { return other.is_current() && !pod.is_current(); }));
            CHECK_MESSAGE(pod.is_current(), "back where it was, not in the node's");
            CHECK_THROWS_AS(other.run([] { throw std::runtime_error{"inside"}; }), std::runtime_error);
            CHECK(pod.is_current());
        });
        CHECK_FALSE(pod.is_current());
        CHECK_FALSE(other.is_current());
    }

    void another_object_of_the_path() {
        Ns a = Ns::open(subject_.pod);
        {
            Ns b = Ns::open(subject_.pod);
            CHECK(a.run([&] { return b.is_current(); }));
            CHECK(b.run([&] { return a.is_current(); }));
        }
        CHECK_MESSAGE(a.run([&] { return a.is_current(); }), "it does not depend on the other");
    }

    void namespaces_differ() {
        Ns a = Ns::open(subject_.pod), b = Ns::open(subject_.other);
        CHECK_FALSE(a.run([&] { return b.is_current(); }));
        CHECK_FALSE(b.run([&] { return a.is_current(); }));
        CHECK(a.fd() != b.fd());
    }

    void find() {
        auto found = Ns::find(subject_.pod);
        REQUIRE(found);
        CHECK(found->fd() >= 0);
        CHECK_FALSE(found->is_current());
        CHECK(found->run([&] { return Ns::open(subject_.pod).is_current(); }));
    }

    void moving_keeps_it() {
        Ns a = Ns::open(subject_.pod);
        int const descriptor = a.fd();
        Ns b = std::move(a);
        CHECK(b.fd() == descriptor);
        CHECK(b.run([&] { return b.is_current(); }));
        Ns c = Ns::open(subject_.other);
        c = std::move(b);
        CHECK(c.fd() == descriptor);
        CHECK(c.run([&] { return c.is_current() && Ns::open(subject_.pod).is_current(); }));
    }

    void no_path() {
        refused("");
        CHECK_FALSE(Ns::find(""));
    }

    void no_namespace() {
        if (!subject_.no_namespace) return;
        refused(*subject_.no_namespace);
        CHECK_FALSE(Ns::find(*subject_.no_namespace));
    }

    void the_pod_ends() {
        Ns held = Ns::open(subject_.pod);
        subject_.end();
        refused(subject_.pod);
        CHECK_FALSE(Ns::find(subject_.pod));
        CHECK_MESSAGE(held.run([&] { return held.is_current(); }), "an object holds the namespace open");
        CHECK(Ns::find(subject_.other));
    }

    static void refused(std::string const& path) {
        CAPTURE(path);
        try {
            static_cast<void>(Ns::open(path));
            FAIL_CHECK("it was opened");
        } catch (cni::error const& e) {
            CHECK(e.code() == cni::code::invalid_netns);
            CHECK_MESSAGE(e.message().find('"' + path + '"') != std::string::npos, e.message());
        }
    }

    ns_subject subject_;
};

} // namespace cnix::laws
