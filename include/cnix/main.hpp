#pragma once
#include <cnix/accepts.hpp>
#include <cnix/cni/error_json.hpp>
#include <cnix/cni/read_request.hpp>
#include <cnix/plugin.hpp>
#include <cnix/sys/fd.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>

namespace cnix {

namespace detail {

/// A standard descriptor that is closed would become that of the first file or socket opened, which would then get what is
/// printed. In its place stands one that can neither be read nor written.
inline void keep_standard_descriptors() {
    for (int const descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(descriptor, F_GETFD) < 0)
            static_cast<void>(::open("/", O_PATH)); // takes the lowest, this one
}

inline std::optional<std::string> why_not_written(std::FILE* to, std::string_view text) {
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0)
        return std::nullopt;
    return std::generic_category().message(errno);
}

/// For a person. Gives the exit status: the one given, or 1.
inline int print(std::FILE* to, std::string_view text, int status) {
    auto const why = why_not_written(to, text);
    if (!why) return status;
    if (to != stderr) why_not_written(stderr, "could not write to standard output: " + *why + '\n');
    return 1;
}

/// Standard output as a runtime gets it, or an error: what it was not told of must not stay.
inline void print_result(std::string const& text) {
    if (auto const why = why_not_written(stdout, text))
        throw cni::error{cni::code::io_failure, "could not write the result to standard output: " + *why};
}

/// What cannot be told to the runtime is told to whoever reads its log.
inline int print_error(std::string_view program, cni::error const& e) {
    if (auto const why = why_not_written(stdout, cni::to_json(e)))
        why_not_written(stderr, std::string{program} + ": could not write the error to standard output: " +
                                    *why + "; the error is: " + e.message() +
                                    (e.details().empty() ? "" : "; " + e.details()) + '\n');
    return 1;
}

template <class Plugin> void run(cni::request const& request) {
    switch (request.verb) {
    case cni::verb::add:
        return Plugin::add(request, print_result);
    case cni::verb::del:
        return Plugin::del(request);
    case cni::verb::check:
        return Plugin::check(request);
    case cni::verb::gc:
        return Plugin::gc(request);
    case cni::verb::status:
        return Plugin::status(request);
    case cni::verb::version:
        return print_result(cni::version_output());
    }
}

/// For a person who calls the plugin by hand.
inline std::string help_text(std::string_view program) {
    return "Usage: CNI_COMMAND=ADD|DEL|CHECK|GC|STATUS|VERSION ... " + std::string{program} +
           " < network-configuration\n\n"
           "A CNI plugin: container runtimes call it with the CNI_* variables of the CNI spec\n"
           "(https://www.cni.dev/docs/spec/) and a network configuration on standard input.\n\n"
           "  --check FILE...  what keeps the network configurations from working with this plugin;\n"
           "                   exit status 1 if anything does\n"
           "  --help           this text\n"
           "  --version        the version, and the CNI versions it speaks\n";
}

/// Judges a file as the compiler does. `program` is the plugin's type.
template <class Plugin> bool check_file(std::string_view program, std::string const& file) {
    std::string text;
    try {
        text = cni::read_configuration(sys::open(file, O_RDONLY).get(), file);
    } catch (std::exception const& e) {
        print(stderr, std::string{program} + ": " + e.what() + '\n', 1);
        return false;
    }
    auto const faults = faults_of<Plugin>(text, program);
    for (config::fault const& one : faults) print(stderr, file + ':' + std::string{to_string(one)} + '\n', 1);
    return faults.empty() && print(stdout, file + ": fits " + std::string{program} + '\n', 0) == 0;
}

} // namespace detail

/// A plugin's main(): one verb of the CNI protocol, from environment and standard input to standard output.
/// Exit status 0, or 1 with the error object on standard output; on standard error if it cannot be written there.
template <class Plugin> int main(int argc, char** argv) {
    detail::keep_standard_descriptors();
    std::signal(SIGPIPE,
                SIG_IGN); // a reader that has gone is a failed write, after which an ADD is taken back
    std::string_view const path = argc > 0 ? argv[0] : "cnix";
    std::string_view const program = path.substr(path.find_last_of('/') + 1);
    if (argc > 1) {
        std::string_view const option = argv[1];
        if (option == "--help" || option == "-h") return detail::print(stdout, detail::help_text(program), 0);
        if (option == "--version") return detail::print(stdout, cni::about_text(program, CNIX_VERSION), 0);
        if (option == "--check") {
            if (argc == 2)
                return detail::print(stderr, std::string{program} + ": --check needs the files to check\n",
                                     1);
            bool fit = true;
            if constexpr (Plugin::well_formed)
                for (int i = 2; i < argc; ++i) fit &= detail::check_file<Plugin>(program, argv[i]);
            return fit ? 0 : 1;
        }
        return detail::print(stderr, std::string{program} + ": unknown option " + argv[1] + "; try --help\n",
                             1);
    }
    if (cni::environment_variable("CNI_COMMAND").empty())
        return detail::print(stderr, cni::about_text(program, "v" CNIX_VERSION), 0);
    try {
        auto const request = cni::read_request(cni::environment_variable, cni::standard_input);
        // What is wrong with a composition has been said by its class; no errors of its bodies on top.
        if constexpr (Plugin::well_formed) detail::run<Plugin>(request);
        return 0;
    } catch (cni::error const& e) {
        return detail::print_error(program, e);
    } catch (std::exception const& e) {
        return detail::print_error(program, {cni::code::internal, e.what()});
    }
}

} // namespace cnix
