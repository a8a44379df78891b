#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/sys/child_process.hpp>

#include <cstdlib>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace cnix::backends::detail {

/// Where a program of a package, which is named as in messages, is: in PATH, or /usr/sbin or /sbin, which
/// container runtimes often leave out. Throws cni::error, code 50, if it is nowhere.
inline std::string find_program(std::string const& name, std::string const& package) {
    char const* const path = std::getenv("PATH");
    auto const directories = std::string{path ? path : ""} + ":/usr/sbin:/sbin:";
    for (std::size_t begin = 0; begin < directories.size();) {
        auto const end = directories.find(':', begin);
        auto const file = directories.substr(begin, end - begin) + '/' + name;
        // An empty or relative directory would mean wherever the runtime happens to be.
        if (file.starts_with('/') && end != begin && ::access(file.c_str(), X_OK) == 0) return file;
        begin = end + 1;
    }
    throw cni::error{cni::code::plugin_not_available,
                     "cnix: " + package + ": cannot find `" + name +
                         "` in PATH, /usr/sbin or /sbin; install the package `" + package + '`'};
}

/// The complaint's first line. What the kernel refuses, iptables-nft tells on the line after a title that
/// ends in ": ".
inline std::string first_line(std::string_view complaint) {
    auto const end = complaint.find('\n');
    std::string text{complaint.substr(0, end)};
    if (text.ends_with(": ") && end != complaint.npos) {
        auto const next = complaint.substr(end + 1);
        text += next.substr(0, next.find('\n'));
    }
    return text;
}

/// Of one that hangs: after it, it is killed. It may wait for a lock that others hold.
constexpr inline std::chrono::seconds longest_program{60};

/// What a program of a package printed. Throws cni::error if it cannot be found or fails, with the input and
/// all of its complaint as details.
inline std::string run_program(std::string const& package, std::string const& name,
                               std::vector<std::string> const& options, std::string_view input = {}) {
    std::vector arguments{find_program(name, package)};
    arguments.insert(arguments.end(), options.begin(), options.end());
    auto outcome = sys::run({.arguments = arguments, .input = input, .limit = longest_program});
    if (outcome.success()) return std::move(outcome.out);
    throw cni::error{cni::code::internal,
                     "cnix: " + package + ": " + arguments.front() + " failed (" + outcome.ending() +
                         "): " + first_line(outcome.err),
                     outcome.err.append(input)};
}

} // namespace cnix::backends::detail
