#pragma once
// A plugin's verbs, as main() runs them.

#include <cnix/cni/error.hpp>
#include <cnix/cni/request.hpp>
#include <cnix/cni/version.hpp>
#include <cnix/plugin.hpp>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace cnix {

namespace detail {

inline std::optional<std::string> why_not_written(std::FILE* to, std::string_view text) {
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0)
        return std::nullopt;
    return std::generic_category().message(errno);
}

/// Standard output as a runtime gets it, or an error: what it was not told of must not stay.
inline void print_result(std::string const& text) {
    if (auto const why = why_not_written(stdout, text))
        throw cni::error{cni::code::io_failure, "could not write the result to standard output: " + *why};
}

} // namespace detail

/// Runs the request's verb, with its result on standard output. It is most of a plugin's code, and may be compiled beside
/// main():
///
///     extern template void cnix::run<my_bridge>(cnix::cni::request const&);    // in main()'s source
///     template void cnix::run<my_bridge>(cnix::cni::request const&);           // in another one
///
/// Throws cni::error.
template <class Plugin> void run(cni::request const& request) {
    // What is wrong with a composition has been said by its class; no errors of its bodies on top.
    if constexpr (Plugin::well_formed) {
        switch (request.verb) {
        case cni::verb::add:
            return Plugin::add(request, detail::print_result);
        case cni::verb::del:
            return Plugin::del(request);
        case cni::verb::check:
            return Plugin::check(request);
        case cni::verb::gc:
            return Plugin::gc(request);
        case cni::verb::status:
            return Plugin::status(request);
        case cni::verb::version:
            return detail::print_result(cni::version_output());
        }
    }
}

} // namespace cnix
