#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace cnix::cni {

/// CNI_COMMAND
enum class verb { add, del, check, gc, status, version };

namespace detail {
constexpr inline std::array<std::string_view, 6> verb_texts{"ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"};
} // namespace detail

/// As CNI_COMMAND spells it.
constexpr std::string_view text(verb v) noexcept { return detail::verb_texts[static_cast<std::size_t>(v)]; }

/// In exactly that spelling.
constexpr std::optional<verb> parse_verb(std::string_view text) noexcept {
    for (std::size_t i = 0; i < detail::verb_texts.size(); ++i)
        if (detail::verb_texts[i] == text) return static_cast<verb>(i);
    return std::nullopt;
}

} // namespace cnix::cni
