#pragma once
#include <cnix/sys/fd.hpp>

namespace cnix::ipamd {

/// Hears that somebody took routes, policy rules, addresses or interfaces away, or changed the firewall, in the network namespace
/// in which it is made (rtnetlink(7)'s groups, and nf_tables' group: iptables-nft's changes are heard of, those of
/// iptables-legacy are not).
class kernel_events {
  public:
    /// Throws std::system_error.
    kernel_events();

    /// Readable when there is news.
    int routing() const noexcept { return routing_.get(); }
    /// See routing(); -1: a kernel without nf_tables.
    int firewall() const noexcept { return firewall_.get(); }

    /// Reads all that there is. Whether anything went away, or so much happened that some of it is lost.
    bool read_routing();
    /// See read_routing().
    bool read_firewall();

  private:
    sys::fd routing_, firewall_;
};

} // namespace cnix::ipamd
