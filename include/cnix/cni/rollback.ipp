#pragma once
#include <cnix/cni/rollback.hpp>
#include <cnix/prebuilt.hpp>

#include <exception>
#include <system_error>

namespace cnix::cni {

CNIX_INLINE void rollback::on_failure(std::string what, std::function<void()> undo) {
    steps_.push_back({std::move(what), std::move(undo)});
}

CNIX_INLINE void rollback::on_failure(place& at, std::string what, std::function<void()> undo) {
    steps_.insert(steps_.begin() + static_cast<std::ptrdiff_t>(at.at_++), {std::move(what), std::move(undo)});
}

CNIX_INLINE std::vector<std::string> rollback::undo() noexcept {
    std::vector<std::string> failures;
    std::vector<step> again = run_all(failures, true);
    steps_.assign(std::make_move_iterator(again.rbegin()), std::make_move_iterator(again.rend()));
    run_all(failures, false);
    return failures;
}

CNIX_INLINE void rollback::commit() noexcept {
    steps_.clear();
    for (auto& action : std::exchange(on_success_, {})) {
        try {
            action();
        } catch (...) {
        }
    }
}

CNIX_INLINE auto rollback::run_all(std::vector<std::string>& failures, bool may_repeat) -> std::vector<step> {
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

} // namespace cnix::cni

namespace cnix::cni {

CNIX_INLINE rollback::apart::~apart() {
    std::ranges::move(std::exchange(steps.steps_, {}), std::back_inserter(of.steps_));
    std::ranges::move(std::exchange(steps.on_success_, {}), std::back_inserter(of.on_success_));
}

} // namespace cnix::cni
