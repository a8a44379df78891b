#pragma once
#include <cstddef>
#include <exception>
#include <functional>
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
    void on_failure(std::string what, std::function<void()> undo) {
        steps_.push_back({std::move(what), std::move(undo)});
    }

    /// A place among the steps, for what has to be taken back with those before it, though it is done after others that
    /// follow. Registering for another place before this one makes this one void.
    class place {
        friend rollback;
        explicit place(std::size_t at) : at_{at} {}
        std::size_t at_;
    };
    place here() const { return place{steps_.size()}; }
    void on_failure(place& at, std::string what, std::function<void()> undo) {
        steps_.insert(steps_.begin() + static_cast<std::ptrdiff_t>(at.at_++),
                      {std::move(what), std::move(undo)});
    }

    /// What is only to be done once nothing can fail any more. Its own failure is not the ADD's.
    void on_success(std::function<void()> action) { on_success_.push_back(std::move(action)); }

    /// Runs every step, the last registered first, whatever fails; returns what failed, one text a step.
    std::vector<std::string> undo() noexcept {
        std::vector<std::string> failures;
        while (!steps_.empty()) {
            step last = std::move(steps_.back());
            steps_.pop_back();
            try {
                last.undo();
            } catch (std::exception const& e) {
                failures.push_back("could not " + last.what + ": " + e.what());
            } catch (...) {
                failures.push_back("could not " + last.what);
            }
        }
        return failures;
    }

    /// The ADD has succeeded: nothing is undone any more, and what on_success() was given is done.
    void commit() noexcept {
        steps_.clear();
        for (auto& action : std::exchange(on_success_, {})) {
            try {
                action();
            } catch (...) {
            }
        }
    }

  private:
    struct step {
        std::string what;
        std::function<void()> undo;
    };
    std::vector<step> steps_;
    std::vector<std::function<void()>> on_success_;
};

} // namespace cnix::cni
