#pragma once
#include <ipamd/snapshot.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace cnix::test {

inline net::address address(std::string_view text) { return net::address::parse(text).value(); }
inline net::prefix prefix(std::string_view text) { return net::prefix::parse(text).value(); }

/// 2023-11-14 22:13:20 UTC.
inline eni::time_point at(int seconds) {
    return eni::time_point{std::chrono::seconds{1'700'000'000 + seconds}};
}

/// Two ENIs: the primary one with three addresses, of which one is assigned and one cooling; another with a prefix of which one
/// is assigned. One address is quarantined.
inline ipamd::snapshot two_enis() {
    ipamd::snapshot all;
    all.now = at(100);
    all.known = true;
    all.most_enis = 3;
    all.places = 9;
    all.pods = 3;
    all.ipv4 = {19, 2, 1};

    ipamd::eni_view primary;
    primary.nic.id = "eni-1";
    primary.nic.cidrs = {prefix("10.0.1.20/32"), prefix("10.0.1.21/32"), prefix("10.0.1.22/32")};
    primary.subnet_id = "subnet-1";
    primary.ipv4 = {3, 1, 1};
    primary.addresses = {{.address = address("10.0.1.20"),
                          .cidr = prefix("10.0.1.20/32"),
                          .key = eni::pod_key{"aws-cni", std::string(64, 'a'), "eth0"},
                          .pod = {.name_space = "default", .name = "nginx"},
                          .assigned = at(40)},
                         {.address = address("10.0.1.21"),
                          .cidr = prefix("10.0.1.21/32"),
                          .released = at(85),
                          .cooling_until = at(115)}};
    ipamd::eni_view second;
    second.nic.id = "eni-2";
    second.nic.device_number = 1;
    second.nic.cidrs = {prefix("10.0.2.16/28")};
    second.subnet_id = "subnet-2";
    second.ipv4 = {16, 1, 0};
    second.addresses = {{.address = address("10.0.2.17"),
                         .cidr = prefix("10.0.2.16/28"),
                         .key = eni::pod_key{"aws-cni", std::string(64, 'b'), "eth0"},
                         .pod = {.name_space = "kube-system", .name = "coredns-0"},
                         .assigned = at(-90'000)}};
    all.enis = {primary, second};
    all.quarantined = {{.address = address("10.0.9.9"),
                        .key = eni::pod_key{"aws-cni", std::string(64, 'c'), "eth0"},
                        .pod = {.name_space = "default", .name = "lost"},
                        .assigned = at(0)}};
    all.growth = "nothing is missing";
    return all;
}

} // namespace cnix::test
