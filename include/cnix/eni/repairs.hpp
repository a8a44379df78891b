#pragma once
#include <cnix/concepts/settings.hpp>

#include <string>
#include <utility>

namespace cnix::eni {

/// What differs from what should be, one after the other: to be put right, or only to be told. So a check tells what a set-up
/// would do, and nothing else.
class repairs {
  public:
    repairs() = default;                                  ///< puts right
    explicit repairs(findings& found) : found_{&found} {} ///< tells

    /// `what` is wrong, and repair() puts it right.
    template <class Repair> void operator()(std::string what, Repair&& repair) {
        if (found_)
            found_->push_back(std::move(what));
        else
            repair();
    }
    /// Null: they are put right.
    findings* found() const { return found_; }

  private:
    findings* found_ = nullptr;
};

} // namespace cnix::eni
