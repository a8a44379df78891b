#pragma once
#include <cnix/backends/iptables.hpp>
#include <cnix/backends/iptables/sha512.hpp>
#include <cnix/backends/program.hpp>
#include <cnix/prebuilt.hpp>

#include <fstream>
#include <nettle/sha2.h>

namespace cnix::backends {

CNIX_INLINE void iptables::restore(net::family family, ipt::table table, std::string_view commands) {
    run_restore(family, table, commands, {"--noflush", "--wait"});
}

CNIX_INLINE void iptables::test(net::family family, ipt::table table, std::string_view commands) {
    run_restore(family, table, commands, {"--noflush", "--wait", "--test"});
}

CNIX_INLINE std::vector<std::string> iptables::save(net::family family, ipt::table table) {
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

CNIX_INLINE bool iptables::may_have(net::family family, ipt::table table, std::string_view chain) {
    auto const name = ipt::text(table);
    if (nft_.find_chain({family == net::family::ipv4 ? "ip" : "ip6", name}, chain)) return true;
    std::ifstream names{family == net::family::ipv4 ? "/proc/net/ip_tables_names"
                                                    : "/proc/net/ip6_tables_names"};
    for (std::string line; std::getline(names, line);)
        if (line == name) return true;
    return false;
}

CNIX_INLINE std::string iptables::sha512(std::string_view text) { return detail::sha512(text); }

CNIX_INLINE void iptables::run_restore(net::family family, ipt::table table, std::string_view commands,
                                       std::vector<std::string> const& options) {
    auto const input = std::string{"*"}.append(ipt::text(table)).append("\n").append(commands);
    detail::run_program("iptables", program(family, "-restore"), options, input + "COMMIT\n");
}

CNIX_INLINE std::string iptables::program(net::family family, std::string_view suffix) {
    return std::string{ipt::program(family)}.append(suffix);
}

} // namespace cnix::backends
