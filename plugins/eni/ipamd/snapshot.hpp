#pragma once
#include <ipamd/targets.hpp>
#include <cnix/eni/address_pool.hpp>
#include <cnix/eni/network_interface.hpp>
#include <cnix/eni/state.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What can be seen of the pool from outside: values, for metrics, introspection and the status command.
namespace cnix::ipamd {

/// Whether an ENI's addresses are given to pods.
enum class eni_use {
    used,
    setting_up, ///< its network is not set up so far
    broken,     ///< its network could not be set up
    excluded,   ///< its subnet is tagged so
    missing,    ///< the cloud no longer shows it, and pods have addresses of it
    unmanaged,  ///< somebody else's, or without addresses (EFA): it only takes one of the instance's places
};
std::string_view name(eni_use use) noexcept;

/// An address that a pod has, or had so shortly ago that it is remembered.
struct address_view {
    net::address address{};
    net::prefix cidr{};                ///< what it is of: itself, or a prefix; default if no ENI has it
    std::optional<eni::pod_key> key{}; ///< nothing: nobody has it
    eni::pod_metadata pod{};
    eni::time_point assigned{};                     ///< the epoch: not known, or not assigned
    std::optional<eni::time_point> released{};      ///< if it is not assigned
    std::optional<eni::time_point> cooling_until{}; ///< if it is cooling

    bool is_quarantined() const { return key && cidr == net::prefix{}; }
};

/// An ENI.
struct eni_view {
    eni::network_interface nic{}; ///< with all its `cidrs`
    std::string subnet_id{};
    std::string attachment_id{};
    bool trunk = false;
    bool efa_only = false;
    eni_use use = eni_use::used;
    std::string why{};       ///< of setting_up, broken and missing
    eni::time_point since{}; ///< when it was created, else when it was seen first
    eni::address_counts ipv4{};
    eni::address_counts ipv6{};
    std::vector<address_view> addresses{}; ///< assigned and remembered ones, in order

    bool is_primary() const { return nic.device_number == 0 && nic.network_card == 0; }
};

/// A pod that waits for an address.
struct waiting_view {
    eni::pod_key key{};
    eni::pod_metadata pod{};
    eni::time_point since{};
    eni::time_point deadline{};
    std::string why{};
};

/// What has happened since the start.
struct manager_counters {
    std::uint64_t adds = 0;           ///< asked for
    std::uint64_t adds_done = 0;      ///< answered with an address, old or new
    std::uint64_t adds_again = 0;     ///< of these: had it already
    std::uint64_t adds_waited = 0;    ///< that did not get one at once
    std::uint64_t adds_exhausted = 0; ///< refused, by cause
    std::uint64_t adds_warming_up = 0;
    std::uint64_t adds_cooling = 0;
    std::uint64_t adds_throttled = 0;
    std::uint64_t adds_unsaved = 0;       ///< the checkpoint could not be written
    std::uint64_t adds_gone = 0;          ///< cancelled, or deleted meanwhile
    std::uint64_t removes = 0;            ///< asked for
    std::uint64_t removes_unknown = 0;    ///< of these: `datastore: unknown pod`
    std::uint64_t removes_unsaved = 0;    ///< of these: answered although the checkpoint could not be written
    std::uint64_t reclaimed = 0;          ///< allocations of pods that were gone
    std::uint64_t reconciles = 0;         ///< answers of the cloud that were taken
    std::uint64_t reconciles_ignored = 0; ///< that were empty
    std::uint64_t enis_added = 0;         ///< by the cloud, not by an action
    std::uint64_t enis_removed = 0;
    std::uint64_t cidrs_added = 0;
    std::uint64_t cidrs_removed = 0;
    std::uint64_t quarantined_enis = 0;
    std::uint64_t quarantined_addresses = 0;
    std::uint64_t actions = 0; ///< begun
    std::uint64_t actions_failed = 0;
    std::uint64_t commits = 0;
    std::uint64_t commits_failed = 0;

    friend bool operator==(manager_counters const&, manager_counters const&) = default;
};

/// The pool at one time.
struct snapshot {
    eni::time_point now{};
    bool known = false; ///< whether the cloud has told what the node has
    ipamd::targets targets{};
    int most_enis = 0; ///< that the node may have; 0: not known
    int places = 0;    ///< for addresses or prefixes on each; 0: not known
    bool prefixes = false;
    eni::address_counts ipv4{};
    eni::address_counts ipv6{};
    supply of_first_card{}; ///< what the targets are held against
    std::size_t pods = 0;   ///< that have addresses
    std::vector<eni_view> enis{};
    std::vector<address_view> quarantined{}; ///< in use, and of no ENI that the cloud shows
    std::vector<waiting_view> waiting{};
    std::size_t waiting_count = 0;
    std::string under_way{};  ///< the action; empty: none
    std::string growth{};     ///< what comes next, or why nothing does
    std::string last_error{}; ///< the last action's that failed; empty: the last one did not
    std::optional<eni::time_point> paused_until{}; ///< no growth before
    std::size_t unsaved = 0;                       ///< requests that wait for the disk
    std::string disk_error{};                      ///< of the last write; empty: it did not fail
    manager_counters counters{};
};

} // namespace cnix::ipamd
