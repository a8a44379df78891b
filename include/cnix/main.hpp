#pragma once
#include <cnix/cni/error_json.hpp>
#include <cnix/cni/read_request.hpp>
#include <cnix/plugin.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>

namespace cnix {

namespace detail {

inline int print(std::FILE* to, std::string_view text, int status) {
    bool const written = std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0;
    return written ? status : 1;
}

/// Standard output as a runtime gets it, or an error: what it was not told of must not stay.
inline void print_result(std::string const& text) {
    errno = 0;
    if (print(stdout, text, 0) != 0)
        throw cni::error{cni::code::io_failure,
                         "could not write the result to standard output: " + std::generic_category().message(errno)};
}

template <class Plugin>
void run(cni::request const& request) {
    switch (request.verb) {
    case cni::verb::add: return Plugin::add(request, print_result);
    case cni::verb::del: return Plugin::del(request);
    case cni::verb::check: return Plugin::check(request);
    case cni::verb::gc: return Plugin::gc(request);
    case cni::verb::status: return Plugin::status(request);
    case cni::verb::version: return print_result(cni::version_output());
    }
}

/// For a person who calls the plugin by hand.
inline std::string help_text(std::string_view program) {
    return "Usage: CNI_COMMAND=ADD|DEL|CHECK|GC|STATUS|VERSION ... " + std::string{program} +
           " < network-configuration\n\n"
           "A CNI plugin: container runtimes call it with the CNI_* variables of the CNI spec\n"
           "(https://www.cni.dev/docs/spec/) and a network configuration on standard input.\n\n"
           "  --help     this text\n"
           "  --version  the version, and the CNI versions it speaks\n";
}

} // namespace detail

/// A plugin's main(): one verb of the CNI protocol, from environment and standard input to standard output.
/// Exit status 0, or 1 with the error object on standard output.
template <class Plugin>
int main(int argc, char** argv) {
    std::string_view const path = argc > 0 ? argv[0] : "cnix";
    std::string_view const program = path.substr(path.find_last_of('/') + 1);
    if (argc > 1) {
        std::string_view const option = argv[1];
        if (option == "--help" || option == "-h") return detail::print(stdout, detail::help_text(program), 0);
        if (option == "--version") return detail::print(stdout, cni::about_text(program, CNIX_VERSION), 0);
        return detail::print(stderr, std::string{program} + ": unknown option " + argv[1] + "; try --help\n", 1);
    }
    std::signal(SIGPIPE, SIG_IGN); // a reader that has gone is a failed write, after which an ADD is taken back
    if (cni::environment_variable("CNI_COMMAND").empty())
        return detail::print(stderr, cni::about_text(program, "v" CNIX_VERSION), 0);
    try {
        auto const request = cni::read_request(cni::environment_variable, cni::standard_input);
        // What is wrong with a composition has been said by its class; no errors of its bodies on top.
        if constexpr (Plugin::well_formed) detail::run<Plugin>(request);
        return 0;
    } catch (cni::error const& e) {
        return detail::print(stdout, cni::to_json(e), 1);
    } catch (std::exception const& e) {
        return detail::print(stdout, cni::to_json(cni::error{cni::code::internal, e.what()}), 1);
    }
}

} // namespace cnix
