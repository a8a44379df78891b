#pragma once
#include <ipamd/provider.hpp>

#include <string>
#include <vector>

namespace cnix::ipamd {

/// A change of what the node has that the manager wants of the cloud. One is under way at a time.
struct action {
    enum class what { none, assign, attach, unassign, detach };

    what does = what::none;
    /// assign, unassign, detach: as the manager knows it, for assign with its `cidrs`.
    eni::network_interface nic{};
    std::vector<portion> portions{};  ///< assign: one; attach: at least one
    int network_card = 0;             ///< attach
    std::vector<net::prefix> cidrs{}; ///< unassign
    std::string why{};                ///< why it is wanted; of `none` why nothing is. For logs and status

    explicit operator bool() const { return does != what::none; }
    /// "assign", "attach", "unassign", "detach" or "none".
    std::string_view name() const;
    /// "attach an ENI on network card 0 with 9 IPv4 addresses".
    std::string text() const;
    /// What and why, or why nothing.
    std::string reason() const { return *this ? text() + ": " + why : why; }

    friend bool operator==(action const&, action const&) = default;
};

} // namespace cnix::ipamd
