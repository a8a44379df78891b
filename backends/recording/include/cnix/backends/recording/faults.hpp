#pragma once
#include <cnix/sys/errors.hpp>

#include <string>

namespace cnix::backends::recording {

/// Failures on demand, for tests: every operation of a recording backend, reading or changing, counts as a
/// call. One for the process. Not thread safe.
class faults {
  public:
    /// Lets the n-th call from now (1: the next) fail once with an errno; replaces what was asked before.
    static void fail_call(unsigned n, int error) noexcept {
        self().left_ = n;
        self().error_ = error;
    }
    /// No failure any more, and calls() is 0.
    static void clear() noexcept { self() = {}; }
    /// Calls since clear().
    static unsigned calls() noexcept { return self().calls_; }
    /// Whether a failure that was asked for is still to come.
    static bool pending() noexcept { return self().left_ != 0; }

    /// What each operation calls first. `operation` is the text of the error.
    static void call(std::string const& operation) {
        faults& one = self();
        ++one.calls_;
        if (one.left_ != 0 && --one.left_ == 0) sys::throw_errno(one.error_, operation);
    }

  private:
    static faults& self() noexcept {
        static faults one;
        return one;
    }

    unsigned left_ = 0;
    unsigned calls_ = 0;
    int error_ = 0;
};

} // namespace cnix::backends::recording
