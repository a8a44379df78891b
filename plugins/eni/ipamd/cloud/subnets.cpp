#include <ipamd/cloud/subnets.hpp>

#include <algorithm>
#include <utility>

namespace cnix::ipamd {

namespace {

constexpr char const* role = "kubernetes.io/role/cni";
constexpr std::string_view cluster_tag = "cni.networking.k8s.aws/cluster/";

bool is_excluded(reply::subnet const& one) {
    auto const tag = one.tags.find(role);
    return tag != one.tags.end() && tag->second == "0";
}

bool is_for(reply::subnet const& one, std::string const& primary, std::string const& cluster) {
    if (is_excluded(one)) return false;
    if (!one.tags.contains(role)) return one.id == primary;
    auto const of_cluster = [](auto const& tag) { return tag.first.starts_with(cluster_tag); };
    return std::ranges::none_of(one.tags, of_cluster) ||
           one.tags.contains(std::string{cluster_tag} + cluster);
}

} // namespace

std::vector<std::string> subnets_for_enis(std::vector<reply::subnet> all, std::string const& primary,
                                          std::string const& cluster) {
    std::ranges::sort(all, {}, [](auto const& one) { return std::pair{-one.available, one.id}; });
    std::vector<std::string> chosen;
    for (auto const& one : all)
        if (is_for(one, primary, cluster)) chosen.push_back(one.id);
    return chosen;
}

std::vector<std::string> excluded_subnets(std::span<reply::subnet const> all) {
    std::vector<std::string> found;
    for (auto const& one : all)
        if (is_excluded(one)) found.push_back(one.id);
    return found;
}

} // namespace cnix::ipamd
