#pragma once
#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cnix::net {

/// The version of the Internet protocol.
enum class family : std::uint8_t { ipv4, ipv6 };

/// Bits of an address of the family: 32 or 128.
constexpr int bits(family f) noexcept { return f == family::ipv4 ? 32 : 128; }

/// Text of bounded size that needs no allocation; what the value types format into.
template <std::size_t Capacity> class short_text {
  public:
    constexpr void push(char c) { data_[size_++] = c; }
    constexpr void append(std::string_view s) {
        for (char c : s) push(c);
    }
    constexpr void append_number(unsigned value, unsigned base = 10) {
        char digits[10]{};
        std::size_t count = 0;
        do digits[count++] = "0123456789abcdef"[value % base];
        while (value /= base);
        while (count > 0) push(digits[--count]);
    }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr std::string_view view() const noexcept { return {data_.data(), size_}; }
    constexpr operator std::string_view() const noexcept { return view(); }
    std::string str() const { return std::string{view()}; }
    friend constexpr bool operator==(short_text const& a, std::string_view b) noexcept {
        return a.view() == b;
    }

  private:
    std::array<char, Capacity> data_{};
    std::size_t size_ = 0;
};

/// An IPv4 or IPv6 address. The text of an IPv4-mapped IPv6 address is read as the IPv4 address it maps, as by Go's net.IP,
/// so that one host has one spelling.
class address {
  public:
    static constexpr std::string_view form = "an IP address such as 10.1.0.1 or fd00::1";
    static constexpr bool empty_is_absent = true; ///< in a configuration, as Go reads a net.IP

    /// 0.0.0.0
    constexpr address() noexcept = default;

    static constexpr address v4(std::uint32_t host_order) noexcept {
        address a;
        a.low_ = host_order;
        return a;
    }
    /// From the two halves in host order.
    static constexpr address v6(std::uint64_t high, std::uint64_t low) noexcept {
        address a;
        a.family_ = family::ipv6;
        a.high_ = high;
        a.low_ = low;
        return a;
    }
    /// From 4 or 16 bytes in network order; nothing for any other size.
    static constexpr std::optional<address> from_bytes(std::span<std::uint8_t const> bytes) noexcept {
        if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
        std::uint64_t high = 0, low = 0;
        for (std::uint8_t byte : bytes) {
            high = high << 8 | low >> 56;
            low = low << 8 | byte;
        }
        return bytes.size() == 4 ? v4(static_cast<std::uint32_t>(low)) : v6(high, low);
    }

    /// Dotted decimal without leading zeros (as Go since 1.17, RFC 6943 3.1.1), or RFC 4291 2.2 without a zone.
    static constexpr std::optional<address> parse(std::string_view text) noexcept {
        if (auto const a = parse_v4(text)) return a;
        return parse_v6(text);
    }
    /// The first of the two forms. By pointers, which a compiler's own evaluation walks at a fraction of an index's cost.
    static constexpr std::optional<address> parse_v4(std::string_view text) noexcept {
        char const* at = text.data();
        char const* const end = at + text.size();
        std::uint32_t value = 0;
        for (int part = 0; part < 4; ++part) {
            if (part > 0 && (at == end || *at++ != '.')) return std::nullopt;
            char const* const begin = at;
            std::uint32_t octet = 0;
            while (at != end && *at >= '0' && *at <= '9' && at - begin < 4)
                octet = octet * 10 + static_cast<std::uint32_t>(*at++ - '0');
            bool const leading_zero = at - begin > 1 && *begin == '0';
            if (at == begin || octet > 255 || leading_zero) return std::nullopt;
            value = value << 8 | octet;
        }
        if (at != end) return std::nullopt;
        return v4(value);
    }
    /// The second one, that of an IPv4-mapped address included.
    static constexpr std::optional<address> parse_v6(std::string_view text) noexcept {
        std::array<std::uint16_t, 8> groups{};
        constexpr std::size_t nowhere = 9;
        std::size_t count = 0, gap = nowhere; // gap: where "::" stands
        std::size_t at = 0;
        if (text.starts_with("::")) gap = 0, at = 2;
        while (at < text.size()) {
            if (count == 8) return std::nullopt;
            std::string_view const rest = text.substr(at);
            if (rest.find(':') == std::string_view::npos && rest.find('.') != std::string_view::npos) {
                auto const tail = parse_v4(rest);
                if (!tail || count > 6) return std::nullopt;
                groups[count++] = static_cast<std::uint16_t>(tail->low_ >> 16);
                groups[count++] = static_cast<std::uint16_t>(tail->low_);
                at = text.size();
                break;
            }
            std::size_t const begin = at;
            unsigned value = 0;
            while (at < text.size() && hex_digit(text[at]) >= 0 && at - begin < 5)
                value = value * 16 + static_cast<unsigned>(hex_digit(text[at++]));
            if (at == begin || at - begin > 4) return std::nullopt;
            groups[count++] = static_cast<std::uint16_t>(value);
            if (at == text.size()) break;
            if (text[at++] != ':' || at == text.size()) return std::nullopt;
            if (text[at] == ':') {
                if (gap != nowhere) return std::nullopt;
                gap = count;
                ++at;
            }
        }
        if (gap == nowhere ? count != 8 : count == 8) return std::nullopt;
        if (gap != nowhere) {
            std::size_t const moved = count - gap;
            for (std::size_t i = 0; i < moved; ++i) {
                groups[7 - i] = groups[count - 1 - i];
                if (7 - i != count - 1 - i) groups[count - 1 - i] = 0;
            }
        }
        std::uint64_t high = 0, low = 0;
        for (std::size_t i = 0; i < 4; ++i) high = high << 16 | groups[i];
        for (std::size_t i = 4; i < 8; ++i) low = low << 16 | groups[i];
        if (high == 0 && low >> 32 == 0xffff) return v4(static_cast<std::uint32_t>(low));
        return v6(high, low);
    }

    constexpr net::family family() const noexcept { return family_; }
    constexpr bool is_v4() const noexcept { return family_ == family::ipv4; }
    constexpr bool is_v6() const noexcept { return family_ == family::ipv6; }
    /// 0.0.0.0 or ::
    constexpr bool is_unspecified() const noexcept { return high_ == 0 && low_ == 0; }
    constexpr bool is_multicast() const noexcept { return is_v4() ? low_ >> 28 == 0xe : high_ >> 56 == 0xff; }
    /// 169.254.0.0/16 or fe80::/10
    constexpr bool is_link_local() const noexcept {
        return is_v4() ? low_ >> 16 == 0xa9fe : high_ >> 54 == 0x3fa;
    }
    /// 127.0.0.0/8 or ::1
    constexpr bool is_loopback() const noexcept {
        return is_v4() ? low_ >> 24 == 127 : high_ == 0 && low_ == 1;
    }

    /// Host order; only for an IPv4 address.
    constexpr std::uint32_t v4_value() const noexcept { return static_cast<std::uint32_t>(low_); }
    constexpr std::uint64_t high() const noexcept { return high_; }
    constexpr std::uint64_t low() const noexcept { return low_; }

    /// Network order; the first size() bytes are the address.
    constexpr std::array<std::uint8_t, 16> bytes() const noexcept {
        std::array<std::uint8_t, 16> out{};
        if (is_v4()) {
            for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(low_ >> (24 - 8 * i));
        } else {
            for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(high_ >> (56 - 8 * i));
            for (std::size_t i = 0; i < 8; ++i) out[i + 8] = static_cast<std::uint8_t>(low_ >> (56 - 8 * i));
        }
        return out;
    }
    constexpr std::size_t size() const noexcept { return is_v4() ? 4 : 16; }

    /// The next address; after the family's last one comes its first.
    constexpr address next() const noexcept { return *this + 1; }
    constexpr address previous() const noexcept { return *this - 1; }
    constexpr address operator+(std::uint64_t n) const noexcept {
        address a = *this;
        a.low_ += n;
        if (is_v4())
            a.low_ &= 0xffff'ffff;
        else if (a.low_ < low_)
            ++a.high_;
        return a;
    }
    constexpr address operator-(std::uint64_t n) const noexcept {
        address a = *this;
        a.low_ -= n;
        if (is_v4())
            a.low_ &= 0xffff'ffff;
        else if (a.low_ > low_)
            --a.high_;
        return a;
    }

    /// The first `length` bits kept, the others cleared.
    constexpr address masked(int length) const noexcept {
        if (is_v4()) return v4(length == 0 ? 0 : v4_value() & ~std::uint32_t{0} << (32 - length));
        auto const mask = [](int n) {
            return n <= 0 ? 0 : n >= 64 ? ~std::uint64_t{0} : ~std::uint64_t{0} << (64 - n);
        };
        return v6(high_ & mask(length), low_ & mask(length - 64));
    }
    /// The first `length` bits kept, the others set.
    constexpr address filled(int length) const noexcept {
        if (is_v4()) return v4(length == 32 ? v4_value() : v4_value() | ~std::uint32_t{0} >> length);
        auto const mask = [](int n) {
            return n <= 0 ? ~std::uint64_t{0} : n >= 64 ? 0 : ~std::uint64_t{0} >> n;
        };
        return v6(high_ | mask(length), low_ | mask(length - 64));
    }

    /// Dotted decimal, or RFC 5952 (with its section 5: "::ffff:10.0.0.1").
    constexpr short_text<40> text() const noexcept {
        short_text<40> out;
        if (is_v4()) {
            for (int shift = 24; shift >= 0; shift -= 8) {
                if (shift != 24) out.push('.');
                out.append_number(v4_value() >> shift & 0xff);
            }
            return out;
        }
        if (high_ == 0 && low_ >> 32 == 0xffff) {
            out.append("::ffff:");
            out.append(v4(static_cast<std::uint32_t>(low_)).text());
            return out;
        }
        auto const group = [this](int i) {
            return static_cast<unsigned>((i < 4 ? high_ : low_) >> (48 - 16 * (i % 4)) & 0xffff);
        };
        int best = 8, longest = 1; // the first longest run of at least two zero groups becomes "::"
        for (int i = 0; i < 8;) {
            int end = i;
            while (end < 8 && group(end) == 0) ++end;
            if (end - i > longest) best = i, longest = end - i;
            i = end + 1;
        }
        for (int i = 0; i < 8; ++i) {
            if (i == best) {
                out.append("::");
                i += longest - 1;
                continue;
            }
            if (i != 0 && i != best + longest) out.push(':');
            out.append_number(group(i), 16);
        }
        return out;
    }
    std::string str() const { return text().str(); }

    /// IPv4 sorts before IPv6; within a family by value.
    friend constexpr auto operator<=>(address const&, address const&) noexcept = default;

  private:
    static constexpr int hex_digit(char c) noexcept {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    }

    net::family family_ = family::ipv4;
    std::uint64_t high_ = 0;
    std::uint64_t low_ = 0;
};

} // namespace cnix::net
