#pragma once
// Checks of values which their types cannot express: what excludes what, what must lie inside what.

#include <cnix/config/fault.hpp>
#include <cnix/config/path.hpp>

#include <string_view>
#include <vector>

namespace cnix::config {

/// Takes what a check finds wrong. A config struct checks itself in
/// `constexpr void check(cnix::config::checker& found) const;`
/// which the reader calls for every struct it has read, whether or not all of it could be: a key with a fault has
/// its default then. Whoever knows more than one struct knows (which keys a composition can honour, say) makes a
/// checker of its own for the same source and adds to the same faults.
class checker {
  public:
    /// `base` is the path of the object that the checks are about; `source` a JSON document that outlives the
    /// checker.
    constexpr checker(std::string_view source, std::string_view base, std::vector<config::fault>& faults)
        : source_(source), base_(base), faults_(faults) {}
    /// For the reader: `here` outlives the checker, and becomes a path only when there is a fault.
    constexpr checker(std::string_view source, detail::frame const& here, std::vector<config::fault>& faults)
        : source_(source), here_(&here), faults_(faults) {}

    /// Reports the value at `relative` (`path("ranges", 0, 1, "gateway")`; empty for the object itself) with
    /// a message that says what is wrong and what would be right. A path to an absent key is placed at the
    /// nearest enclosing value. Left out if the value, or one inside it, could not be read: it may be none of the
    /// user's.
    constexpr void fault(std::string_view relative, std::string_view message) {
        if (faults_.size() >= max_faults) return;
        text where = absolute(relative);
        for (config::fault const& one : faults_) {
            bool const unread = one.kind == fault_kind::type || one.kind == fault_kind::value;
            if (unread && detail::within(one.path, where)) return;
            // Two structs of one type are read from the same object.
            if (one.path == where && one.message == message) return;
        }
        std::size_t const offset = locate(source_, where);
        faults_.push_back(
            {fault_kind::check, offset, position_of(source_, offset), std::move(where), message});
    }

    /// Whether nobody reads some key of the object there: what is missing in it may be what that was meant to be.
    constexpr bool has_unknown_key(std::string_view relative) const {
        for (config::fault const& one : faults_)
            if (one.kind == fault_kind::unknown_key && one.path == absolute(relative)) return true;
        return false;
    }

  private:
    constexpr text absolute(std::string_view relative) const {
        if (here_ == nullptr)
            return join_paths(base_, relative); // not ?:, of which GCC 12 frees a text twice
        return join_paths(path_of(*here_), relative);
    }

    std::string_view source_;
    text base_;
    detail::frame const* here_ = nullptr;
    std::vector<config::fault>& faults_;
};

/// A struct that the reader asks for its faults.
template <class Struct>
concept self_checking = requires(Struct const& object, checker& found) { object.check(found); };

} // namespace cnix::config
