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

/// What the recording backends were asked to change, in order: one shell command a line, or several lines for
/// a here document. One for the process, so that the calls of several policies come out in one order. Not
/// thread safe.
class journal {
  public:
    /// Adds a command. In a pod's namespace (recording::ns::run) it is run there: `nsenter --net=PATH
    /// COMMAND`.
    static void append(std::string const& command) { self().lines_.push_back(self().prefix_ + command); }

    static std::vector<std::string> const& lines() noexcept { return self().lines_; }
    /// The lines, each with a line end.
    static std::string text() {
        std::string out;
        for (std::string const& line : lines()) out += line + '\n';
        return out;
    }
    static void clear() noexcept { self().lines_.clear(); }

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

    std::vector<std::string> lines_;
    std::string prefix_;
};

} // namespace cnix::backends::recording
