#pragma once
#include <cnix/net/address.hpp>

namespace cnix::net {

/// A network interface's name: 1 to 15 bytes (IFNAMSIZ - 1), not "." or "..", without '/', ':' or white space
/// (dev_valid_name in net/core/dev.c). White space is Latin-1's, byte by byte: the kernel refuses 0xa0, the second byte
/// of some letters in UTF-8. Refused here besides: '%', which it would expand ("eth%d"), control characters, and the names
/// of the settings for all interfaces below net/ipv4/conf and net/ipv6/conf (sysctl_dev_name_is_allowed in
/// net/ipv6/addrconf.c: such an interface gets no IPv6).
class interface_name {
  public:
    static constexpr std::size_t max_size = 15;
    static constexpr std::string_view form =
        "an interface name of 1 to 15 bytes without '/', ':', '%' or white space, not `all` "
        "or `default`";

    static constexpr std::optional<interface_name> parse(std::string_view text) noexcept {
        if (text.empty() || text.size() > max_size || text == "." || text == ".." || text == "all" ||
            text == "default")
            return std::nullopt;
        for (char c : text)
            if (c == '/' || c == ':' || c == '%' || (c >= '\0' && c <= ' ') || c == '\x7f' || c == '\xa0')
                return std::nullopt;
        interface_name name;
        name.text_.append(text);
        return name;
    }

    constexpr std::string_view view() const noexcept { return text_.view(); }
    constexpr operator std::string_view() const noexcept { return view(); }
    std::string str() const { return text_.str(); }

    friend constexpr bool operator==(interface_name const& a, interface_name const& b) noexcept {
        return a.view() == b.view();
    }
    friend constexpr auto operator<=>(interface_name const& a, interface_name const& b) noexcept {
        return a.view() <=> b.view();
    }

  private:
    constexpr interface_name() noexcept = default;

    short_text<max_size> text_;
};

inline namespace literals {
/// An interface name known when compiling: "cni0"_ifname. A bad one does not compile.
consteval interface_name operator""_ifname(char const* text, std::size_t size) {
    return interface_name::parse({text, size}).value();
}
} // namespace literals

} // namespace cnix::net
