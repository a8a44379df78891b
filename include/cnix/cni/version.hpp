#pragma once
#include <cnix/cni/verb.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::cni {

/// A version of the CNI spec that cnix speaks. Ordered by age.
class version {
  public:
    static constexpr std::string_view form =
        "a CNI version: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0 or 1.1.0";
    static constexpr std::array<std::string_view, 7> texts{"0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                                           "0.4.0", "1.0.0", "1.1.0"};

    static version const v0_1_0, v0_2_0, v0_3_0, v0_3_1, v0_4_0, v1_0_0, v1_1_0;

    /// 0.1.0, which is also what a configuration or result without a version has.
    constexpr version() noexcept = default;

    /// One of the texts exactly; the empty one is 0.1.0.
    static constexpr std::optional<version> parse(std::string_view text) noexcept {
        if (text.empty()) return version{};
        for (std::size_t i = 0; i < texts.size(); ++i)
            if (texts[i] == text) return version{i};
        return std::nullopt;
    }

    constexpr std::string_view text() const noexcept { return texts[index_]; }
    constexpr operator std::string_view() const noexcept { return text(); }
    std::string str() const { return std::string{text()}; }

    /// Whether the spec of this version has the verb: CHECK since 0.4.0, GC and STATUS since 1.1.0. VERSION
    /// counts as always there, a runtime asks with it before it knows any version.
    constexpr bool allows(verb v) const noexcept;

    friend constexpr auto operator<=>(version const&, version const&) noexcept = default;

  private:
    constexpr explicit version(std::size_t index) noexcept : index_{static_cast<std::uint8_t>(index)} {}

    std::uint8_t index_ = 0;
};

constexpr inline version version::v0_1_0{0};
constexpr inline version version::v0_2_0{1};
constexpr inline version version::v0_3_0{2};
constexpr inline version version::v0_3_1{3};
constexpr inline version version::v0_4_0{4};
constexpr inline version version::v1_0_0{5};
constexpr inline version version::v1_1_0{6};

/// The first version whose spec has the verb.
constexpr version first_with(verb v) noexcept {
    switch (v) {
    case verb::check:
        return version::v0_4_0;
    case verb::gc:
    case verb::status:
        return version::v1_1_0;
    case verb::add:
    case verb::del:
    case verb::version:
        break;
    }
    return version::v0_1_0;
}

constexpr bool version::allows(verb v) const noexcept { return *this >= first_with(v); }

namespace detail {
inline std::string join_versions(std::string_view before, std::string_view between, std::string_view after) {
    std::string out{before};
    for (std::size_t i = 0; i < version::texts.size(); ++i)
        out.append(i == 0 ? "" : between).append(version::texts[i]);
    return out.append(after);
}
} // namespace detail

/// What VERSION prints, with its newline. `cniVersion` is the newest version, as containernetworking/cni has
/// it; the spec's text would have the runtime's own sent back, which no runtime looks at.
inline std::string version_output() {
    return "{\"cniVersion\":\"" + version::v1_1_0.str() +
           "\",\"supportedVersions\":" + detail::join_versions("[\"", "\",\"", "\"]}\n");
}

/// What a plugin says on standard error to somebody who calls it without CNI_COMMAND.
inline std::string about_text(std::string_view plugin, std::string_view plugin_version) {
    return "CNI " + std::string{plugin} + " plugin " + std::string{plugin_version} +
           detail::join_versions("\nCNI protocol versions supported: ", ", ", "\n");
}

} // namespace cnix::cni
