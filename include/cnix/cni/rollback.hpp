#pragma once
#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace cnix::cni {

/// The steps that take back what an ADD did so far. A policy registers the undo of a change right after making it;
/// unless commit() is reached, they run in reverse order.
class rollback {
  public:
    rollback() = default;
    rollback(rollback const&) = delete;
    rollback& operator=(rollback const&) = delete;
    ~rollback() { undo(); }

    /// `what` completes "could not ...": "delete the veth vethab12".
    void on_failure(std::string what, std::function<void()> undo);

    /// A place among the steps, for what has to be taken back with those before it, though it is done after others that
    /// follow. Registering for another place before this one makes this one void.
    class place {
        friend rollback;
        explicit place(std::size_t at) : at_{at} {}
        std::size_t at_;
    };
    place here() const { return place{steps_.size()}; }
    void on_failure(place& at, std::string what, std::function<void()> undo);

    struct apart;

    /// What is only to be done once nothing can fail any more. Its own failure is not the ADD's.
    void on_success(std::function<void()> action) { on_success_.push_back(std::move(action)); }

    /// Runs every step, the last registered first, whatever fails; returns what failed, one text a step. A step that the operating
    /// system fails (no buffer space, say) is run once more after the others.
    std::vector<std::string> undo() noexcept;

    /// The ADD has succeeded: nothing is undone any more, and what on_success() was given is done.
    void commit() noexcept;

  private:
    struct step {
        std::string what;
        std::function<void()> undo;
    };

    /// Returns what is worth another attempt, in the order in which it was run.
    std::vector<step> run_all(std::vector<std::string>& failures, bool may_repeat);

    std::vector<step> steps_;
    std::vector<std::function<void()>> on_success_;
};

/// Steps that another thread registers. At its end they go to the whole, as its latest.
struct rollback::apart {
    rollback& of;     ///< the whole
    rollback steps{}; ///< the other thread's, as long as this lives

    explicit apart(rollback& whole) : of{whole} {}
    ~apart();
};

} // namespace cnix::cni

#ifndef CNIX_PREBUILT
#include <cnix/cni/rollback.ipp>
#endif
