#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/node_nat_policy.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/config/path.hpp>
#include <cnix/config/read.hpp>
#include <cnix/config/text.hpp>
#include <cnix/sys/read_file.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace cnix::eni {

/// How the node of the ENI design is to be set up (eni::node); docs/eni-node.md has the keys, and upstream's environment variables
/// that they stand for.
struct node_config {
    bool ipv4 = true;  ///< pods have IPv4 addresses
    bool ipv6 = false; ///< pods have IPv6 addresses
    int mtu = 9001;    ///< of the ENIs
    std::vector<net::prefix> vpcCIDRs{};
    bool externalSNAT = false; ///< others translate what leaves the VPC
    std::vector<net::prefix> excludeSNATCIDRs{};
    config::text randomizeSNAT{"prng"}; ///< or "hashrandom", "none"
    bool nodePortSupport = true;
    config::text connmark{"0x80"}; ///< a number, hexadecimal or decimal, of bits that are nobody else's
    std::vector<net::prefix> externalServiceCIDRs{}; ///< none of length 0
    config::text vethPrefix{"eni"};                  ///< as the plugin's
    bool enablePodENI = false;                       ///< pods may have branch ENIs
    config::text podSGEnforcingMode{"strict"};
    bool tcpEarlyDemux = true;
    bool ipv4Egress = false; ///< of pods with IPv6 addresses, by node-local ones of the other family
    bool ipv6Egress = false; ///< likewise of pods with IPv4 addresses

    bool strict() const { return enablePodENI && podSGEnforcingMode == "strict"; }
    /// Nothing if it is none.
    constexpr std::optional<std::uint32_t> mark() const {
        std::string_view digits = connmark.view();
        std::uint64_t const base = digits.starts_with("0x") || digits.starts_with("0X") ? 16 : 10;
        if (base == 16) digits.remove_prefix(2);
        std::uint64_t value = 0;
        for (char const c : digits) {
            std::uint64_t const digit = c >= '0' && c <= '9'   ? static_cast<std::uint64_t>(c - '0')
                                        : c >= 'a' && c <= 'f' ? static_cast<std::uint64_t>(c - 'a') + 10
                                        : c >= 'A' && c <= 'F' ? static_cast<std::uint64_t>(c - 'A') + 10
                                                               : base;
            value = value * base + digit;
            if (digit >= base || value > 0xffffffff) return std::nullopt;
        }
        if (value == 0) return std::nullopt; // of no digits, too
        return static_cast<std::uint32_t>(value);
    }
    /// Nothing if it is no word for it.
    constexpr std::optional<snat_ports> ports() const {
        if (randomizeSNAT == "prng") return snat_ports::prng;
        if (randomizeSNAT == "hashrandom") return snat_ports::hashrandom;
        if (randomizeSNAT == "none") return snat_ports::kept;
        return std::nullopt;
    }

    constexpr void check(config::checker& found) const {
        if (!ipv4 && !ipv6)
            found.fault("ipv4", "pods have addresses of one family at least; set `ipv4` or `ipv6`");
        // What IPv4 asks of a link, and IPv6; the cloud's network has 9001.
        if (int const least = ipv6 || ipv6Egress ? 1280 : 576; mtu < least || mtu > 9001)
            found.fault("mtu", config::concat("it is ", least, " to 9001"));
        if (ipv4 && !externalSNAT && vpcCIDRs.empty() && !found.has_unknown_key(""))
            found.fault("vpcCIDRs",
                        "list the VPC's networks, in which pods are known by their own addresses; where "
                        "nothing is to be translated, set `externalSNAT`");
        check_ipv4(vpcCIDRs, "vpcCIDRs", found);
        check_ipv4(excludeSNATCIDRs, "excludeSNATCIDRs", found);
        for (std::size_t i = 0; i < externalServiceCIDRs.size(); ++i)
            if (externalServiceCIDRs[i].length() == 0)
                found.fault(config::path("externalServiceCIDRs", i),
                            "everything would leave by the primary ENI, and the cloud takes no other ENI's "
                            "addresses from it; list the services' networks alone");
        if (!ports()) found.fault("randomizeSNAT", "write \"prng\", \"hashrandom\" or \"none\"");
        if (!mark())
            found.fault("connmark", "write a number of 32 bits that is not 0, such as \"0x80\" or \"128\"");
        if (mark().value_or(0) & kube_proxys)
            found.fault("connmark",
                        "the bits 0x4000 and 0x8000 are kube-proxy's; choose another, such as \"0x80\"");
        if (vethPrefix.empty() || vethPrefix.size() > 4 || !is_word(vethPrefix.view()))
            found.fault("vethPrefix", "write 1 to 4 letters and digits");
        for (std::string_view const taken : {"eth", "lo", "vlan"})
            if (vethPrefix == taken)
                found.fault("vethPrefix",
                            config::concat("`", taken, "` is what other interfaces are called"));
        if (podSGEnforcingMode != "strict" && podSGEnforcingMode != "standard")
            found.fault("podSGEnforcingMode", "write \"strict\" or \"standard\"");
    }

    /// What a Nat has to do for it. `primary` is the primary ENI's interface, `source` its address.
    node_nat nat(net::interface_name const& primary, std::optional<net::address> const& source) const {
        node_nat wanted{.ipv4 = ipv4,
                        .ipv6 = ipv6,
                        .local = vpcCIDRs,
                        .exclusions = excludeSNATCIDRs,
                        .ports = ports().value_or(snat_ports::prng),
                        .node_port = nodePortSupport,
                        .primary_interface = primary,
                        .veth_prefix = std::string{vethPrefix},
                        .mark = mark().value_or(0x80)};
        if (ipv4 && !externalSNAT) wanted.source = source;
        // Upstream's egress plugin gives pods such addresses for the family that they lack.
        if (ipv4Egress) wanted.unreachable.push_back(net::prefix::parse("169.254.172.0/22").value());
        if (ipv6Egress) wanted.unreachable.push_back(net::prefix::parse("fd00::ac:0/118").value());
        return wanted;
    }

  private:
    /// KUBE-MARK-MASQ and KUBE-MARK-DROP, as kube-proxy (iptables.masqueradeBit 14) and kubelet choose them.
    static constexpr std::uint32_t kube_proxys = 0xc000;
    /// What iptables and nft, too, take as it stands.
    static constexpr bool is_word(std::string_view text) {
        for (char const c : text)
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) return false;
        return true;
    }
    static constexpr void check_ipv4(std::vector<net::prefix> const& all, std::string_view key,
                                     config::checker& found) {
        for (std::size_t i = 0; i < all.size(); ++i)
            if (!all[i].is_v4())
                found.fault(config::path(key, i), "IPv6 addresses are never translated; leave it out");
    }
};

} // namespace cnix::eni

BOOST_HANA_ADAPT_STRUCT(cnix::eni::node_config, ipv4, ipv6, mtu, vpcCIDRs, externalSNAT, excludeSNATCIDRs,
                        randomizeSNAT, nodePortSupport, connmark, externalServiceCIDRs, vethPrefix,
                        enablePodENI, podSGEnforcingMode, tcpEarlyDemux, ipv4Egress, ipv6Egress);

namespace cnix::eni {

/// Reads the text of a node's configuration. Throws cni::error with all faults; `path` is for the message.
inline node_config read_node_config(std::string_view text, std::string const& path) {
    auto reading = config::read<node_config>(text, config::strict);
    if (!reading.ok())
        throw cni::error{cni::code::invalid_network_config,
                         "invalid configuration of the node " + path + ": " +
                             std::string{config::to_string(reading.faults).view()}};
    return std::move(reading.value);
}

/// Reads the file. Throws cni::error, or std::system_error if the file cannot be read.
inline node_config load_node_config(std::string const& path) {
    std::string text;
    try {
        text = sys::read_file(path, config::max_size, " (the node's configuration)");
    } catch (std::system_error const& e) {
        if (e.code() != std::errc::no_such_file_or_directory) throw;
        throw cni::error{cni::code::invalid_network_config,
                         "there is no configuration of the node " + path +
                             ": write it, with `vpcCIDRs` at least, or name the file with `--config FILE`"};
    }
    return read_node_config(text, path);
}

} // namespace cnix::eni
