#pragma once
// A plugin's configuration in small: every kind of member, structs that share keys, checks.

#include <cnix/config/read.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace demo {

using cnix::config::checker;
using cnix::config::entry;
using cnix::config::path;
using cnix::config::raw;
using cnix::config::text;

/// One to three digits behind a slash; has no default value, as a prefix has none.
class prefix {
  public:
    static constexpr std::string_view form = "a prefix length such as /16";
    static constexpr std::optional<prefix> parse(std::string_view chars) {
        if (chars.size() < 2 || chars.size() > 4 || chars[0] != '/') return std::nullopt;
        int length = 0;
        for (char const byte : chars.substr(1)) {
            if (byte < '0' || byte > '9') return std::nullopt;
            length = length * 10 + (byte - '0');
        }
        return prefix(length);
    }
    constexpr int length() const { return length_; }

  private:
    constexpr explicit prefix(int length) : length_(length) {}
    int length_;
};

struct range {
    std::optional<prefix> subnet;
    text gateway;

    constexpr void check(checker& found) const {
        if (!subnet) found.fault("subnet", "a range needs a subnet");
        if (subnet && subnet->length() > 32 && gateway == "first")
            found.fault("gateway", "`first` needs a subnet of at most /32");
    }
};

struct addresses {
    text type = "host-local";
    std::vector<std::vector<range>> ranges;
    std::vector<prefix> routes;

    constexpr void check(checker& found) const {
        for (std::size_t i = 0; i < ranges.size(); ++i)
            if (ranges[i].empty()) found.fault(path("ranges", i), "a range set needs a range");
    }
};

struct trunk {
    std::uint16_t minID = 0;
    std::uint16_t maxID = 0;
};

enum class backend { iptables, nftables };
constexpr auto json_words(backend) {
    using cnix::config::word;
    return std::array{word{"iptables", backend::iptables}, word{"nftables", backend::nftables}};
}

struct mac_at_run_time {
    text mac;
};
struct ips_at_run_time {
    std::vector<text> ips;
};

struct bridge {
    text bridge = "cni0";
    bool isGateway = false;
    bool hairpinMode = false;
    bool promiscMode = false;
    int mtu = 0;
    std::optional<std::int8_t> level;
    std::optional<backend> ipMasqBackend;
    std::vector<trunk> vlanTrunk;
    mac_at_run_time runtimeConfig;
    raw prevResult;
    std::vector<entry<bool>> capabilities;
    std::vector<raw> attachments;

    static constexpr std::array json_keys{cnix::config::renamed{"attachments", "cni.dev/valid-attachments"}};

    constexpr void check(checker& found) const {
        if (hairpinMode && promiscMode) found.fault("promiscMode", "excludes `hairpinMode`");
    }
};

/// A part whose member is a policy's own struct.
template <class Ipam> struct slots {
    std::optional<Ipam> ipam;
    ips_at_run_time runtimeConfig;
    int mtu = 0; // of interest to two policies

    CNIX_CONFIG_MEMBERS(slots, ipam, runtimeConfig, mtu);
};

struct nothing {};

/// For whoever reads it later.
struct slice {
    raw runtimeConfig;
};

struct tagged {
    text type;
    static constexpr bool open = true;
};

using plugin = cnix::config::all_of<bridge, slots<addresses>, nothing>;

struct conflist {
    text cniVersion;
    text name;
    std::vector<plugin> plugins;
};

} // namespace demo

BOOST_HANA_ADAPT_STRUCT(demo::range, subnet, gateway);
BOOST_HANA_ADAPT_STRUCT(demo::addresses, type, ranges, routes);
BOOST_HANA_ADAPT_STRUCT(demo::trunk, minID, maxID);
BOOST_HANA_ADAPT_STRUCT(demo::mac_at_run_time, mac);
BOOST_HANA_ADAPT_STRUCT(demo::ips_at_run_time, ips);
BOOST_HANA_ADAPT_STRUCT(demo::bridge, bridge, isGateway, hairpinMode, promiscMode, mtu, level, ipMasqBackend,
                        vlanTrunk, runtimeConfig, prevResult, capabilities, attachments);
BOOST_HANA_ADAPT_STRUCT(demo::nothing);
BOOST_HANA_ADAPT_STRUCT(demo::slice, runtimeConfig);
BOOST_HANA_ADAPT_STRUCT(demo::tagged, type);
BOOST_HANA_ADAPT_STRUCT(demo::conflist, cniVersion, name, plugins);
