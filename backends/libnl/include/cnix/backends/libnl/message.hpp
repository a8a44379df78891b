#pragma once
#include <cnix/net/mac.hpp>
#include <cnix/net/prefix.hpp>
#include <cnix/sys/errors.hpp>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <linux/rtnetlink.h>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::backends::rtnl {

struct free_message {
    void operator()(nl_msg* message) const noexcept { nlmsg_free(message); }
};
using message_ptr = std::unique_ptr<nl_msg, free_message>;

constexpr std::uint8_t address_family(net::family family) noexcept {
    return family == net::family::ipv4 ? AF_INET : AF_INET6;
}

/// A request under construction: netlink header, the message type's own header, then attributes.
class request {
  public:
    template <class Header>
    request(int type, int flags, Header const& header) : message_{nlmsg_alloc_simple(type, flags)} {
        if (!message_) throw std::bad_alloc{};
        append(header);
    }

    void u8(int type, std::uint8_t value) { put(type, &value, sizeof value); }
    void u16(int type, std::uint16_t value) { put(type, &value, sizeof value); }
    void u32(int type, std::uint32_t value) { put(type, &value, sizeof value); }
    /// An interface's index, or a descriptor: the kernel's attributes for them are 32 bits wide.
    void number(int type, int value) { put(type, &value, sizeof value); }
    /// With the terminating zero that the kernel asks of names.
    void text(int type, std::string_view value) {
        std::string const terminated{value};
        put(type, terminated.c_str(), terminated.size() + 1);
    }
    void bytes(int type, std::string_view value) { put(type, value.data(), value.size()); }
    void mac(int type, net::mac const& value) { put(type, value.bytes().data(), value.bytes().size()); }
    void address(int type, net::address const& value) {
        auto const bytes = value.bytes();
        put(type, bytes.data(), value.size());
    }
    template <class Struct> void data(int type, Struct const& value) { put(type, &value, sizeof value); }

    /// An attribute that holds what `fill` puts; left out if that is nothing.
    template <class Fill> void nest(int type, Fill fill) {
        nlattr* const start = nla_nest_start(message_.get(), type);
        if (start == nullptr) too_long();
        fill();
        nla_nest_end(message_.get(), start);
    }

    /// A header inside an attribute (VETH_INFO_PEER begins with an ifinfomsg).
    template <class Header> void append(Header header) {
        if (nlmsg_append(message_.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) too_long();
    }

    nl_msg* get() const noexcept { return message_.get(); }

  private:
    void put(int type, void const* value, std::size_t size) {
        if (nla_put(message_.get(), type, static_cast<int>(size), value) < 0) too_long();
    }
    [[noreturn]] static void too_long() {
        sys::throw_errno(EMSGSIZE, "build a netlink message longer than a page");
    }

    message_ptr message_;
};

/// The attributes of a received message or of a nest, by type. An attribute that is absent or too short for
/// what is asked of it is the fallback: later kernels may leave out what this one sends, and lengthen, never
/// shorten.
template <int Max> class attributes {
  public:
    /// Of a message whose own header is a `Header`.
    template <class Header> static attributes of(nlmsghdr* message, Header const&) {
        attributes found;
        if (nlmsg_parse(message, sizeof(Header), found.table_.data(), Max, nullptr) < 0)
            found.table_.fill(nullptr);
        return found;
    }
    /// Of a nest; of null, none.
    static attributes in(nlattr* nest) {
        attributes found;
        if (nest != nullptr && nla_parse_nested(found.table_.data(), Max, nest, nullptr) < 0)
            found.table_.fill(nullptr);
        return found;
    }
    /// Of a stretch of attributes.
    static attributes among(nlattr* head, int size) {
        attributes found;
        if (nla_parse(found.table_.data(), Max, head, size, nullptr) < 0) found.table_.fill(nullptr);
        return found;
    }

    nlattr* operator[](int type) const noexcept { return table_[static_cast<std::size_t>(type)]; }
    bool has(int type) const noexcept { return (*this)[type] != nullptr; }

    template <class Number> Number number(int type, Number fallback = {}) const noexcept {
        if (!has(type) || nla_len((*this)[type]) < static_cast<int>(sizeof(Number))) return fallback;
        Number value;
        std::memcpy(&value, nla_data((*this)[type]), sizeof value);
        return value;
    }
    std::string_view text(int type) const noexcept {
        if (!has(type)) return {};
        auto const* const data = static_cast<char const*>(nla_data((*this)[type]));
        return {data, ::strnlen(data, static_cast<std::size_t>(nla_len((*this)[type])))};
    }
    /// Zero for an interface without a 6-byte address.
    net::mac mac(int type) const noexcept {
        std::array<std::uint8_t, 6> bytes{};
        if (has(type) && nla_len((*this)[type]) == static_cast<int>(bytes.size()))
            std::memcpy(bytes.data(), nla_data((*this)[type]), bytes.size());
        return net::mac{bytes};
    }
    std::optional<net::address> address(int type) const noexcept {
        if (!has(type)) return std::nullopt;
        return net::address::from_bytes({static_cast<std::uint8_t const*>(nla_data((*this)[type])),
                                         static_cast<std::size_t>(nla_len((*this)[type]))});
    }

  private:
    std::array<nlattr*, Max + 1> table_{};
};

/// A received message's own header; nothing if the message is shorter.
template <class Header> std::optional<Header> header_of(nl_msg* received) noexcept {
    nlmsghdr* const netlink = nlmsg_hdr(received);
    if (nlmsg_datalen(netlink) < static_cast<int>(sizeof(Header))) return std::nullopt;
    Header header;
    std::memcpy(&header, nlmsg_data(netlink), sizeof header);
    return header;
}

} // namespace cnix::backends::rtnl
