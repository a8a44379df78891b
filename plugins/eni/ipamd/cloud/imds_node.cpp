#include <ipamd/cloud/imds_node.hpp>
#include <ipamd/cloud/imds_text.hpp>
#include <ipamd/cloud/patience.hpp>

#include <algorithm>
#include <map>
#include <tuple>

namespace cnix::ipamd {

namespace {

using net::family;

constexpr std::string_view interfaces = "meta-data/network/interfaces/macs/";
constexpr int max_device = 99, max_card = 31; // no instance type comes near

/// Of one ENI: only keys that its listing has are asked for.
class eni_reader {
  public:
    eni_reader(imds_client& imds, net::mac const& mac, std::stop_token stop)
        : imds_{imds}, base_{std::string{interfaces} + mac.str() + '/'}, stop_{std::move(stop)} {
        if (auto const listing = imds_.get(base_, stop_))
            for (auto& name : imds_text::names(base_, *listing)) names_.push_back(std::move(name));
    }
    bool is_there() const { return !names_.empty(); }
    bool has(std::string_view key) const { return std::ranges::find(names_, key) != names_.end(); }

    std::string text(std::string_view key) { return imds_.require(path(key), stop_); }
    std::string path(std::string_view key) const { return base_ + std::string{key}; }

    std::vector<net::address> addresses(std::string_view key, family of) {
        return has(key) ? imds_text::addresses(path(key), text(key), of) : std::vector<net::address>{};
    }
    std::vector<net::prefix> prefixes(std::string_view key, family of) {
        return has(key) ? imds_text::prefixes(path(key), text(key), of) : std::vector<net::prefix>{};
    }

  private:
    imds_client& imds_;
    std::string base_;
    std::stop_token stop_;
    std::vector<std::string> names_{};
};

/// The router of a subnet: the first address of IPv4's, and the same everywhere for IPv6.
net::address router(net::prefix const& subnet) {
    return subnet.is_v4() ? subnet.first().next() : *net::address::parse("fe80:ec2::1");
}

cloud_eni read_eni(eni_reader& from, provider_settings const& settings, net::mac const& mac) {
    cloud_eni eni;
    auto& nic = eni.nic;
    nic.mac = mac;
    nic.id = imds_text::id(from.path("interface-id"), from.text("interface-id"), "eni-");
    nic.device_number = imds_text::number(from.path("device-number"), from.text("device-number"), max_device);
    if (from.has("network-card"))
        nic.network_card = imds_text::number(from.path("network-card"), from.text("network-card"), max_card);
    eni.managed = nic.network_card == 0 || settings.multi_nic;
    eni.subnet_id = imds_text::id(from.path("subnet-id"), from.text("subnet-id"), "subnet-");
    if (from.has("security-group-ids"))
        eni.security_groups =
            imds_text::ids(from.path("security-group-ids"), from.text("security-group-ids"), "sg-");
    std::ranges::sort(eni.security_groups);

    auto const own = from.addresses("local-ipv4s", family::ipv4);
    eni.efa_only = own.empty() && !from.has("ipv6s");
    if (!own.empty()) nic.primary = own.front();
    if (settings.ipv4) {
        for (auto const& subnet : from.prefixes("subnet-ipv4-cidr-block", family::ipv4))
            nic.subnets.push_back({subnet, router(subnet)});
        for (auto const& address : own)
            if (address != nic.primary) nic.cidrs.push_back(net::prefix::host(address));
        std::ranges::copy(from.prefixes("ipv4-prefix", family::ipv4), std::back_inserter(nic.cidrs));
    }
    if (settings.ipv6) {
        auto const subnets = from.prefixes("subnet-ipv6-cidr-blocks", family::ipv6);
        if (!subnets.empty()) nic.subnets.push_back({subnets.front(), router(subnets.front())});
        std::ranges::copy(from.prefixes("ipv6-prefix", family::ipv6), std::back_inserter(nic.cidrs));
    }
    return eni;
}

cloud_node read_node(imds_client& imds, provider_settings const& settings, std::stop_token const& stop) {
    cloud_node node;
    std::string const document = "dynamic/instance-identity/document";
    auto const identity = imds_text::document(document, imds.require(document, stop));
    node.instance_id = identity.instance_id;
    node.instance_type = identity.instance_type;
    node.region = settings.region.empty() ? identity.region : settings.region;
    node.zone = identity.zone;

    std::string const list{interfaces};
    std::vector<net::mac> macs;
    for (auto& name : imds_text::names(list, imds.require(list, stop))) {
        if (name.ends_with('/')) name.pop_back();
        macs.push_back(imds_text::mac(list, name));
    }
    for (auto const& mac : macs) {
        eni_reader from{imds, mac, stop};
        if (!from.is_there())
            throw cloud_error{trouble::nonsense,
                              list,
                              {},
                              "the instance metadata list the interface " + mac.str() +
                                  " and know nothing of it"};
        node.enis.push_back(read_eni(from, settings, mac));
        auto const& eni = node.enis.back();
        if (eni.nic.device_number != 0 || eni.nic.network_card != 0) continue;
        node.vpc_id = imds_text::id(from.path("vpc-id"), from.text("vpc-id"), "vpc-");
        node.primary_ipv4 = eni.nic.primary;
        if (auto const own = from.addresses("ipv6s", family::ipv6); !own.empty())
            node.primary_ipv6 = own.front();
        node.vpc_cidrs = from.prefixes("vpc-ipv4-cidr-blocks", family::ipv4);
        if (settings.ipv6)
            std::ranges::copy(from.prefixes("vpc-ipv6-cidr-blocks", family::ipv6),
                              std::back_inserter(node.vpc_cidrs));
    }
    std::ranges::sort(node.enis, {}, [](cloud_eni const& one) {
        return std::tie(one.nic.network_card, one.nic.device_number);
    });
    return node;
}

[[noreturn]] void contradict(std::string const& what) {
    throw cloud_error{trouble::nonsense,
                      std::string{interfaces},
                      {},
                      "the instance metadata contradict themselves: " + what};
}

} // namespace

void require_consistent(cloud_node const& node) {
    if (node.enis.empty() || node.enis.front().nic.device_number != 0 ||
        node.enis.front().nic.network_card != 0)
        contradict("no interface is the primary one, with device number 0");
    std::map<std::pair<int, int>, std::string> devices;
    std::map<std::string, net::mac> ids;
    std::vector<std::pair<net::prefix, std::string>> all; // with whose they are
    for (auto const& eni : node.enis) {
        auto const& nic = eni.nic;
        if (!ids.emplace(nic.id, nic.mac).second) contradict("two interfaces are " + nic.id);
        auto const [same, fresh] = devices.emplace(std::pair{nic.network_card, nic.device_number}, nic.id);
        if (!fresh)
            contradict(same->second + " and " + nic.id + " both have device number " +
                       std::to_string(nic.device_number) + " on network card " +
                       std::to_string(nic.network_card));
        for (auto const& subnet : nic.subnets)
            if (auto const& own = nic.primary;
                own && own->family() == subnet.prefix.family() && !subnet.prefix.contains(*own))
                contradict(nic.id + " has the address " + own->str() + " outside its subnet " +
                           subnet.prefix.str());
        if (nic.primary) all.emplace_back(net::prefix::host(*nic.primary), nic.id);
        for (auto const& cidr : nic.cidrs) {
            auto const* const subnet = nic.subnet_of(cidr.family());
            if (!subnet || !subnet->prefix.contains(cidr.first()) || !subnet->prefix.contains(cidr.last()))
                contradict(nic.id + " has " + cidr.str() + " outside its subnet");
            all.emplace_back(cidr, nic.id);
        }
    }
    std::ranges::sort(all, {}, [](auto const& one) { return one.first.first(); });
    for (std::size_t i = 1; i < all.size(); ++i)
        if (all[i - 1].first.overlaps(all[i].first))
            contradict(all[i - 1].second + " has " + all[i - 1].first.str() + " and " + all[i].second +
                       " has " + all[i].first.str());
}

cloud_node look_at(imds_client& imds, provider_settings const& settings, std::stop_token stop) {
    using namespace std::chrono_literals;
    constexpr int attempts = 3;
    patience wait{200ms, 1s};
    for (int attempt = 1;; ++attempt) {
        try {
            auto node = read_node(imds, settings, stop);
            require_consistent(node);
            return node;
        } catch (cloud_error const& e) {
            bool const changing = e.kind() == trouble::nonsense || e.kind() == trouble::not_found;
            if (!changing) throw;
            if (attempt == attempts) throw cloud_error{trouble::nonsense, e.api(), e.code(), e.what()};
        }
        if (!wait_for(wait.next(), stop))
            throw cloud_error{
                trouble::stopped, std::string{interfaces}, {}, "the instance metadata: stopped"};
    }
}

std::optional<cloud_eni> look_at_eni(imds_client& imds, provider_settings const& settings,
                                     net::mac const& mac, std::stop_token stop) {
    try {
        eni_reader from{imds, mac, std::move(stop)};
        if (!from.is_there()) return std::nullopt;
        return read_eni(from, settings, mac);
    } catch (cloud_error const& e) {
        if (e.kind() == trouble::not_found) return std::nullopt;
        throw;
    }
}

} // namespace cnix::ipamd
