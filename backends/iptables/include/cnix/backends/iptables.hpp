#pragma once
#include <cnix/backends/iptables/sha512.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/concepts/iptables_backend.hpp>
#include <cnix/sys/child_process.hpp>

#include <cstdlib>
#include <fstream>
#include <nettle/sha2.h>
#include <string>
#include <system_error>
#include <unistd.h>

namespace cnix::backends {

/// The programs of iptables, of either flavour (nft, legacy). They are looked up in PATH, then in /usr/sbin
/// and /sbin, which container runtimes often leave out. Copies share one netlink socket.
class iptables {
  public:
    void restore(net::family family, std::string_view commands) {
        run_restore(family, commands, {"--noflush", "--wait"});
    }
    void test(net::family family, std::string_view commands) {
        run_restore(family, commands, {"--noflush", "--wait", "--test"});
    }

    std::vector<std::string> save(net::family family) {
        std::vector<std::string> lines;
        auto const text = run({program(family, "-save"), "-t", "nat"}, {});
        for (std::size_t begin = 0; begin < text.size();) {
            auto const end = std::min(text.find('\n', begin), text.size());
            lines.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
        return lines;
    }

    /// The nft flavour's chain, asked of the kernel. The legacy flavour's cannot be asked for alone: that it
    /// uses the table at all is told by /proc/net/ip_tables_names.
    bool may_have(net::family family, std::string_view chain) {
        nft::table_id const table{family == net::family::ipv4 ? "ip" : "ip6", "nat"};
        if (nft_.find_chain(table, chain)) return true;
        std::ifstream names{family == net::family::ipv4 ? "/proc/net/ip_tables_names"
                                                        : "/proc/net/ip6_tables_names"};
        for (std::string line; std::getline(names, line);)
            if (line == "nat") return true;
        return false;
    }

    static std::string sha512(std::string_view text) { return detail::sha512(text); }

  private:
    static void run_restore(net::family family, std::string_view commands, std::vector<std::string> options) {
        options.insert(options.begin(), program(family, "-restore"));
        run(std::move(options), std::string{"*nat\n"}.append(commands).append("COMMIT\n"));
    }

    static std::string program(net::family family, std::string_view suffix) {
        auto const name = std::string{family == net::family::ipv4 ? "iptables" : "ip6tables"}.append(suffix);
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
                         "cnix: iptables: cannot find `" + name +
                             "` in PATH, /usr/sbin or /sbin; install the package `iptables`"};
    }

    static std::string run(std::vector<std::string> arguments, std::string_view input) {
        auto const name = arguments.front();
        auto outcome = sys::run({.arguments = std::move(arguments), .input = input});
        if (outcome.success()) return std::move(outcome.out);
        throw cni::error{cni::code::internal,
                         "cnix: iptables: " + name + " failed (" + outcome.ending() +
                             "): " + reason(outcome.err),
                         outcome.err + std::string{input}};
    }

    /// The complaint's first line. What the kernel refuses, the nft flavour tells on the line after a title that
    /// ends in ": ".
    static std::string reason(std::string_view complaint) {
        auto const end = complaint.find('\n');
        std::string text{complaint.substr(0, end)};
        if (text.ends_with(": ") && end != complaint.npos) {
            auto const next = complaint.substr(end + 1);
            text += next.substr(0, next.find('\n'));
        }
        return text;
    }

    libnftables nft_; // for questions only, which do not load the library
};

static_assert(iptables_backend<iptables>);

} // namespace cnix::backends
