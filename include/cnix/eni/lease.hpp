#pragma once
#include <cnix/cni/result.hpp>
#include <cnix/eni/routing.hpp>
#include <cnix/net/mac.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

/// The ENI design of aws/amazon-vpc-cni-k8s ("upstream" below): pods have addresses of the cloud's own network, secondary ones
/// of the node's elastic network interfaces (ENIs), and are routed.
namespace cnix::eni {

/// What a pod has of one ENI: one interface of the pod.
struct allocation {
    std::vector<net::address> addresses{}; ///< at most one of a family, and at least one
    int device_number = 0;                 ///< of the ENI: 0 the primary one; -1 of a branch ENI
    std::uint32_t table = main_table;      ///< routes of what leaves from the addresses: table_of()

    friend bool operator==(allocation const&, allocation const&) = default;
};

/// The VLAN ID of a branch ENI, or 0. There is none that is_branch_vlan() refuses.
class branch_vlan {
  public:
    constexpr branch_vlan() = default;
    /// Throws std::invalid_argument.
    constexpr branch_vlan(std::uint16_t id) : id_{id} {
        if (id != 0 && !is_branch_vlan(id))
            throw std::invalid_argument{"no branch ENI may have the VLAN " + std::to_string(id)};
    }
    constexpr operator std::uint16_t() const noexcept { return id_; }

  private:
    std::uint16_t id_ = 0;
};

/// A branch ENI: a VLAN on the node's trunk ENI that is one pod's own, with security groups of its own.
struct branch {
    branch_vlan vlan{};
    net::mac mac{};         ///< of the branch ENI
    net::address gateway{}; ///< of its subnet
    int trunk = 0;          ///< interface index of the trunk ENI

    friend bool operator==(branch const&, branch const&) = default;
};

/// What link::eni_routed needs of an Ipam. `ips` has the addresses of all allocations in their order.
struct lease : cni::lease {
    /// One an interface of the pod: the first is CNI_IFNAME, the others mNicIf1, mNicIf2...
    std::vector<eni::allocation> allocations{};
    std::optional<eni::branch> branch{}; ///< then there is one allocation

    friend bool operator==(lease const&, lease const&) = default;
};

} // namespace cnix::eni
