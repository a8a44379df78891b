#pragma once
#include <cnix/backends/libnl/socket.hpp>
#include <cnix/concepts/netlink_backend.hpp>

#include <linux/fib_rules.h>

namespace cnix::backends::rtnl {

/// Those that look up a table.
inline std::vector<netlink::rule_spec> rules(socket& sock, net::family family) {
    fib_rule_hdr header{};
    header.family = address_family(family);
    std::vector<netlink::rule_spec> all;
    auto const describe = [] { return std::string{"list the policy rules"}; };
    for (message_ptr const& got : sock.dump(request{RTM_GETRULE, NLM_F_DUMP, header}, describe)) {
        auto const entry = header_of<fib_rule_hdr>(got.get()).value_or(fib_rule_hdr{});
        if (entry.family != header.family || entry.action != FR_ACT_TO_TBL) continue;
        auto const found = attributes<FRA_MAX>::of(nlmsg_hdr(got.get()), entry);
        auto const prefix = [&](int type, int length) -> std::optional<net::prefix> {
            auto const address = found.address(type);
            if (!address) return std::nullopt;
            return net::prefix::make(*address, length);
        };
        netlink::rule_spec rule;
        rule.family = family;
        rule.priority = found.number<std::uint32_t>(FRA_PRIORITY);
        rule.table = found.number<std::uint32_t>(FRA_TABLE, entry.table);
        rule.source = prefix(FRA_SRC, entry.src_len);
        rule.destination = prefix(FRA_DST, entry.dst_len);
        rule.input_interface = found.text(FRA_IIFNAME);
        rule.mark = found.number<std::uint32_t>(FRA_FWMARK);
        rule.mask = found.number<std::uint32_t>(FRA_FWMASK);
        rule.protocol = found.number<std::uint8_t>(FRA_PROTOCOL);
        rule.transport = found.number<std::uint8_t>(FRA_IP_PROTO);
        all.push_back(rule);
    }
    return all;
}

inline request rule_request(int type, int flags, netlink::rule_spec const& rule) {
    fib_rule_hdr header{};
    header.family = address_family(rule.family);
    header.action = FR_ACT_TO_TBL;
    header.table = rule.table < 256 ? static_cast<std::uint8_t>(rule.table) : std::uint8_t{RT_TABLE_UNSPEC};
    if (rule.source) header.src_len = static_cast<std::uint8_t>(rule.source->length());
    if (rule.destination) header.dst_len = static_cast<std::uint8_t>(rule.destination->length());
    request question{type, flags, header};
    question.u32(FRA_PRIORITY, rule.priority);
    question.u32(FRA_TABLE, rule.table);
    if (rule.source) question.address(FRA_SRC, rule.source->address());
    if (rule.destination) question.address(FRA_DST, rule.destination->address());
    if (!rule.input_interface.empty()) question.text(FRA_IIFNAME, rule.input_interface);
    if (rule.mask != 0) {
        question.u32(FRA_FWMARK, rule.mark);
        question.u32(FRA_FWMASK, rule.mask);
    }
    if (rule.protocol != 0) question.u8(FRA_PROTOCOL, rule.protocol);
    if (rule.transport != 0) question.u8(FRA_IP_PROTO, rule.transport);
    return question;
}

inline std::string rule_text(netlink::rule_spec const& rule) {
    std::string text = "the policy rule of priority " + std::to_string(rule.priority);
    if (rule.source) text += " from " + rule.source->str();
    if (rule.destination) text += " to " + rule.destination->str();
    return text + " for the table " + std::to_string(rule.table);
}

inline void add_rule(socket& sock, netlink::rule_spec const& rule) {
    sock.change(rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule),
                [&] { return "add " + rule_text(rule); });
}

inline bool delete_rule(socket& sock, netlink::rule_spec const& rule) {
    return sock.remove(rule_request(RTM_DELRULE, 0, rule), {ENOENT},
                       [&] { return "delete " + rule_text(rule); });
}

} // namespace cnix::backends::rtnl
