#pragma once
#include <cnix/net/prefix.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cnix::cni {

/// An interface of a result (CNI spec 1.1.0, "ADD Success"). Texts are kept as another plugin wrote them.
struct interface {
    std::string name = {};
    std::string mac = {};     ///< empty: not told
    std::uint32_t mtu = 0;    ///< 0: not told
    std::string sandbox = {}; ///< empty: on the host
    std::string socket_path = {};
    std::string pci_id = {};

    friend bool operator==(interface const&, interface const&) = default;
};

/// An address of a result, with the length of its subnet.
struct ip {
    net::prefix address;
    std::optional<net::address> gateway = {};
    std::optional<unsigned> interface = {}; ///< index into result::interfaces

    friend bool operator==(ip const&, ip const&) = default;
};

/// A route of a result.
struct route {
    net::prefix dst;
    std::optional<net::address> gw = {};
    std::uint32_t mtu = 0;                   ///< 0: the interface's
    std::uint32_t advmss = 0;                ///< 0: the kernel's choice
    std::uint32_t priority = 0;              ///< the metric; 0: the kernel's choice
    std::optional<std::uint32_t> table = {}; ///< absent: main (254)
    std::optional<std::uint8_t> scope = {};  ///< rtnetlink's number: 0 global, 253 link, 254 host

    friend bool operator==(route const&, route const&) = default;
};

/// What of a result goes to the container's resolv.conf(5). Texts are kept as they were written.
struct dns {
    std::vector<std::string> nameservers = {};
    std::string domain = {};
    std::vector<std::string> search = {};
    std::vector<std::string> options = {};

    bool empty() const noexcept {
        return nameservers.empty() && domain.empty() && search.empty() && options.empty();
    }
    friend bool operator==(dns const&, dns const&) = default;
};

/// What an IPAM hands out. A policy whose leases carry more derives from this.
struct lease {
    std::vector<ip> ips = {};
    std::vector<route> routes = {};
    cni::dns dns = {};

    friend bool operator==(lease const&, lease const&) = default;
};

/// The outcome of ADD in the newest version's terms; result_json.hpp writes and reads it in every version's.
struct result : lease {
    std::vector<cni::interface> interfaces = {};

    friend bool operator==(result const&, result const&) = default;
};

} // namespace cnix::cni
