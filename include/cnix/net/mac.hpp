#pragma once
#include <cnix/net/address.hpp>

namespace cnix::net {

/// An EUI-48 hardware address.
class mac {
  public:
    static constexpr std::string_view form = "a MAC address such as 02:42:ac:11:00:02";
    static constexpr bool empty_is_absent = true; ///< in a configuration, as for the reference

    /// 00:00:00:00:00:00
    constexpr mac() noexcept = default;
    constexpr explicit mac(std::array<std::uint8_t, 6> bytes) noexcept : bytes_{bytes} {}

    /// Six pairs of hex digits separated by ':' or '-' throughout, or three groups of four separated by '.'.
    static constexpr std::optional<mac> parse(std::string_view text) noexcept {
        bool const dotted = text.size() == 14;
        if (!dotted && text.size() != 17) return std::nullopt;
        std::size_t const group = dotted ? 4 : 2;
        char const separator = text[group];
        if (dotted ? separator != '.' : separator != ':' && separator != '-') return std::nullopt;
        std::array<std::uint8_t, 6> bytes{};
        std::size_t digits = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            char const c = text[i];
            if (i % (group + 1) == group) {
                if (c != separator) return std::nullopt;
                continue;
            }
            int const value = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (value < 0) return std::nullopt;
            auto& byte = bytes[digits++ / 2];
            byte = static_cast<std::uint8_t>(byte << 4 | value);
        }
        return mac{bytes};
    }

    constexpr std::array<std::uint8_t, 6> const& bytes() const noexcept { return bytes_; }
    constexpr bool is_zero() const noexcept { return *this == mac{}; }
    /// The group bit (IEEE 802, least significant bit of the first byte); an interface cannot have such an address.
    constexpr bool is_multicast() const noexcept { return (bytes_[0] & 1) != 0; }

    /// Lower case, ':' between the bytes.
    constexpr short_text<18> text() const noexcept {
        short_text<18> out;
        for (std::size_t i = 0; i < bytes_.size(); ++i) {
            if (i > 0) out.push(':');
            out.push("0123456789abcdef"[bytes_[i] >> 4]);
            out.push("0123456789abcdef"[bytes_[i] & 15]);
        }
        return out;
    }
    std::string str() const { return text().str(); }

    friend constexpr auto operator<=>(mac const&, mac const&) noexcept = default;

  private:
    std::array<std::uint8_t, 6> bytes_{};
};

} // namespace cnix::net
