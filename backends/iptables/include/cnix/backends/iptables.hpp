#pragma once
#include <cnix/backends/nftables.hpp>
#include <cnix/concepts/iptables_backend.hpp>

#include <string>

namespace cnix::backends {

/// The programs of iptables, of either flavour (nft, legacy). They are looked up in PATH, then in /usr/sbin
/// and /sbin, which container runtimes often leave out. Copies share one netlink socket.
class iptables {
  public:
    void restore(net::family family, ipt::table table, std::string_view commands);
    void test(net::family family, ipt::table table, std::string_view commands);

    std::vector<std::string> save(net::family family, ipt::table table);

    /// The nft flavour's chain, asked of the kernel. The legacy flavour's cannot be asked for alone: that it
    /// uses the table at all is told by /proc/net/ip_tables_names.
    bool may_have(net::family family, ipt::table table, std::string_view chain);

    static std::string sha512(std::string_view text);

  private:
    static void run_restore(net::family family, ipt::table table, std::string_view commands,
                            std::vector<std::string> const& options);

    static std::string program(net::family family, std::string_view suffix);

    nftables nft_; // for questions only, which start no program
};

static_assert(iptables_backend<iptables>);

} // namespace cnix::backends

#ifndef CNIX_PREBUILT
#include <cnix/backends/iptables.ipp>
#endif
