#pragma once
#include <cnix/cni/attachment.hpp>

#include <optional>
#include <set>
#include <string>
#include <utility>

namespace cnix::cni {

/// The attachments of a network that GC must keep (`cni.dev/valid-attachments`). What it does not list is garbage.
class valid_attachments {
  public:
    explicit valid_attachments(network_name network) : network_{std::move(network)} {}

    void insert(container_id const& container, net::interface_name const& interface);

    network_name const& network() const noexcept { return network_; }
    bool contains(std::string const& container, std::string const& interface) const;
    /// For traces that name no interface.
    bool contains_container(std::string const& container) const;
    /// For traces that carry attachment_id::digest().
    bool contains_digest(std::string const& digest) const;

    std::set<std::pair<std::string, std::string>> const& pairs() const noexcept { return pairs_; }

    void know_addresses(std::optional<std::set<net::address>> addresses);
    /// Whether the address is certainly no valid attachment's. False if it is one's, or if that is not known.
    bool surely_garbage(net::address const& address) const;

  private:
    network_name network_;
    std::set<std::pair<std::string, std::string>> pairs_;
    std::set<std::string> containers_;
    std::set<std::string> digests_;
    std::optional<std::set<net::address>> addresses_;
};

} // namespace cnix::cni

#ifndef CNIX_PREBUILT
#include <cnix/cni/valid_attachments.ipp>
#endif
