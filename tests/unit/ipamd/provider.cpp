#include <ipamd/provider.hpp>

#include <doctest/doctest.h>

using namespace cnix;

/// Not all of what they have is looked at: not in an anonymous namespace, where clang would want it to be.
namespace models {

struct only_looks : archetypes::provider {
    using archetypes::provider::provider;
};
struct looks_without_stop {
    static constexpr std::string_view name = "bad";
    static constexpr bool changes = false;
    explicit looks_without_stop(ipamd::provider_settings);
    ipamd::cloud_node look(bool verify);
};
struct says_it_changes {
    static constexpr std::string_view name = "bad";
    static constexpr bool changes = true;
    explicit says_it_changes(ipamd::provider_settings);
    ipamd::cloud_node look(bool verify, std::stop_token);
};
struct has_no_name {
    static constexpr bool changes = false;
    explicit has_no_name(ipamd::provider_settings);
    ipamd::cloud_node look(bool verify, std::stop_token);
};
struct takes_no_settings {
    static constexpr std::string_view name = "bad";
    static constexpr bool changes = false;
    ipamd::cloud_node look(bool verify, std::stop_token);
};
static_assert(provider_policy<only_looks>);
static_assert(!provider_policy<looks_without_stop>);
static_assert(!provider_policy<says_it_changes>);
static_assert(!provider_policy<has_no_name>);
static_assert(!provider_policy<takes_no_settings>);

} // namespace models

TEST_CASE("each trouble has a name of its own") {
    std::vector<std::string_view> names;
    for (int kind = 0; kind <= static_cast<int>(ipamd::trouble::other); ++kind)
        names.push_back(ipamd::name(static_cast<ipamd::trouble>(kind)));
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
    CHECK(std::ranges::find(names, "unknown") == names.end());
}
