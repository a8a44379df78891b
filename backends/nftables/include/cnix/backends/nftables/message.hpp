#pragma once
#include <cnix/concepts/nft_backend.hpp>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace cnix::backends::detail {

/// A request to nf_tables, one of NFT_MSG_* of linux/netfilter/nf_tables.h.
class nft_message {
  public:
    nft_message(int type, int flags, nft::table_id const& table)
        : nft_message{NFNL_SUBSYS_NFTABLES << 8 | type, flags, family_number(table.family), 0} {}
    /// NFNL_MSG_BATCH_BEGIN or _END, between which stands a transaction.
    static nft_message bracket(int type) { return {type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES}; }

    ::nl_msg* get() { return message_.get(); }
    void text(int type, std::string_view value) {
        enough(::nla_put_string(get(), type, std::string{value}.c_str()));
    }
    void bytes(int type, void const* data, std::size_t size) {
        enough(::nla_put(get(), type, static_cast<int>(size), data));
    }
    /// nf_tables' numbers have network byte order.
    void number(int type, std::uint32_t value) { enough(::nla_put_u32(get(), type, htonl(value))); }

  private:
    nft_message(int type, int flags, std::uint8_t family, std::uint16_t resource)
        : message_{::nlmsg_alloc_simple(type, NLM_F_REQUEST | flags), ::nlmsg_free} {
        if (!message_) throw std::bad_alloc{};
        ::nfgenmsg header{};
        header.nfgen_family = family;
        header.version = NFNETLINK_V0;
        header.res_id = htons(resource);
        enough(::nlmsg_append(get(), &header, sizeof header, NLMSG_ALIGNTO));
    }
    static std::uint8_t family_number(std::string_view family) {
        if (family == "inet") return NFPROTO_INET;
        if (family == "bridge") return NFPROTO_BRIDGE;
        if (family == "ip") return NFPROTO_IPV4;
        if (family == "ip6") return NFPROTO_IPV6;
        throw std::invalid_argument{"nftables: unknown family " + std::string{family}};
    }
    static void enough(int error) {
        if (error < 0) throw std::length_error{"nftables: a request does not fit into a netlink message"};
    }
    std::unique_ptr<::nl_msg, decltype(&::nlmsg_free)> message_;
};

/// An attribute of a message that holds those which are added while this object lives.
class nft_nesting {
  public:
    nft_nesting(nft_message& outer, int type) : outer_{outer}, start_{::nla_nest_start(outer.get(), type)} {
        if (!start_) throw std::length_error{"nftables: a request does not fit into a netlink message"};
    }
    nft_nesting(nft_nesting const&) = delete;
    nft_nesting& operator=(nft_nesting const&) = delete;
    ~nft_nesting() { ::nla_nest_end(outer_.get(), start_); }

  private:
    nft_message& outer_;
    ::nlattr* start_;
};

/// Keys as nf_tables has them.
struct nft_key {
    static std::vector<std::uint8_t> encode(nft::key_type type, nft::key const& key) {
        std::vector<std::uint8_t> bytes;
        auto const put_port = [&](net::interface_name const& port) {
            bytes.assign(port.view().begin(), port.view().end());
            bytes.resize(IFNAMSIZ);
        };
        switch (type) {
        case nft::key_type::ipv4:
        case nft::key_type::ipv6: {
            auto const& address = std::get<net::address>(key);
            auto const all = address.bytes();
            bytes.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(address.size()));
            break;
        }
        case nft::key_type::port:
            put_port(std::get<net::interface_name>(key));
            break;
        case nft::key_type::port_mac:
            put_port(std::get<nft::port_mac>(key).port);
            for (auto byte : std::get<nft::port_mac>(key).mac.bytes()) bytes.push_back(byte);
            bytes.resize(mac_at + 8);
        }
        return bytes;
    }

    static nft::key decode(nft::key_type type, std::vector<std::uint8_t> const& bytes) {
        auto const port = [&] {
            auto const* text = reinterpret_cast<char const*>(bytes.data());
            return net::interface_name::parse(
                {text, ::strnlen(text, std::min<std::size_t>(bytes.size(), IFNAMSIZ))});
        };
        if (type == nft::key_type::ipv4 || type == nft::key_type::ipv6) {
            if (auto const address = net::address::from_bytes(bytes)) return *address;
        } else if (type == nft::key_type::port) {
            if (auto const name = port()) return *name;
        } else if (auto const name = port(); name && bytes.size() >= mac_at + 6) {
            std::array<std::uint8_t, 6> mac{};
            std::copy_n(bytes.begin() + mac_at, 6, mac.begin());
            return nft::port_mac{*name, net::mac{mac}};
        }
        throw std::runtime_error{"nftables: a set of ours holds an element of another type"};
    }

  private:
    // Every part of a concatenated key fills whole registers of 4 bytes.
    static constexpr std::size_t mac_at = IFNAMSIZ;
};

/// User data is nft's own: triples of type, length and value. Type 0 is an element's comment, with its final
/// NUL (NFTNL_UDATA_SET_ELEM_COMMENT of libnftnl/udata.h).
struct nft_comment {
    static std::string encode(std::string_view comment) {
        if (comment.size() > nft::max_comment) throw std::length_error{"nftables: a comment is too long"};
        std::string triple(2, '\0');
        triple[1] = static_cast<char>(comment.size() + 1);
        return triple.append(comment).append(1, '\0');
    }

    static std::string decode(std::uint8_t const* at, std::size_t size) {
        auto const* const end = at + size;
        while (end - at >= 2 && end - at - 2 >= at[1]) {
            if (at[0] == 0) {
                auto const* text = reinterpret_cast<char const*>(at + 2);
                return {text, ::strnlen(text, at[1])};
            }
            at += 2 + at[1];
        }
        return {};
    }
};

} // namespace cnix::backends::detail
