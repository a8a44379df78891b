#pragma once
#include <cnix/net/prefix.hpp>

#include <chrono>
#include <compare>
#include <string>
#include <vector>

namespace cnix::eni {

/// Wall clock, because it is kept across restarts and in a file of upstream's format.
using time_point = std::chrono::system_clock::time_point;

/// Who holds addresses (upstream's IPAMKey). Texts as they came: an old checkpoint has ones that no request could have.
struct pod_key {
    std::string network{};
    std::string container{};
    std::string interface{};

    friend auto operator<=>(pod_key const&, pod_key const&) = default;
};

/// Under what key upstream before v1.12 kept what a container had before its daemon was updated.
inline pod_key migrated(pod_key const& key) { return {"_migrated-from-cri", key.container, "unknown"}; }

/// What is kept of a pod for those who read the checkpoint. Empty where no orchestrator told.
struct pod_metadata {
    std::string name_space{};
    std::string name{};
    int interfaces = 1; ///< how many the pod has of its key: one of each ENI that it has addresses of

    friend bool operator==(pod_metadata const&, pod_metadata const&) = default;
};

/// What a key has of one ENI.
struct holding {
    std::string eni{};                     ///< its ID; empty if no known ENI has the addresses
    std::vector<net::address> addresses{}; ///< at most one a family, and at least one; IPv4 first

    friend bool operator==(holding const&, holding const&) = default;
};

/// What a key has.
struct assignment {
    pod_key key{};
    pod_metadata pod{};
    time_point since{}; ///< the epoch: not known
    std::vector<holding>
        holdings{}; ///< at least one; one a network card if the pod is to have interfaces of each

    friend bool operator==(assignment const&, assignment const&) = default;
};

/// The order of assignments, among which a key is looked up without one of its own.
struct by_key {
    using is_transparent = void;
    bool operator()(assignment const& one, assignment const& other) const { return one.key < other.key; }
    bool operator()(assignment const& one, pod_key const& other) const { return one.key < other; }
    bool operator()(pod_key const& one, assignment const& other) const { return one < other.key; }
};

/// When an address was given back. It is kept after the cooldown, too: by it the longest free address is known.
struct release_record {
    net::address address{};
    time_point at{};

    friend bool operator==(release_record const&, release_record const&) = default;
};

/// What must outlive the process.
struct state {
    std::vector<assignment> assignments{};
    std::vector<release_record> releases{};

    friend bool operator==(state const&, state const&) = default;
};

} // namespace cnix::eni
