#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::backends::recording {

/// A word as a POSIX shell reads it back.
inline std::string quoted(std::string_view word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) return std::string{word};
    std::string out = "'";
    for (char c : word) c == '\'' ? void(out += "'\\''") : out.push_back(c);
    return out + '\'';
}

/// What the recording backends were asked to change, in order. One for the process, so that the calls of several
/// policies come out in one order. Not thread safe.
class journal {
  public:
    struct step {
        std::string command;           ///< for a shell; several lines for a here document
        std::vector<std::string> undo; ///< a line each, in their order; none: nothing could take it back
    };

    /// In a pod's namespace (recording::ns::run) both are run there: `nsenter --net=PATH COMMAND`.
    static void append(std::string const& command, std::vector<std::string> undo) {
        std::string const& prefix = self().prefix_;
        for (std::string& line : undo) line.insert(0, prefix);
        self().steps_.push_back({prefix + command, std::move(undo)});
    }

    static std::vector<step> const& steps() noexcept { return self().steps_; }
    /// The commands.
    static std::vector<std::string> lines() {
        std::vector<std::string> all;
        for (step const& one : steps()) all.push_back(one.command);
        return all;
    }
    /// The lines, each with a line end.
    static std::string text() {
        std::string out;
        for (std::string const& line : lines()) out += line + '\n';
        return out;
    }
    static void clear() noexcept { self().steps_.clear(); }

    /// What stands before each command for the life of this object.
    class prefix {
      public:
        explicit prefix(std::string text) : before_{std::exchange(self().prefix_, std::move(text))} {}
        prefix(prefix const&) = delete;
        prefix& operator=(prefix const&) = delete;
        ~prefix() { self().prefix_ = std::move(before_); }

      private:
        std::string before_;
    };

  private:
    static journal& self() noexcept {
        static journal one;
        return one;
    }

    std::vector<step> steps_;
    std::string prefix_;
};

} // namespace cnix::backends::recording
