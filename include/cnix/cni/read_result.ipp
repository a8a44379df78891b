#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/network_config.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/cni/read_result.hpp>
#include <cnix/cni/result.hpp>
#include <cnix/cni/version.hpp>
#include <cnix/config/read.hpp>
#include <cnix/prebuilt.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::cni::detail {

/// A gateway; the empty text stands for none, as in Go's net.IP.
struct gateway_text {
    static constexpr std::string_view form = net::address::form;
    std::optional<net::address> value;

    static constexpr std::optional<gateway_text> parse(std::string_view text) noexcept {
        if (text.empty()) return gateway_text{};
        auto const address = net::address::parse(text);
        if (!address) return std::nullopt;
        return gateway_text{address};
    }
};

struct interface_keys {
    config::text name;
    config::text mac;
    std::uint32_t mtu = 0;
    config::text sandbox;
    config::text socketPath;
    config::text pciID;
};

struct ip_keys {
    std::optional<net::prefix> address;
    gateway_text gateway;
    std::optional<std::int64_t> interface; ///< negative: none, as early plugins wrote it

    constexpr void check(config::checker& found) const {
        if (!address) found.fault("", "`address` is missing");
    }
};

struct route_keys {
    std::optional<net::prefix> dst;
    gateway_text gw;
    std::uint32_t mtu = 0;
    std::uint32_t advmss = 0;
    std::uint32_t priority = 0;
    std::optional<std::uint32_t> table;
    std::optional<std::uint8_t> scope;

    constexpr void check(config::checker& found) const {
        if (!dst) found.fault("", "`dst` is missing");
    }
};

/// A result since 0.3.0. What only newer versions have is read in older ones too.
struct result_keys {
    std::vector<interface_keys> interfaces;
    std::vector<ip_keys> ips;
    std::vector<route_keys> routes;
    dns_keys dns;
};

struct family_keys {
    std::optional<net::prefix> ip;
    gateway_text gateway;
    std::vector<route_keys> routes;

    constexpr void check(config::checker& found) const {
        if (!ip) found.fault("", "`ip` is missing");
    }
};

/// A result of 0.1.0 and 0.2.0.
struct result_02_keys {
    std::optional<family_keys> ip4;
    std::optional<family_keys> ip6;
    dns_keys dns;
};

struct version_key {
    config::text cniVersion;
};

} // namespace cnix::cni::detail

BOOST_HANA_ADAPT_STRUCT(cnix::cni::detail::interface_keys, name, mac, mtu, sandbox, socketPath, pciID);
BOOST_HANA_ADAPT_STRUCT(cnix::cni::detail::ip_keys, address, gateway, interface);
BOOST_HANA_ADAPT_STRUCT(cnix::cni::detail::route_keys, dst, gw, mtu, advmss, priority, table, scope);
BOOST_HANA_ADAPT_STRUCT(cnix::cni::detail::result_keys, interfaces, ips, routes, dns);
BOOST_HANA_ADAPT_STRUCT(cnix::cni::detail::family_keys, ip, gateway, routes);
BOOST_HANA_ADAPT_STRUCT(cnix::cni::detail::result_02_keys, ip4, ip6, dns);
BOOST_HANA_ADAPT_STRUCT(cnix::cni::detail::version_key, cniVersion);

namespace cnix::cni {

namespace detail {

template <class Keys>
Keys read_result_part(std::string_view source, std::string_view part, std::string_view path) {
    auto read = config::read_part<Keys>(source, part, path);
    if (!read.ok())
        throw error{code::decoding_failure,
                    "could not parse the result: " + std::string{to_string(read.faults)}};
    return std::move(read.value);
}

inline void append_routes(result& out, std::vector<route_keys> const& routes) {
    for (route_keys const& one : routes)
        out.routes.push_back(
            {*one.dst, one.gw.value, one.mtu, one.advmss, one.priority, one.table, one.scope});
}

inline result to_result(result_keys const& keys) {
    result out;
    for (interface_keys const& one : keys.interfaces)
        out.interfaces.push_back({std::string{one.name}, std::string{one.mac}, one.mtu,
                                  std::string{one.sandbox}, std::string{one.socketPath},
                                  std::string{one.pciID}});
    for (ip_keys const& one : keys.ips) {
        ip address{*one.address, one.gateway.value, std::nullopt};
        auto const index = static_cast<std::uint64_t>(one.interface.value_or(-1));
        if (index < out.interfaces.size()) address.interface = static_cast<unsigned>(index);
        out.ips.push_back(address);
    }
    append_routes(out, keys.routes);
    out.dns = keys.dns.value();
    return out;
}

inline result to_result(result_02_keys const& keys) {
    result out;
    for (auto const* family : {&keys.ip4, &keys.ip6}) {
        if (!*family) continue;
        out.ips.push_back({*(*family)->ip, (*family)->gateway.value, std::nullopt});
        append_routes(out, (*family)->routes);
    }
    out.dns = keys.dns.value();
    return out;
}

} // namespace detail

CNIX_INLINE result read_result(std::string_view source, std::string_view part, std::string_view path,
                               version configured) {
    auto const own = detail::read_result_part<detail::version_key>(source, part, path).cniVersion;
    auto const version = own.empty() ? configured : version::parse(own);
    if (!version) throw error{code::decoding_failure, "unsupported CNI result version " + quoted(own)};
    if (*version < version::v0_3_0)
        return detail::to_result(detail::read_result_part<detail::result_02_keys>(source, part, path));
    return detail::to_result(detail::read_result_part<detail::result_keys>(source, part, path));
}

CNIX_INLINE result read_result(std::string_view document, version configured) {
    auto const whole = config::read<config::raw>(document);
    if (!whole.ok())
        throw error{code::decoding_failure,
                    "could not parse the result: " + std::string{to_string(whole.faults)}};
    return read_result(document, whole.value.json, "$", configured);
}

} // namespace cnix::cni
