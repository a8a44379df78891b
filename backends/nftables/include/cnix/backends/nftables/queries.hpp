#pragma once
#include <cnix/backends/nftables/message.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/net/prefix.hpp>

#include <netlink/errno.h>
#include <netlink/socket.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <tuple>

namespace cnix::backends::detail {

/// A netlink socket to nf_tables of the network namespace that is current.
inline std::shared_ptr<::nl_sock> open_netfilter_socket() {
    std::shared_ptr<::nl_sock> const socket{::nl_socket_alloc(), ::nl_socket_free};
    if (!socket) throw std::bad_alloc{};
    if (int const error = ::nl_connect(socket.get(), NETLINK_NETFILTER); error < 0)
        throw std::runtime_error{std::string{"nftables: cannot open a netlink socket of family netfilter: "} +
                                 ::nl_geterror(error)};
    ::nl_socket_set_buffer_size(socket.get(), 1 << 20, 0);
    return socket;
}

/// Questions to the kernel's nf_tables (linux/netfilter/nf_tables.h), asked over netlink itself:
/// libnftables 1.0.6 prints `get element` as text even when asked for JSON, and has to be loaded first.
class nft_queries {
  public:
    explicit nft_queries(::nl_sock& socket) : socket_{&socket} {}

    std::optional<nft::chain> find_chain(nft::table_id const& table, std::string_view name) {
        std::optional<nft::chain> found;
        auto const ask = [&](nft_message& request) {
            request.text(NFTA_CHAIN_TABLE, table.name);
            request.text(NFTA_CHAIN_NAME, name);
        };
        query(NFT_MSG_GETCHAIN, 0, table, ask, [&](nlattr* const attributes, int size) {
            nlattr* chain[NFTA_CHAIN_MAX + 1];
            parse(chain, attributes, size);
            found.emplace();
            found->references = big_endian(chain[NFTA_CHAIN_USE]);
            if (!chain[NFTA_CHAIN_HOOK]) return;
            nlattr* hook[NFTA_HOOK_MAX + 1];
            parse_nested(hook, chain[NFTA_CHAIN_HOOK]);
            found->type = string(chain[NFTA_CHAIN_TYPE]);
            found->hook = hook_name(big_endian(hook[NFTA_HOOK_HOOKNUM]));
            found->priority = static_cast<int>(big_endian(hook[NFTA_HOOK_PRIORITY]));
        });
        // NFTA_CHAIN_USE counts the chain's own rules too (nf_tables_newrule in
        // net/netfilter/nf_tables_api.c).
        if (found) found->references -= std::min(found->references, count_rules(table, name));
        return found;
    }

    std::optional<nft::element> find_element(nft::set_id const& set, nft::key const& key) {
        std::optional<nft::element> found;
        auto const bytes = nft_key::encode(set.type, key);
        auto const ask = [&](nft_message& request) {
            request.text(NFTA_SET_ELEM_LIST_TABLE, set.table.name);
            request.text(NFTA_SET_ELEM_LIST_SET, set.name);
            nft_nesting const elements{request, NFTA_SET_ELEM_LIST_ELEMENTS};
            nft_nesting const element{request, NFTA_LIST_ELEM};
            nft_nesting const data{request, NFTA_SET_ELEM_KEY};
            request.bytes(NFTA_DATA_VALUE, bytes.data(), bytes.size());
        };
        query(NFT_MSG_GETSETELEM, 0, set.table, ask, [&](nlattr* const attributes, int size) {
            each_element(attributes, size, [&](raw_element const& raw) { found = decode(set.type, raw); });
        });
        return found;
    }

    std::vector<nft::element> elements(nft::set_id const& set) {
        std::vector<raw_element> raw;
        auto const ask = [&](nft_message& request) {
            request.text(NFTA_SET_ELEM_LIST_TABLE, set.table.name);
            request.text(NFTA_SET_ELEM_LIST_SET, set.name);
        };
        auto const take = [&](nlattr* const attributes, int size) {
            each_element(attributes, size, [&](raw_element one) { raw.push_back(std::move(one)); });
        };
        // A dump that a commit interrupts is asked for again. So is one that has an element twice: the kernel
        // grows and shrinks a hash after the commit, unannounced, and a walk meanwhile goes through the old
        // table and the new one (rhashtable_walk_next in lib/rhashtable.c). Where a dump has to go on in the
        // next message, it then counts wrong and leaves out as many as it repeats (nft_rhash_walk in
        // net/netfilter/nft_set_hash.c).
        do raw.clear();
        while (!query(NFT_MSG_GETSETELEM, NLM_F_DUMP, set.table, ask, take) || repeats(raw));

        std::vector<nft::element> found;
        bool const intervals = std::ranges::any_of(raw, &raw_element::ends_interval);
        for (auto const& one : raw) {
            if (!one.ends_interval)
                found.push_back(decode(set.type, one));
            else if (!found.empty())
                found.back().last = decode(set.type, one).key;
            // else: the kernel's end of what lies below the first interval
        }
        if (intervals)
            for (auto& one : found) one.last = one.last ? before(*one.last) : highest(set.type);
        return found;
    }

  private:
    struct raw_element {
        std::vector<std::uint8_t> key;
        bool ends_interval = false;
        std::string chain;
        std::string comment;
    };

    /// Sorts them by key; whether one is there twice. An interval's end is the first key after it; where one
    /// ends and another begins, the end sorts first.
    static bool repeats(std::vector<raw_element>& elements) {
        using position = std::tuple<std::vector<std::uint8_t> const&, bool>;
        auto const order = [](raw_element const& one) { return position{one.key, !one.ends_interval}; };
        std::ranges::sort(elements, {}, order);
        return std::ranges::adjacent_find(elements, {}, order) != elements.end();
    }

    using answer = std::function<void(::nlattr*, int)>;

    /// False if a dump was interrupted. What is not there, nf_tables included, is no answer and no error.
    bool query(int type, int flags, nft::table_id const& table, std::function<void(nft_message&)> const& ask,
               answer const& take) {
        nft_message request{type, flags, table};
        ask(request);
        struct state {
            answer const& take;
            std::exception_ptr failure;
        } state{take, nullptr};
        ::nl_socket_modify_cb(
            socket_, NL_CB_VALID, NL_CB_CUSTOM,
            [](::nl_msg* received, void* argument) -> int {
                auto& s = *static_cast<struct state*>(argument);
                try {
                    auto* const header = ::nlmsg_hdr(received);
                    s.take(::nlmsg_attrdata(header, sizeof(::nfgenmsg)),
                           ::nlmsg_attrlen(header, sizeof(::nfgenmsg)));
                    return NL_OK;
                } catch (...) { // must not pass through libnl
                    s.failure = std::current_exception();
                    return NL_STOP;
                }
            },
            &state);
        int error = ::nl_send_auto(socket_, request.get()); // adds NLM_F_ACK
        if (error >= 0) error = ::nl_recvmsgs_default(socket_);
        // With NLM_F_ACK the acknowledgement of a single answer comes as a message of its own.
        if (error >= 0 && !(flags & NLM_F_DUMP)) error = ::nl_wait_for_ack(socket_);
        if (state.failure) std::rethrow_exception(state.failure);
        switch (error) {
        case -NLE_DUMP_INTR:
            return false;
        case -NLE_OBJ_NOTFOUND:
        case -NLE_INVAL: // nfnetlink without nf_tables (nfnetlink_rcv_msg)
        case -NLE_OPNOTSUPP:
            return true;
        default:
            if (error < 0)
                fail("ask the kernel about table " + std::string{table.family} + ' ' +
                         std::string{table.name},
                     error);
            return true;
        }
    }

    std::uint32_t count_rules(nft::table_id const& table, std::string_view chain) {
        std::uint32_t count = 0;
        auto const ask = [&](nft_message& request) {
            request.text(NFTA_RULE_TABLE, table.name);
            request.text(NFTA_RULE_CHAIN, chain);
        };
        while (!query(NFT_MSG_GETRULE, NLM_F_DUMP, table, ask, [&](nlattr*, int) { ++count; })) count = 0;
        return count;
    }

    template <std::size_t Size> static void parse(::nlattr* (&table)[Size], ::nlattr* attributes, int size) {
        if (int const error = ::nla_parse(table, static_cast<int>(Size) - 1, attributes, size, nullptr);
            error < 0)
            fail("read the kernel's answer", error);
    }
    template <std::size_t Size> static void parse_nested(::nlattr* (&table)[Size], ::nlattr* outer) {
        parse(table, static_cast<::nlattr*>(::nla_data(outer)), ::nla_len(outer));
    }
    static std::string string(::nlattr* attribute) {
        if (!attribute) return {};
        auto const* data = static_cast<char const*>(::nla_data(attribute));
        return {data, ::strnlen(data, static_cast<std::size_t>(::nla_len(attribute)))};
    }
    static std::uint32_t big_endian(::nlattr* attribute) {
        std::uint32_t value = 0;
        if (attribute && ::nla_len(attribute) == 4)
            for (int i = 0; i < 4; ++i)
                value = value << 8 | static_cast<std::uint8_t*>(::nla_data(attribute))[i];
        return value;
    }
    static std::string hook_name(std::uint32_t number) {
        static constexpr char const* names[]{"prerouting", "input",       "forward",
                                             "output",     "postrouting", "ingress"};
        return number < std::size(names) ? names[number] : "hook " + std::to_string(number);
    }

    static void each_element(::nlattr* attributes, int size, std::function<void(raw_element)> const& take) {
        ::nlattr* list[NFTA_SET_ELEM_LIST_MAX + 1];
        parse(list, attributes, size);
        if (!list[NFTA_SET_ELEM_LIST_ELEMENTS]) return;
        ::nlattr* position = nullptr;
        int rest = 0;
        nla_for_each_nested(position, list[NFTA_SET_ELEM_LIST_ELEMENTS], rest) {
            ::nlattr* one[NFTA_SET_ELEM_MAX + 1];
            parse_nested(one, position);
            if (!one[NFTA_SET_ELEM_KEY]) continue; // the catch-all element
            raw_element element;
            ::nlattr* data[NFTA_DATA_MAX + 1];
            parse_nested(data, one[NFTA_SET_ELEM_KEY]);
            if (data[NFTA_DATA_VALUE]) {
                auto const* bytes = static_cast<std::uint8_t const*>(::nla_data(data[NFTA_DATA_VALUE]));
                element.key.assign(bytes, bytes + ::nla_len(data[NFTA_DATA_VALUE]));
            }
            element.ends_interval = (big_endian(one[NFTA_SET_ELEM_FLAGS]) & NFT_SET_ELEM_INTERVAL_END) != 0;
            if (one[NFTA_SET_ELEM_DATA]) {
                parse_nested(data, one[NFTA_SET_ELEM_DATA]);
                if (data[NFTA_DATA_VERDICT]) {
                    ::nlattr* verdict[NFTA_VERDICT_MAX + 1];
                    parse_nested(verdict, data[NFTA_DATA_VERDICT]);
                    element.chain = string(verdict[NFTA_VERDICT_CHAIN]);
                }
            }
            if (auto* const userdata = one[NFTA_SET_ELEM_USERDATA])
                element.comment = nft_comment::decode(static_cast<std::uint8_t const*>(::nla_data(userdata)),
                                                      static_cast<std::size_t>(::nla_len(userdata)));
            take(std::move(element));
        }
    }

    static nft::element decode(nft::key_type type, raw_element const& raw) {
        return {nft_key::decode(type, raw.key), std::nullopt, raw.chain, raw.comment};
    }
    static nft::key before(nft::key const& key) { return std::get<net::address>(key).previous(); }
    static nft::key highest(nft::key_type type) {
        return net::prefix::any(type == nft::key_type::ipv4 ? net::family::ipv4 : net::family::ipv6).last();
    }

    [[noreturn]] static void fail(std::string const& what, int error) {
        throw std::runtime_error{"nftables: cannot " + what + ": " + ::nl_geterror(error)};
    }

    ::nl_sock* socket_;
};

} // namespace cnix::backends::detail
