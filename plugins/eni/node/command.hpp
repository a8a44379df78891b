#pragma once
#include <cnix/eni/inventory.hpp>
#include <cnix/eni/node.hpp>

#include <cstdio>
#include <exception>
#include <getopt.h>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::eni {

/// The command line, as getopt_long(3) has read it.
struct node_command_line {
    std::string verb{};
    std::string inventory{"/etc/cnix/eni.json"};
    std::string config{"/etc/cnix/eni-node.json"};
};

constexpr inline std::string_view node_usage =
    "Usage: cnix-eni-node set-up|check|remove [--inventory FILE] [--config FILE]\n\n"
    "Sets up a node whose pods have addresses of its elastic network interfaces: the\n"
    "interfaces, a table of routes each, policy rules, SNAT, marks, sysctls.\n\n"
    "  set-up            makes it so; changes only what differs\n"
    "  check             tells what set-up would change; exit status 1 if anything\n"
    "  remove            takes it back, but for MTUs and sysctls; without an\n"
    "                    inventory, but for the ENIs' addresses, too\n"
    "  --inventory FILE  the node's ENIs; else /etc/cnix/eni.json\n"
    "  --config FILE     how the node is to be set up; else /etc/cnix/eni-node.json.\n"
    "                    remove does not read it\n"
    "  --help            this text\n"
    "  --version         the version\n\n"
    "Exit status 2: the command line is wrong.\n";

/// One line for each of the text's; all but the first are set in, so that no name in it can pass for a message of its own, or steer
/// a terminal.
inline void print_lines(std::FILE* to, std::string const& text) {
    std::string shown;
    for (char const byte : text)
        if (byte == '\n')
            shown += "\n  ";
        else
            shown += static_cast<unsigned char>(byte) < ' ' || byte == '\x7f' ? '?' : byte;
    std::fputs((shown + '\n').c_str(), to);
}

/// Runs one verb. Gives the exit status; 1 for findings and for failures, which are thrown.
template <class Node> int run_node_command(node_command_line const& line) {
    Node node{line.inventory};
    std::vector<network_interface> enis;
    try {
        enis = load_inventory(line.inventory, "with `--inventory FILE`");
    } catch (std::exception const& e) {
        if (line.verb != "remove") throw;
        node.remove();
        throw cni::error{cni::code::io_failure,
                         std::string{e.what()} +
                             "\nthe addresses of the ENIs stay on their interfaces; all else is removed"};
    }
    if (line.verb == "remove") {
        node.remove(enis);
        return 0;
    }
    auto const config = load_node_config(line.config);
    if (line.verb == "set-up") {
        node.set_up(config, enis);
        return 0;
    }
    auto const found = node.check(config, enis);
    for (auto const& one : found) print_lines(stdout, one);
    return found.empty() ? 0 : 1;
}

/// The program's main().
template <class Node> int node_command(int argc, char** argv) {
    std::string const path = argc > 0 ? argv[0] : "cnix-eni-node";
    std::string const program = path.substr(path.find_last_of('/') + 1);
    auto const wrong = [&](std::string const& what) {
        print_lines(stderr, program + ": " + what + "; try --help");
        return 2;
    };
    node_command_line line;
    constexpr ::option known[] = {{"inventory", required_argument, nullptr, 'i'},
                                  {"config", required_argument, nullptr, 'c'},
                                  {"help", no_argument, nullptr, 'h'},
                                  {"version", no_argument, nullptr, 'V'},
                                  {nullptr, 0, nullptr, 0}};
    for (int got = 0; (got = ::getopt_long(argc, argv, "h", known, nullptr)) != -1;) {
        if (got == 'i') line.inventory = optarg;
        if (got == 'c') line.config = optarg;
        if (got == 'h') return std::fputs(node_usage.data(), stdout) < 0;
        if (got == 'V') return std::fputs("cnix-eni-node " CNIX_VERSION "\n", stdout) < 0;
        if (got == '?') return 2; // getopt_long has told
    }
    if (optind + 1 != argc) return wrong("one verb is needed: set-up, check or remove");
    line.verb = argv[optind];
    if (line.verb != "set-up" && line.verb != "check" && line.verb != "remove")
        return wrong("unknown verb " + line.verb);
    try {
        int const status = run_node_command<Node>(line);
        if (std::fflush(stdout) == 0) return status;
        print_lines(stderr, program + ": could not write to standard output");
    } catch (cni::error const& e) {
        print_lines(stderr, program + ": " + e.message() + (e.details().empty() ? "" : ": " + e.details()));
    } catch (std::exception const& e) {
        print_lines(stderr, program + ": " + e.what());
    }
    return 1;
}

} // namespace cnix::eni
