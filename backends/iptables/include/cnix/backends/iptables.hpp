#pragma once
#include <cnix/backends/iptables/sha512.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/backends/program.hpp>
#include <cnix/concepts/iptables_backend.hpp>

#include <fstream>
#include <nettle/sha2.h>
#include <string>

namespace cnix::backends {

/// The programs of iptables, of either flavour (nft, legacy). They are looked up in PATH, then in /usr/sbin
/// and /sbin, which container runtimes often leave out. Copies share one netlink socket.
class iptables {
  public:
    void restore(net::family family, ipt::table table, std::string_view commands) {
        run_restore(family, table, commands, {"--noflush", "--wait"});
    }
    void test(net::family family, ipt::table table, std::string_view commands) {
        run_restore(family, table, commands, {"--noflush", "--wait", "--test"});
    }

    std::vector<std::string> save(net::family family, ipt::table table) {
        std::vector<std::string> lines;
        auto const text =
            detail::run_program("iptables", program(family, "-save"), {"-t", std::string{ipt::text(table)}});
        for (std::size_t begin = 0; begin < text.size();) {
            auto const end = std::min(text.find('\n', begin), text.size());
            lines.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
        return lines;
    }

    /// The nft flavour's chain, asked of the kernel. The legacy flavour's cannot be asked for alone: that it
    /// uses the table at all is told by /proc/net/ip_tables_names.
    bool may_have(net::family family, ipt::table table, std::string_view chain) {
        auto const name = ipt::text(table);
        if (nft_.find_chain({family == net::family::ipv4 ? "ip" : "ip6", name}, chain)) return true;
        std::ifstream names{family == net::family::ipv4 ? "/proc/net/ip_tables_names"
                                                        : "/proc/net/ip6_tables_names"};
        for (std::string line; std::getline(names, line);)
            if (line == name) return true;
        return false;
    }

    static std::string sha512(std::string_view text) { return detail::sha512(text); }

  private:
    static void run_restore(net::family family, ipt::table table, std::string_view commands,
                            std::vector<std::string> const& options) {
        auto const input = std::string{"*"}.append(ipt::text(table)).append("\n").append(commands);
        detail::run_program("iptables", program(family, "-restore"), options, input + "COMMIT\n");
    }

    static std::string program(net::family family, std::string_view suffix) {
        return std::string{ipt::program(family)}.append(suffix);
    }

    nftables nft_; // for questions only, which start no program
};

static_assert(iptables_backend<iptables>);

} // namespace cnix::backends
