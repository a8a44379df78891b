#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/json_writer.hpp>
#include <cnix/config/read.hpp>
#include <cnix/eni/checkpoint_file.hpp>
#include <cnix/eni/datastore.hpp>
#include <cnix/eni/state.hpp>
#include <cnix/sys/directory.hpp>
#include <cnix/sys/replace_durably.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The state in the file format of upstream's daemon (pkg/ipamd/datastore/data_store.go), which every version since v1.7
/// writes and since v1.12 reads; docs/eni-pool.md. Ours beyond it is the member `releases`, which upstream's reader passes
/// over. It is read with the reader of configurations, which takes what Go's takes and tells where a fault is; so a plugin needs no
/// other. Unlike Go's it takes no unknown member: the next write would lose it.
namespace cnix::eni {

/// The name of a network card's file, given that of card 0's: ipam.json, ipam-nic-1.json.
inline std::string checkpoint_name(std::string name, int card) {
    if (card == 0) return name;
    std::string_view const ending = ".json";
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
    return name + "-nic-" + std::to_string(card) + std::string{ending};
}

namespace detail {
inline time_point from_nanoseconds(std::int64_t count) {
    return time_point{std::chrono::duration_cast<time_point::duration>(std::chrono::nanoseconds{count})};
}
inline std::int64_t nanoseconds(time_point at) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}
inline void write_address(cni::json_writer& to, net::address const& address) {
    to.member(address.is_v4() ? "ipv4" : "ipv6", address.text().view());
}
/// `each` calls what it is given with each assignment and holding.
inline std::string checkpoint_text(auto const& each, std::size_t about,
                                   std::vector<release_record> const& releases) {
    cni::json_writer to{cni::json_writer::layout::compact};
    to.reserve(64 + 320 * about + 96 * releases.size()); // an entry of Kubernetes' has 270 bytes
    to.begin_object().member("version", checkpoint_version).key("allocations").begin_array();
    each([&](assignment const& one, holding const& part) {
        to.begin_object();
        to.member("networkName", std::string_view{one.key.network});
        to.member("containerID", std::string_view{one.key.container});
        to.member("ifName", std::string_view{one.key.interface});
        for (net::address const& address : part.addresses) write_address(to, address);
        to.member("allocationTimestamp", nanoseconds(one.since)).key("metadata").begin_object();
        if (!one.pod.name_space.empty()) to.member("k8sPodNamespace", std::string_view{one.pod.name_space});
        if (!one.pod.name.empty()) to.member("k8sPodName", std::string_view{one.pod.name});
        to.member("interfacesCount", one.pod.interfaces).end_object().end_object();
    });
    to.end_array();
    if (!releases.empty()) {
        to.key("releases").begin_array();
        for (auto const& [address, at] : releases) {
            to.begin_object();
            write_address(to, address);
            to.member("releaseTimestamp", nanoseconds(at)).end_object();
        }
        to.end_array();
    }
    to.end_object();
    return std::move(to).str() + '\n';
}
constexpr inline std::string_view nothing_changed = "; nothing was changed: ";
constexpr inline std::string_view repair = "repair it, or move it away, delete the pods that are there (DEL "
                                           "succeeds then), and let no others come before "
                                           "these are gone";
inline cni::error not_recovered(std::string const& path, std::string const& why) {
    return {cni::code::internal, "failed ipam state recovery due to the checkpoint " + path + ": " + why};
}
/// The faults, and what to do. A program wrote the file: what is wrong with an entry is often wrong with each.
inline std::string told(std::vector<config::fault> faults) {
    constexpr std::size_t most = 5;
    auto const unknown = std::ranges::count(faults, config::fault_kind::unknown_key, &config::fault::kind);
    bool const others = static_cast<std::size_t>(unknown) != faults.size();
    bool const too_many = faults.size() > most;
    if (too_many) faults.resize(most);
    std::string text{config::to_string(faults).view()};
    if (too_many) text += "\nand more";
    text += nothing_changed;
    if (unknown != 0)
        text += "a newer version may have written the unknown keys, and what they say would be lost: use the "
                "version that wrote the file, or remove them";
    if (unknown != 0 && others) text += "; ";
    if (others) text += repair;
    return text;
}
} // namespace detail

/// Upstream's bytes, but for the order of entries, which upstream leaves to chance: sorted by key. An entry a holding.
inline std::string checkpoint_text(state const& from) {
    return detail::checkpoint_text(
        [&](auto const& with) {
            for (assignment const& one : from.assignments)
                for (holding const& part : one.holdings) with(one, part);
        },
        from.assignments.size(), from.releases);
}
/// That of a datastore's state(card), without a copy of it.
inline std::string checkpoint_text(datastore const& from, std::optional<int> card) {
    return detail::checkpoint_text([&](auto const& with) { from.each_holding(card, with); },
                                   from.assignments().size(), from.releases(card));
}

/// Reads checkpoint_text(), and what every release of upstream writes. Throws cni::error; `path` is for the message.
inline state read_checkpoint(std::string_view text, std::string const& path) {
    auto const reading = config::read<checkpoint_file::document>(text, config::strict);
    if (!reading.ok()) throw detail::not_recovered(path, detail::told(reading.faults));
    std::map<pod_key, assignment> assignments;
    for (checkpoint_file::allocation const& one : reading.value.allocations) {
        pod_key const key{std::string{one.networkName}, std::string{one.containerID},
                          std::string{one.ifName}};
        assignment& to = assignments[key];
        to.key = key;
        to.pod = {std::string{one.metadata.k8sPodNamespace}, std::string{one.metadata.k8sPodName},
                  std::max(one.metadata.interfacesCount, 1)};
        to.since = detail::from_nanoseconds(one.allocationTimestamp);
        holding& part = to.holdings.emplace_back();
        for (auto const* address : {&one.ipv4, &one.ipv6})
            if (*address) part.addresses.push_back(**address);
    }
    state made;
    for (auto& [key, one] : assignments) made.assignments.push_back(std::move(one));
    for (checkpoint_file::release const& one : reading.value.releases)
        for (auto const* address : {&one.ipv4, &one.ipv6})
            if (*address)
                made.releases.push_back({**address, detail::from_nanoseconds(one.releaseTimestamp)});
    return made;
}

/// A checkpoint in a directory. Those who write it must exclude each other (sys::file_lock); readers need not.
class checkpoint {
  public:
    /// As many bytes as are read; 10,000 pods have 2 MB.
    static constexpr std::size_t largest = config::max_size;

    checkpoint(sys::directory const& in, std::string name) : in_{in}, name_{std::move(name)} {}

    std::string path() const { return in_.path(name_); }
    /// Empty if there is no file. Throws cni::error that names the file, the place and what is wrong there, or
    /// std::system_error.
    state load() const {
        auto const [bytes, why_not, kind] = in_.read(name_, largest);
        if (!why_not) return read_checkpoint(bytes, path());
        if (*why_not == sys::directory::unread::absent) return {};
        std::string what = *why_not == sys::directory::unread::too_large
                               ? "it has more than 4 MiB"
                               : std::string{"it is "} + kind + ", not a regular file";
        throw detail::not_recovered(path(), what.append(detail::nothing_changed).append(detail::repair));
    }
    /// As sys::replace_durably(), mode 0600. How many bytes. Throws cni::error if load() would refuse the size.
    std::size_t save(state const& now) const { return save(checkpoint_text(now)); }
    /// The same, given its text.
    std::size_t save(std::string_view text) const {
        if (text.size() > largest)
            throw cni::error{cni::code::internal, "the checkpoint " + path() + " would have more than 4 MiB"};
        sys::replace_durably(in_, name_, text, 0600);
        return text.size();
    }

  private:
    sys::directory const& in_;
    std::string name_;
};

} // namespace cnix::eni
