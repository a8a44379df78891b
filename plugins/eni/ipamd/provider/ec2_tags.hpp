#pragma once
#include <string_view>

/// Tags of ENIs: upstream's, so that its programs and this one know each other's ENIs.
namespace cnix::provider::tag {

constexpr inline std::string_view instance = "node.k8s.amazonaws.com/instance_id"; ///< who made it
constexpr inline std::string_view created = "node.k8s.amazonaws.com/createdAt";    ///< RFC 3339
constexpr inline std::string_view no_manage = "node.k8s.amazonaws.com/no_manage";  ///< "true": leave it alone
constexpr inline std::string_view cluster = "cluster.k8s.amazonaws.com/name";
constexpr inline std::string_view owner = "eks:eni:owner"; ///< of a cluster that has a name: "amazon-vpc-cni"
constexpr inline std::string_view reserved = "k8s.amazonaws.com"; ///< no further tag's key may contain it

} // namespace cnix::provider::tag
