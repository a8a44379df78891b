#pragma once
// A plugin's verbs, as main() runs them.

#include <cnix/cni/error.hpp>
#include <cnix/cni/request.hpp>
#include <cnix/cni/version.hpp>
#include <cnix/plugin.hpp>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace cnix {

namespace detail {

std::optional<std::string> why_not_written(std::FILE* to, std::string_view text);

/// Standard output as a runtime gets it, or an error: what it was not told of must not stay.
void print_result(std::string const& text);

} // namespace detail

/// Runs the request's verb, with its result on standard output. With plan(), it may be compiled beside what reads configurations
/// (configuration, docs/cmake.md).
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

#ifndef CNIX_PREBUILT
#include <cnix/verbs.ipp>
#endif
