#pragma once
#include <cnix/cni/error_json.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/cni/read_request.hpp>
#include <cnix/main.hpp>
#include <cnix/prebuilt.hpp>
#include <cnix/sys/fd.hpp>

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <linux/magic.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/vfs.h>
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

/// For a person. Gives the exit status: the one given, or 1.
inline int print(std::FILE* to, std::string_view text, int status) {
    auto const why = why_not_written(to, text);
    if (!why) return status;
    if (to != stderr) why_not_written(stderr, "could not write to standard output: " + *why + '\n');
    return 1;
}

/// What cannot be told to the runtime is told to whoever reads its log.
inline int print_error(std::string_view program, cni::error const& e) {
    if (auto const why = why_not_written(stdout, cni::to_json(e)))
        why_not_written(stderr, std::string{program} + ": could not write the error to standard output: " +
                                    *why + "; the error is: " + e.message() +
                                    (e.details().empty() ? "" : "; " + e.details()) + '\n');
    return 1;
}

/// For a person who calls the plugin by hand.
inline std::string help_text(std::string_view program, bool has_plan) {
    return "Usage: CNI_COMMAND=ADD|DEL|CHECK|GC|STATUS|VERSION ... " + std::string{program} +
           " < network-configuration\n\n"
           "A CNI plugin: container runtimes call it with the CNI_* variables of the CNI spec\n"
           "(https://www.cni.dev/docs/spec/) and a network configuration on standard input.\n\n"
           "  --check FILE...  what keeps the network configurations from working with this plugin;\n"
           "                   exit status 1 if anything does\n" +
           (has_plan
                ? "  --plan FILE      the commands of an ADD with that configuration, as a shell script\n"
                : "") +
           "  --help           this text\n"
           "  --version        the version, and the CNI versions it speaks\n";
}

/// Waits for no FIFO's writer: one that lies among configurations has none. A shell's pipes, `<(command)`, have theirs.
inline sys::fd open_configuration(std::string const& file) {
    sys::fd opened = sys::open(file, O_RDONLY | O_NONBLOCK);
    struct stat status{};
    struct statfs place{};
    if (::fstat(opened.get(), &status) == 0 && S_ISFIFO(status.st_mode) &&
        ::fstatfs(opened.get(), &place) == 0 && place.f_type != PIPEFS_MAGIC)
        throw cni::error{cni::code::io_failure,
                         "error reading from " + file + ": it is a FIFO; name a regular file"};
    ::fcntl(opened.get(), F_SETFL, 0);
    return opened;
}

/// The file's text, if the plugin accepts it; else tells why not. `program` is the plugin's type.
inline std::optional<std::string> accepted_file(program_parts const& plugin, std::string_view program,
                                                std::string const& file) {
    try {
        auto text = cni::read_configuration(open_configuration(file).get(), file);
        auto const faults = plugin.faults(text, program, form_of(file));
        for (config::fault const& one : faults)
            print(stderr, cni::one_line(file + ':' + std::string{to_string(one)}), 1);
        if (faults.empty()) return text;
    } catch (std::exception const& e) {
        print(stderr, cni::one_line(std::string{program} + ": " + e.what()), 1);
    }
    return std::nullopt;
}

inline bool check_file(program_parts const& plugin, std::string_view program, std::string const& file) {
    return accepted_file(plugin, program, file) &&
           print(stdout, cni::one_line(file + ": fits " + std::string{program}), 0) == 0;
}

/// Of an attachment that the variables of the CNI protocol describe, as far as they are set.
inline cni::request example_attachment() {
    auto const variable = [](char const* name, char const* otherwise) {
        std::string const value = cni::environment_variable(name);
        return value.empty() ? std::string{otherwise} : value;
    };
    cni::request request;
    request.container_id = variable("CNI_CONTAINERID", "example");
    request.interface = variable("CNI_IFNAME", "eth0");
    request.netns = variable("CNI_NETNS", "/run/netns/example");
    request.args = cni::environment_variable("CNI_ARGS");
    cni::detail::validate_container_id(request.container_id);
    cni::detail::validate_interface(request.interface);
    for (char const byte : request.netns)
        if (static_cast<unsigned char>(byte) < ' ')
            throw cni::error{cni::code::invalid_environment,
                             "CNI_NETNS has control characters, which a script cannot show"};
    return request;
}

inline int print_plan(program_parts const& plugin, std::string_view program, std::string const& file) {
    auto const text = accepted_file(plugin, program, file);
    if (!text) return 1;
    try {
        return print(stdout, plugin.plan(*text, program, file, example_attachment()), 0);
    } catch (cni::error const& e) {
        return print(stderr,
                     cni::one_line(std::string{program} + ": " + file + ": " + e.message() +
                                   (e.details().empty() ? "" : ": " + e.details())),
                     1);
    } catch (std::exception const& e) {
        return print(stderr, cni::one_line(std::string{program} + ": " + file + ": " + e.what()), 1);
    }
}

CNIX_INLINE int main(int argc, char** argv, program_parts const& plugin) {
    keep_standard_descriptors();
    std::signal(SIGPIPE,
                SIG_IGN); // a reader that has gone is a failed write, after which an ADD is taken back
    std::string_view const path = argc > 0 ? argv[0] : "cnix";
    std::string_view const program = path.substr(path.find_last_of('/') + 1);
    if (argc > 1) {
        std::string_view const option = argv[1];
        if (option == "--help" || option == "-h")
            return print(stdout, help_text(program, plugin.plan != nullptr), 0);
        if (option == "--version") return print(stdout, cni::about_text(program, CNIX_VERSION), 0);
        if (option == "--check") {
            if (argc == 2)
                return print(stderr, std::string{program} + ": --check needs the files to check\n", 1);
            bool fit = true;
            for (int i = 2; i < argc; ++i) fit &= check_file(plugin, program, argv[i]);
            return fit ? 0 : 1;
        }
        if (option == "--plan") {
            if (argc != 3)
                return print(stderr, std::string{program} + ": --plan needs one network configuration file\n",
                             1);
            if (plugin.plan == nullptr)
                return print(stderr,
                             std::string{program} +
                                 (plugin.ipam_only
                                      ? ": --plan: an IPAM plugin changes no network; ask the plugin "
                                        "that makes the interface\n"
                                      : ": --plan is not part of this plugin: pass cnix::plan of the "
                                        "composition to cnix::main (docs/plan.md)\n"),
                             1);
            return print_plan(plugin, program, argv[2]);
        }
        return print(stderr, std::string{program} + ": unknown option " + argv[1] + "; try --help\n", 1);
    }
    if (cni::environment_variable("CNI_COMMAND").empty())
        return print(stderr, cni::about_text(program, "v" CNIX_VERSION), 0);
    try {
        auto const request = cni::read_request(cni::environment_variable, cni::standard_input);
        plugin.run(request);
        return 0;
    } catch (cni::error const& e) {
        return print_error(program, e);
    } catch (std::exception const& e) {
        return print_error(program, {cni::code::internal, e.what()});
    }
}

} // namespace detail

} // namespace cnix
