#pragma once
#include <cnix/net/address.hpp>

namespace cnix::net {

/// An address with the length of its network part (CIDR). Host bits are kept: "10.1.0.5/16" is an interface's
/// address, "10.1.0.0/16" its network.
class prefix {
  public:
    static constexpr std::string_view form =
        "an address with a prefix length such as 10.1.0.0/16 or fd00::/64";

    /// 0.0.0.0/0
    constexpr prefix() noexcept = default;
    /// Nothing if the length is not in 0..bits(family).
    static constexpr std::optional<prefix> make(net::address a, int length) noexcept {
        if (length < 0 || length > bits(a.family())) return std::nullopt;
        return prefix{a, length};
    }
    /// The address alone: /32 or /128.
    static constexpr prefix host(net::address a) noexcept { return {a, bits(a.family())}; }
    /// 0.0.0.0/0 or ::/0
    static constexpr prefix any(net::family f) noexcept {
        return {f == family::ipv4 ? net::address::v4(0) : net::address::v6(0, 0), 0};
    }

    /// "ADDRESS/LENGTH", the length in decimal (Go takes leading zeros, so they are taken). An IPv4-mapped IPv6 address is
    /// refused: its length would count bits of another family.
    static constexpr std::optional<prefix> parse(std::string_view text) noexcept {
        char const* const end = text.data() + text.size();
        char const* at = text.data();
        while (at != end && *at != '/') ++at;
        if (at == end) return std::nullopt;
        std::string_view const alone{text.data(), static_cast<std::size_t>(at - text.data())};
        auto a = net::address::parse_v4(alone);
        if (!a) {
            a = net::address::parse_v6(alone);
            if (!a || a->is_v4()) return std::nullopt;
        }
        if (++at == end) return std::nullopt;
        int const most = bits(a->family());
        int length = 0;
        for (; at != end; ++at) {
            if (*at < '0' || *at > '9') return std::nullopt;
            length = length * 10 + (*at - '0');
            if (length > most) return std::nullopt;
        }
        return prefix{*a, length};
    }

    constexpr net::address const& address() const noexcept { return address_; }
    constexpr int length() const noexcept { return length_; }
    constexpr net::family family() const noexcept { return address_.family(); }
    constexpr bool is_v4() const noexcept { return address_.is_v4(); }
    constexpr bool is_v6() const noexcept { return address_.is_v6(); }
    constexpr bool is_default_route() const noexcept { return length_ == 0 && address_.is_unspecified(); }

    /// The prefix without host bits.
    constexpr prefix network() const noexcept { return {first(), length_}; }
    constexpr bool has_host_bits() const noexcept { return first() != address_; }
    /// The network's lowest and highest address.
    constexpr net::address first() const noexcept { return address_.masked(length_); }
    constexpr net::address last() const noexcept { return address_.filled(length_); }

    constexpr bool contains(net::address const& a) const noexcept {
        return a.family() == family() && a.masked(length_) == first();
    }
    constexpr bool overlaps(prefix const& other) const noexcept {
        return contains(other.first()) || other.contains(first());
    }

    constexpr short_text<44> text() const noexcept {
        short_text<44> out;
        out.append(address_.text());
        out.push('/');
        out.append_number(static_cast<unsigned>(length_));
        return out;
    }
    std::string str() const { return text().str(); }

    friend constexpr auto operator<=>(prefix const&, prefix const&) noexcept = default;

  private:
    constexpr prefix(net::address a, int length) noexcept : address_{a}, length_{length} {}

    net::address address_;
    int length_ = 0;
};

} // namespace cnix::net
