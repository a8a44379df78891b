#pragma once
#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::cni {

/// Text that matches ^[a-zA-Z0-9][a-zA-Z0-9_.-]*$ (CNI spec 1.1.0, "Parameters"), and so may stand in a path, a
/// command or a rule's comment as it is. Its length has no bound of its own: a path component holds 255 bytes.
template <class Tag> class identifier {
  public:
    static constexpr bool valid(std::string_view text) noexcept {
        auto const alphanumeric = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        };
        if (text.empty() || !alphanumeric(text.front())) return false;
        for (char c : text)
            if (!alphanumeric(c) && c != '_' && c != '.' && c != '-') return false;
        return true;
    }
    static std::optional<identifier> parse(std::string_view text) {
        if (!valid(text)) return std::nullopt;
        return identifier{std::string{text}};
    }

    std::string const& str() const noexcept { return text_; }
    operator std::string_view() const noexcept { return text_; }

    friend auto operator<=>(identifier const&, identifier const&) = default;

  private:
    explicit identifier(std::string text) : text_{std::move(text)} {}

    std::string text_;
};

/// CNI_CONTAINERID
using container_id = identifier<struct container_id_tag>;
/// `name` of a network configuration
using network_name = identifier<struct network_name_tag>;

} // namespace cnix::cni
