#pragma once
#include <cnix/config/checker.hpp>
#include <cnix/config/path.hpp>
#include <cnix/net/address.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace cnix::eni {

/// Upstream's checkpointVersion, which never changed.
constexpr inline std::string_view checkpoint_version = "vpc-cni-ipam/1";

/// The members of the file, by their names in it.
namespace checkpoint_file {

/// Of a pod. All may be missing: upstream had none of it first.
struct metadata {
    config::text k8sPodNamespace{};
    config::text k8sPodName{};
    int interfacesCount = 0;
};

/// What a key has of one ENI.
struct allocation {
    config::text networkName{};
    config::text containerID{};
    config::text ifName{};
    std::optional<net::address> ipv4{};
    std::optional<net::address> ipv6{};
    std::int64_t allocationTimestamp = 0; ///< nanoseconds since the epoch
    checkpoint_file::metadata metadata{};
};

/// An address that was given back. The younger the address's release, the later it is assigned again.
struct release {
    std::optional<net::address> ipv4{};
    std::optional<net::address> ipv6{};
    std::int64_t releaseTimestamp = 0; ///< nanoseconds since the epoch
};

/// The whole.
struct document {
    config::text version{};
    std::vector<allocation> allocations{};
    std::vector<release> releases{};

    void check(config::checker& found) const {
        if (version != checkpoint_version)
            return found.fault("version", config::concat("unexpected checkpointVersion: `", version,
                                                         "`; it must be `", checkpoint_version, '`'));
        std::map<net::address, std::size_t> owners;
        for (std::size_t i = 0; i < allocations.size(); ++i) {
            allocation const& one = allocations[i];
            if (one.networkName.empty() || one.containerID.empty() || one.ifName.empty())
                found.fault(config::path("allocations", i),
                            "it needs `networkName`, `containerID` and `ifName`, by which it is released");
            check_families(one, "allocations", i, found);
            for (auto const* address : {&one.ipv4, &one.ipv6}) {
                if (!*address) continue;
                auto const [other, fresh] = owners.emplace(**address, i);
                if (!fresh)
                    found.fault(config::path("allocations", i, (*address)->is_v4() ? "ipv4" : "ipv6"),
                                config::concat("datastore: IP already in data store: ", (*address)->text(),
                                               " is also allocations[", other->second, "]'s"));
            }
        }
        for (std::size_t i = 0; i < releases.size(); ++i) check_families(releases[i], "releases", i, found);
    }

  private:
    static void check_families(auto const& one, std::string_view list, std::size_t i,
                               config::checker& found) {
        if (!one.ipv4 && !one.ipv6) found.fault(config::path(list, i), "there is neither `ipv4` nor `ipv6`");
        if (one.ipv4 && one.ipv4->is_v6())
            found.fault(config::path(list, i, "ipv4"), "this is an IPv6 address");
        if (one.ipv6 && one.ipv6->is_v4())
            found.fault(config::path(list, i, "ipv6"), "this is an IPv4 address");
    }
};

} // namespace checkpoint_file

} // namespace cnix::eni

BOOST_HANA_ADAPT_STRUCT(cnix::eni::checkpoint_file::metadata, k8sPodNamespace, k8sPodName, interfacesCount);
BOOST_HANA_ADAPT_STRUCT(cnix::eni::checkpoint_file::allocation, networkName, containerID, ifName, ipv4, ipv6,
                        allocationTimestamp, metadata);
BOOST_HANA_ADAPT_STRUCT(cnix::eni::checkpoint_file::release, ipv4, ipv6, releaseTimestamp);
BOOST_HANA_ADAPT_STRUCT(cnix::eni::checkpoint_file::document, version, allocations, releases);
