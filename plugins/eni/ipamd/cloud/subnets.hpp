#pragma once
#include <ipamd/cloud/reply.hpp>

#include <span>

namespace cnix::ipamd {

/// Where new ENIs may be made, first tried first: those with most free addresses, of equals by ID. A subnet is taken as its tags say:
///
///   kubernetes.io/role/cni = 0            never
///   no kubernetes.io/role/cni             only the primary ENI's own
///   kubernetes.io/role/cni = other        yes, unless it has cni.networking.k8s.aws/cluster/NAME tags and none of this cluster's
std::vector<std::string> subnets_for_enis(std::vector<reply::subnet>, std::string const& primary,
                                          std::string const& cluster);

/// Those whose ENIs' addresses pods are not to have: kubernetes.io/role/cni = 0.
std::vector<std::string> excluded_subnets(std::span<reply::subnet const>);

} // namespace cnix::ipamd
