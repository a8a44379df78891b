// How addresses of an ENI come and go.
#include <ipamd/provider/ec2.hpp>

#include <algorithm>

namespace cnix::provider {

using namespace ipamd;

namespace {

/// Of the kind, and not had before.
std::vector<net::prefix> fresh(std::vector<net::prefix> all, eni::network_interface const& of,
                               kind const& what) {
    std::erase_if(all, [&](net::prefix const& cidr) {
        bool const single = cidr.length() == net::bits(cidr.family());
        return cidr.family() != what.family || single == what.prefixes ||
               (single && cidr.address() == of.primary) ||
               std::ranges::find(of.cidrs, cidr) != of.cidrs.end();
    });
    std::ranges::sort(all);
    auto const [begin, end] = std::ranges::unique(all);
    all.erase(begin, end);
    return all;
}

} // namespace

std::vector<net::prefix> ec2::assign(eni::network_interface const& of, kind what, int count,
                                     std::stop_token stop) {
    if (what.family == net::family::ipv6) what.prefixes = true;
    auto const truth = [&] {
        auto const found = describe({of.id}, stop);
        if (found.empty()) return std::vector<net::prefix>{};
        return fresh(what.family == net::family::ipv4 ? found.front().ipv4 : found.front().ipv6, of, what);
    };
    std::vector<net::prefix> given;
    try {
        given = api(stop).assign(of.id, {what, count}, stop);
    } catch (cloud_error const& e) {
        switch (e.kind()) {
        case trouble::limit_exceeded: // somebody else has assigned some
        case trouble::unavailable:    // it may have been carried out
        case trouble::nonsense:
            if (auto had = truth(); !had.empty()) return had;
            throw;
        case trouble::no_addresses:
            if (count == 1) throw;
            given = api(stop).assign(of.id, {what, 1}, stop); // as many as that there may be
            break;
        default:
            throw;
        }
    }
    auto added = fresh(std::move(given), of, what);
    if (added.empty()) added = truth();
    if (added.empty())
        throw cloud_error{
            trouble::nonsense,
            what.family == net::family::ipv4 ? "AssignPrivateIpAddresses" : "AssignIpv6Addresses",
            {},
            "EC2 says that " + of.id + " was given addresses, and it has none that it did not have"};
    return added;
}

void ec2::unassign(std::string const& eni, std::span<net::prefix const> cidrs, std::stop_token stop) {
    for (auto const family : {net::family::ipv4, net::family::ipv6}) {
        std::vector<net::prefix> some;
        std::ranges::copy_if(cidrs, std::back_inserter(some),
                             [&](auto const& one) { return one.family() == family; });
        if (some.empty()) continue;
        try {
            api(stop).unassign(eni, some, stop);
        } catch (cloud_error const& e) {
            if (e.kind() == trouble::not_found) return;
            if (e.code() != "InvalidParameterValue") throw;
            auto const found = describe({eni}, stop); // perhaps it has only some of them
            if (found.empty()) return;
            auto const& had = family == net::family::ipv4 ? found.front().ipv4 : found.front().ipv6;
            auto const asked = some.size();
            std::erase_if(some, [&](auto const& one) { return std::ranges::find(had, one) == had.end(); });
            if (some.size() == asked) throw;
            if (!some.empty()) api(stop).unassign(eni, some, stop);
        }
    }
}

std::size_t ec2::follow_security_groups(cloud_node const& node, std::stop_token stop) {
    auto const& wanted = node.enis.front().security_groups;
    if (wanted.empty()) return 0;
    std::size_t changed = 0;
    for (auto const& eni : node.enis) {
        if (!eni.managed || eni.efa_only || eni.trunk || eni.security_groups == wanted) continue;
        try {
            api(stop).set_security_groups(eni.nic.id, wanted, stop);
            ++changed;
        } catch (cloud_error const& e) {
            if (e.kind() == trouble::stopped) throw;
            note(std::string{"an ENI keeps its security groups, which are not the primary one's: "} +
                 e.what());
        }
    }
    return changed;
}

} // namespace cnix::provider
