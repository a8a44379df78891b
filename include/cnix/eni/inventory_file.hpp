#pragma once
#include <cnix/config/checker.hpp>
#include <cnix/config/path.hpp>
#include <cnix/eni/network_interface.hpp>
#include <cnix/eni/pod_address.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace cnix::eni {

/// The members of the file, by their names in it.
namespace inventory_file {

/// The highest device number that upstream looks for is 99, and tables are numbered for less than 100 a network card.
constexpr inline int most_devices = 100;
/// Of the delegated prefixes of either family (EC2's AssignPrivateIpAddresses and AssignIpv6Addresses).
constexpr int prefix_length(net::family family) { return family == net::family::ipv4 ? 28 : 80; }
/// The routers' address in every IPv6 subnet of the cloud.
constexpr inline net::address ipv6_router = net::address::v6(0xfe80'0ec2'0000'0000, 1);

/// An element of `enis`.
struct eni {
    config::text id{};
    std::optional<net::mac> mac{};
    std::optional<int> deviceNumber{};
    int networkCard = 0;
    std::optional<net::address> primaryAddress{};
    std::optional<net::prefix> subnet{};
    std::optional<net::address> gateway{}; ///< absent: the subnet's first address
    std::optional<net::prefix> ipv6Subnet{};
    std::optional<net::address> ipv6Gateway{}; ///< absent: ipv6_router
    std::vector<net::address> addresses{};
    std::vector<net::prefix> prefixes{};

    void check(config::checker& found) const {
        if (id.empty()) found.fault("id", "an ENI needs an `id`, such as eni-0123456789abcdef0");
        if (!mac) found.fault("mac", "an ENI needs its `mac`, by which its interface is found");
        if (mac && (mac->is_zero() || mac->is_multicast()))
            found.fault("mac", "no interface has this MAC address: it is all zeros, or multicast");
        if (!deviceNumber)
            found.fault("deviceNumber", "an ENI needs its `deviceNumber`: 0 the primary one, 1 the next");
        for (auto const& [key, value] :
             {std::pair{"deviceNumber", deviceNumber.value_or(0)}, {"networkCard", networkCard}})
            if (value < 0 || value >= most_devices) found.fault(key, "it is 0 to 99");
        check_subnets(found);
        for (std::size_t i = 0; i < addresses.size(); ++i)
            check_cidr(net::prefix::host(addresses[i]), config::path("addresses", i), found);
        for (std::size_t i = 0; i < prefixes.size(); ++i) {
            net::prefix const& one = prefixes[i];
            auto const path = config::path("prefixes", i);
            if (one.length() != prefix_length(one.family()))
                found.fault(path, "delegated prefixes are /28 (IPv4) and /80 (IPv6); a single address stands "
                                  "in `addresses`");
            else if (one.has_host_bits())
                found.fault(path, config::concat("host bits are set; the prefix is ", one.network().text()));
            else
                check_cidr(one, path, found);
        }
    }

    std::optional<net::address> router(net::family family) const {
        if (family == net::family::ipv6) return ipv6Gateway ? *ipv6Gateway : ipv6_router;
        if (gateway || !subnet) return gateway;
        return subnet->first().next();
    }
    network_interface made() const {
        network_interface one{.id = std::string{id},
                              .mac = mac.value(),
                              .device_number = deviceNumber.value(),
                              .network_card = networkCard,
                              .primary = primaryAddress};
        for (auto const& in : {subnet, ipv6Subnet})
            if (in) one.subnets.push_back({*in, router(in->family()).value()});
        for (net::address const& address : addresses) one.cidrs.push_back(net::prefix::host(address));
        one.cidrs.insert(one.cidrs.end(), prefixes.begin(), prefixes.end());
        return one;
    }

  private:
    void check_subnets(config::checker& found) const {
        if (!subnet && !ipv6Subnet) found.fault("", "an ENI needs `subnet`, or `ipv6Subnet`");
        auto const check_subnet = [&](std::string_view key, auto const& in, net::family family) {
            if (!in) return;
            if (in->family() != family)
                found.fault(
                    key, "a subnet of the other family; `subnet` is the IPv4 one, `ipv6Subnet` the IPv6 one");
            else if (in->has_host_bits())
                found.fault(key, config::concat("host bits are set; the subnet is ", in->network().text()));
            else if (!is_of_pods(*in))
                found.fault(key, "no pod can have these addresses: they are loopback, link-local, multicast "
                                 "or reserved ones");
            else if (net::bits(family) - in->length() < 2)
                found.fault(key, "a subnet has at least 4 addresses");
        };
        check_subnet("subnet", subnet, net::family::ipv4);
        check_subnet("ipv6Subnet", ipv6Subnet, net::family::ipv6);
        if (subnet && !primaryAddress)
            found.fault("primaryAddress", "an ENI with an IPv4 `subnet` needs its own, primary address");
        if (primaryAddress && (!subnet || !is_host_of(*subnet, *primaryAddress)))
            found.fault("primaryAddress", "it is no host's address of the `subnet`");
        if (gateway && (!subnet || !is_host_of(*subnet, *gateway)))
            found.fault("gateway", "it is no host's address of the `subnet`");
        if (gateway && gateway == primaryAddress)
            found.fault("gateway", "it is the ENI's own `primaryAddress`");
        bool const in_reach =
            ipv6Gateway && ipv6Gateway->is_v6() &&
            (ipv6Gateway->is_link_local() || (ipv6Subnet && ipv6Subnet->contains(*ipv6Gateway)));
        if (ipv6Gateway && !in_reach)
            found.fault("ipv6Gateway",
                        "it is neither a link-local address (fe80::/10) nor one of the `ipv6Subnet`");
    }
    void check_cidr(net::prefix const& one, config::text const& path, config::checker& found) const {
        auto const& in = one.is_v4() ? subnet : ipv6Subnet;
        if (!in || in->family() != one.family() || !in->contains(one.first()) || !in->contains(one.last()))
            return found.fault(
                path, config::concat("it is outside the ENI's ", one.is_v4() ? "`subnet`" : "`ipv6Subnet`"));
        if (auto const via = router(one.family()); via && one.contains(*via))
            return found.fault(path, "the subnet's gateway is no pod's");
        if (one.contains(in->first()) || (one.is_v4() && one.contains(in->last())))
            found.fault(path, "the network's own and the broadcast address are no pod's");
    }
    static bool is_host_of(net::prefix const& in, net::address const& address) {
        return in.contains(address) && address != in.first() && (address.is_v6() || address != in.last());
    }
};

/// The whole.
struct document {
    std::vector<inventory_file::eni> enis{};

    void check(config::checker& found) const {
        if (enis.empty()) found.fault("enis", "there is no ENI; list those of the node");
        check_unique("id", found, [](eni const& one) { return one.id.view(); });
        check_unique("mac", found, [](eni const& one) { return one.mac; });
        check_unique("deviceNumber", found,
                     [](eni const& one) { return std::tuple{one.networkCard, one.deviceNumber}; });
        check_overlaps(found);
    }

  private:
    /// What is missing is told elsewhere.
    void check_unique(std::string_view key, config::checker& found, auto const& of) const {
        using value_type = std::remove_cvref_t<decltype(of(enis[0]))>;
        std::map<value_type, std::size_t> seen;
        for (std::size_t i = 0; i < enis.size(); ++i)
            if (auto const [first, fresh] = seen.emplace(of(enis[i]), i); !fresh)
                found.fault(config::path("enis", i, key),
                            config::concat("enis[", first->second, "] has the same"));
    }

    /// An address or a prefix, and where it stands.
    struct place {
        net::prefix cidr;
        std::size_t eni;
        std::string_view key;
        std::size_t index = 0; ///< in the list

        config::text path() const {
            if (key == "primaryAddress") return config::path("enis", eni, key);
            return config::path("enis", eni, key, index);
        }
        /// Of those that begin at one address the widest comes first, else the first of the file.
        friend bool operator<(place const& one, place const& other) {
            auto const order = [](place const& of) {
                return std::tuple{of.cidr.first(), of.cidr.length(), of.eni, of.key != "primaryAddress",
                                  of.index};
            };
            return order(one) < order(other);
        }
    };
    /// Against those of the other ENIs.
    void check_gateways(std::vector<place> const& all, config::checker& found) const {
        for (std::size_t i = 0; i < enis.size(); ++i)
            for (auto const family : {net::family::ipv4, net::family::ipv6})
                if (auto const via = enis[i].router(family))
                    for (place const& one : all)
                        if (one.eni != i && one.cidr.contains(*via) && enis[one.eni].router(family) != via)
                            found.fault(one.path(), config::concat(via->text(), " is the gateway of enis[", i,
                                                                   "], and no pod's"));
    }
    void check_overlaps(config::checker& found) const {
        std::vector<place> all;
        for (std::size_t i = 0; i < enis.size(); ++i) {
            eni const& one = enis[i];
            if (one.primaryAddress)
                all.push_back({net::prefix::host(*one.primaryAddress), i, "primaryAddress"});
            for (std::size_t j = 0; j < one.addresses.size(); ++j)
                all.push_back({net::prefix::host(one.addresses[j]), i, "addresses", j});
            for (std::size_t j = 0; j < one.prefixes.size(); ++j)
                all.push_back({one.prefixes[j].network(), i, "prefixes", j});
        }
        std::sort(all.begin(), all.end());
        check_gateways(all, found);
        place const* widest = nullptr;
        for (place const& one : all) {
            if (widest && widest->cidr.contains(one.cidr.first()))
                found.fault(one.path(),
                            config::concat(one.cidr.address().text(), " is in ", widest->path(), ", too"));
            else
                widest = &one;
        }
    }
};

} // namespace inventory_file

} // namespace cnix::eni

BOOST_HANA_ADAPT_STRUCT(cnix::eni::inventory_file::eni, id, mac, deviceNumber, networkCard, primaryAddress,
                        subnet, gateway, ipv6Subnet, ipv6Gateway, addresses, prefixes);
BOOST_HANA_ADAPT_STRUCT(cnix::eni::inventory_file::document, enis);
