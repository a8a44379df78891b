#pragma once
#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <string>
#include <system_error>
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

    struct apart;

    /// What is only to be done once nothing can fail any more. Its own failure is not the ADD's.
    void on_success(std::function<void()> action) { on_success_.push_back(std::move(action)); }

    /// Runs every step, the last registered first, whatever fails; returns what failed, one text a step. A step that the operating
    /// system fails (no buffer space, say) is run once more after the others.
    std::vector<std::string> undo() noexcept {
        std::vector<std::string> failures;
        std::vector<step> again = run_all(failures, true);
        steps_.assign(std::make_move_iterator(again.rbegin()), std::make_move_iterator(again.rend()));
        run_all(failures, false);
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

    /// Returns what is worth another attempt, in the order in which it was run.
    std::vector<step> run_all(std::vector<std::string>& failures, bool may_repeat) {
        std::vector<step> again;
        while (!steps_.empty()) {
            step last = std::move(steps_.back());
            steps_.pop_back();
            auto const failed = [&](std::string const& why) {
                failures.push_back("could not " + last.what + why);
            };
            try {
                last.undo();
            } catch (std::system_error const& e) {
                if (may_repeat)
                    again.push_back(std::move(last));
                else
                    failed(std::string{": "} + e.what());
            } catch (std::exception const& e) {
                failed(std::string{": "} + e.what());
            } catch (...) {
                failed("");
            }
        }
        return again;
    }

    std::vector<step> steps_;
    std::vector<std::function<void()>> on_success_;
};

/// Steps that another thread registers. At its end they go to the whole, as its latest.
struct rollback::apart {
    rollback& of;     ///< the whole
    rollback steps{}; ///< the other thread's, as long as this lives

    explicit apart(rollback& whole) : of{whole} {}
    ~apart() {
        std::ranges::move(std::exchange(steps.steps_, {}), std::back_inserter(of.steps_));
        std::ranges::move(std::exchange(steps.on_success_, {}), std::back_inserter(of.on_success_));
    }
};

} // namespace cnix::cni
