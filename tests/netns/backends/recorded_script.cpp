#include <cnix/backends/libnl.hpp>
#include <cnix/backends/recording.hpp>

#include <doctest/doctest.h>

#include "laws/netlink_ip_laws.hpp"
#include "support/own_namespace.hpp"
#include "support/real_kernel.hpp"
#include <cstdlib>
#include <fstream>

using namespace cnix;
using namespace cnix::net::literals;
namespace recording = cnix::backends::recording;

namespace {
test::own_namespace const own{"ip", "bridge", "sysctl", "nsenter"};

/// What two kernels must agree on: everything but indices.
std::string portrait(auto& kernel, bool vlans) {
    std::string text;
    auto const name = [&](netlink::index index) { return index == 0 ? "-" : kernel.find_link(index)->name; };
    for (netlink::link const& link : kernel.links()) {
        if (link.name == "lo") continue;
        text += link.name + ' ' + link.kind + ' ' + link.mac.str() + " mtu " + std::to_string(link.mtu);
        text += link.up ? " up" : " down";
        if (link.promiscuous) text += " promiscuous";
        if (link.vlan_filtering) text += " filters";
        text += " master " + name(link.master) + " alias " + link.alias;
        if (auto const port = kernel.port(link.index))
            text += std::string{" hairpin "} + (port->hairpin ? '1' : '0') + " isolated " +
                    (port->isolated ? '1' : '0');
        if (vlans && link.master != 0)
            for (auto const& vlan : kernel.port_vlans(link.index))
                text +=
                    " vlan " + std::to_string(vlan.vid) + (vlan.pvid ? "p" : "") + (vlan.untagged ? "u" : "");
        text += '\n';
        for (auto const& address : kernel.addresses(link.index)) text += "  " + address.address.str() + '\n';
        for (auto const& neighbour : kernel.neighbours(link.index))
            text += "  neighbour " + neighbour.address.str() + ' ' + neighbour.mac.str() + '\n';
    }
    for (net::family const family : {net::family::ipv4, net::family::ipv6}) {
        std::vector<std::string> lines; // the order of routes to different destinations is the kernel's own
        for (auto const& route : kernel.routes(family)) {
            lines.push_back(
                route.dst.str() + " via " + (route.gateway ? route.gateway->str() : "-") + " dev " +
                name(route.device) + " metric " + std::to_string(route.priority) + " table " +
                std::to_string(route.table) + " scope " + std::to_string(route.scope.value_or(999)) +
                " mtu " + std::to_string(route.mtu) + " advmss " + std::to_string(route.advmss) + " proto " +
                std::to_string(route.protocol) + " src " + (route.source ? route.source->str() : "-") +
                (route.onlink ? " onlink" : "") + '\n');
        }
        std::sort(lines.begin(), lines.end());
        for (auto const& line : lines) text += line;
        for (auto const& rule : kernel.rules(family))
            text += "rule " + std::to_string(rule.priority) + " from " +
                    (rule.source ? rule.source->str() : "-") + " to " +
                    (rule.destination ? rule.destination->str() : "-") + " iif " + rule.input_interface +
                    " mark " + std::to_string(rule.mark) + '/' + std::to_string(rule.mask) + " table " +
                    std::to_string(rule.table) + " proto " + std::to_string(rule.protocol) + '\n';
    }
    for (char const* path :
         {"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/eth0/arp_notify"})
        text += std::string{path} + " = " + kernel.sysctl(path).value_or("none") + '\n';
    return text;
}

/// Gives sh's status.
int run_script(std::string const& script) {
    std::string const file = "/tmp/cnix-recorded-" + std::to_string(::getpid());
    std::ofstream{file} << "set -e\n" << script;
    int const status = std::system(("sh " + file).c_str());
    std::remove(file.c_str());
    return status;
}

/// One of everything that a plan can contain. `deletes`: an interface, too, which nothing brings back.
void ask_for_everything(auto& host, auto& pod, int pod_fd, bool vlans, bool deletes = true) {
    using test::cidr;
    using test::ip;
    using test::mac;
    auto const index = [](auto& kernel, char const* name) {
        return kernel.find_link(net::interface_name::parse(name).value())->index;
    };
    host.add_bridge({.name = "cni0"_ifname,
                     .mtu = 1400,
                     .mac = mac("02:00:00:00:00:01"),
                     .vlan_filtering = vlans,
                     .up = false});
    auto const bridge = index(host, "cni0");
    host.change_link(bridge, {.up = true, .promiscuous = true, .addr_gen_mode = 1});
    host.add_veth({.host = {.name = "veth1"_ifname, .mac = mac("02:00:00:00:00:11")},
                   .peer = {.name = "eth0"_ifname, .mac = mac("02:00:00:00:00:12")},
                   .peer_netns = pod_fd,
                   .mtu = 1400,
                   .master = bridge,
                   .host_up = false});
    auto const veth = index(host, "veth1");
    host.change_link(veth, {.up = true, .alias = "cnix:a b'c\"$d", .addr_gen_mode = 1});
    host.change_port(veth, {.hairpin = true, .isolated = true});
    if (vlans) {
        host.add_port_vlan(veth, {100, true, true});
        host.add_port_vlan(veth, {7, false, false});
        host.delete_port_vlan(veth, {.vid = 1});
    }
    host.add_veth({.host = {.name = "gone"_ifname}, .peer = {.name = "gone2"_ifname}, .master = bridge});
    host.change_link(index(host, "gone"), {.master = 0});
    if (deletes) host.delete_link(index(host, "gone"));
    host.add_address(bridge, {.address = cidr("10.1.0.1/16")});
    host.add_address(bridge, {.address = cidr("10.3.0.1/16")});
    host.delete_address(bridge, cidr("10.3.0.1/16"));
    host.set_sysctl("net/ipv4/ip_forward", "1");
    netlink::rule_spec const rule{.family = net::family::ipv4,
                                  .priority = 512,
                                  .table = 1000,
                                  .source = cidr("10.1.0.2/32"),
                                  .destination = cidr("10.2.0.0/16"),
                                  .input_interface = "cni0",
                                  .mark = 0x80,
                                  .mask = 0xff,
                                  .protocol = 77};
    host.add_rule(rule);
    host.add_rule(
        {.family = net::family::ipv6, .priority = 1, .table = 70000, .source = cidr("fd00::2/128")});
    host.add_rule({.family = net::family::ipv4, .priority = 600});
    host.delete_rule({.family = net::family::ipv4, .priority = 600});
    host.add_route({.dst = cidr("10.9.0.0/16"), .device = bridge, .table = 1000, .protocol = 77});

    pod.run([&] {
        std::remove_reference_t<decltype(host)> inside;
        auto const eth0 = index(inside, "eth0");
        inside.set_sysctl("net/ipv4/conf/eth0/arp_notify", "1");
        inside.change_link(eth0, {.up = true, .addr_gen_mode = 1});
        inside.add_address(eth0, {.address = cidr("10.1.0.2/16")});
        inside.add_address(eth0, {.address = cidr("10.4.0.2/32")});
        inside.add_address(eth0, {.address = cidr("fd00::2/64"), .no_dad = true});
        netlink::route_spec route{
            .dst = cidr("0.0.0.0/0"), .gateway = ip("10.1.0.1"), .device = eth0, .mtu = 1300, .advmss = 1200};
        inside.add_route(route);
        route.gateway = ip("10.1.0.3");
        inside.add_route(route);
        inside.replace_route(
            {.dst = cidr("172.16.0.0/12"), .gateway = ip("10.1.0.9"), .device = eth0, .priority = 5});
        inside.add_route({.dst = cidr("192.0.2.0/24"), .device = eth0, .source = ip("10.4.0.2")});
        inside.add_route(
            {.dst = cidr("198.51.100.0/24"), .gateway = ip("169.254.1.1"), .device = eth0, .onlink = true});
        inside.add_route({.dst = cidr("::/0"), .gateway = ip("fd00::1"), .device = eth0, .mtu = 1300});
        inside.add_route({.dst = cidr("::/0"), .gateway = ip("fd00::3"), .device = eth0, .mtu = 1300});
        inside.add_route({.dst = cidr("fd20::/48"), .device = eth0, .priority = 3});
        inside.delete_route({.dst = cidr("fd20::/48"), .device = eth0, .priority = 3});
        inside.replace_neighbour({ip("10.1.0.1"), mac("02:00:00:00:00:01"), eth0});
        inside.replace_neighbour({ip("fd00::1"), mac("02:00:00:00:00:01"), eth0});
        inside.replace_neighbour({ip("fd00::9"), mac("02:00:00:00:00:01"), eth0});
        inside.delete_neighbour({ip("fd00::9"), mac("02:00:00:00:00:01"), eth0});
    });
}
} // namespace

TEST_CASE("what takes a recorded step back, last first, leaves what was there before") {
    recording::reset();
    test::real_kernel node;
    bool const vlans = node.can_filter_vlans();
    auto const everything = [&] {
        return portrait(node.host, vlans) + node.pod.run([&] { return portrait(node.inside, vlans); });
    };
    recording::netlink model;
    recording::ns pod = recording::ns::open(node.pod_path);
    ask_for_everything(model, pod, pod.fd(), vlans, false);

    std::string const before = everything();
    std::string back;
    auto const& steps = recording::journal::steps();
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
        CAPTURE(step->command);
        CHECK(!step->undo.empty());
        for (std::string const& line : step->undo) back += line + '\n';
    }
    INFO(recording::journal::text(), back);
    REQUIRE(run_script(recording::journal::text()) == 0);
    CHECK(everything() != before);
    REQUIRE(run_script(back) == 0);
    CHECK(everything() == before);
}

TEST_CASE("what is recorded is a script that does the same, and libnl does the same") {
    recording::reset();
    test::real_kernel scripted;
    bool const vlans = scripted.can_filter_vlans();

    recording::netlink model;
    recording::ns model_pod = recording::ns::open(scripted.pod_path);
    ask_for_everything(model, model_pod, model_pod.fd(), vlans);
    auto model_inside = model_pod.run([] { return recording::netlink{}; });

    INFO(recording::journal::text());
    REQUIRE(run_script(recording::journal::text()) == 0);
    std::string const scripted_host = portrait(scripted.host, vlans);
    std::string const scripted_pod = scripted.pod.run([&] { return portrait(scripted.inside, vlans); });

    CHECK(scripted_host == portrait(model, vlans));
    CHECK(scripted_pod == model_pod.run([&] { return portrait(model_inside, vlans); }));

    test::real_kernel direct;
    ask_for_everything(direct.host, direct.pod, direct.pod.fd(), vlans);
    CHECK(portrait(direct.host, vlans) == scripted_host);
    CHECK(direct.pod.run([&] { return portrait(direct.inside, vlans); }) == scripted_pod);
    if (!vlans) MESSAGE("skipped: VLANs, this kernel's bridges have no tables for them");
}
