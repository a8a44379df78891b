#pragma once
#include <cnix/link/forwarding.hpp>
#include <cnix/link/veth_pair.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <array>

namespace site {
namespace cni = cnix::cni;
namespace link = cnix::link;
namespace net = cnix::net;

struct point_to_point_config {
    std::uint16_t mtu = 0; ///< 0: the kernel's choice
};

/// A veth pair without a bridge: the node has a route to each address of the pod, the pod one default route a family.
/// No interface has the gateways' addresses: each end knows the other's MAC address, so that nobody asks for it.
template <cnix::netlink_backend Netlink> class point_to_point {
  public:
    using config = point_to_point_config;
    using lease = cni::lease;
    using settings = cnix::settings<point_to_point>;
    static constexpr std::string_view name = "point-to-point";

    void add(cni::attachment const& one, settings const& keys, cnix::ns_policy auto& pod, lease const& leased,
             cni::result& result, cni::rollback& undo) {
        result.ips = leased.ips;
        for (cni::ip& ip : result.ips)
            ip = {net::prefix::host(ip.address.address()), gateways[ip.address.is_v6()]};
        result.routes = link::with_default_routes(leased.routes, result.ips);

        Netlink host;
        auto const node_end =
            link::add_veth_pair(host, one, {.pod_netns = pod.fd(), .mtu = keys.config.mtu}, undo);
        auto const pod_end = pod.run([&] {
            Netlink inside;
            auto const made = link::just_made(inside, one.interface);
            link::configure_pod_interface(inside, made, {.ips = result.ips}, false);
            for (auto const& via : link::first_gateways(result.ips)) {
                inside.replace_neighbour({via, node_end.mac, made.index});
                inside.add_route({.dst = net::prefix::host(via), .device = made.index});
            }
            for (auto const& route : result.routes)
                inside.add_route(link::kernel_route(route, result.ips, made.index));
            return made;
        });
        for (cni::ip const& ip : result.ips) {
            host.replace_neighbour({ip.address.address(), pod_end.mac, node_end.index});
            host.add_route({.dst = ip.address, .device = node_end.index});
        }
        link::forward(host, result.ips);
        link::wait_operational(host, node_end.index);
        link::report_veth_pair(result, one, node_end, pod_end);
    }

    void del(cni::attachment const& one, settings const&, cnix::ns_policy auto* pod) {
        link::delete_veth_pair<Netlink>(one, pod); // and with it its routes and neighbours
    }

    cnix::pod_interfaces inspect(cni::attachment const& one, settings const&, cnix::ns_policy auto* pod) {
        return link::inspect_pod<Netlink>(one, pod);
    }

    void check(cni::attachment const& one, settings const& keys, cnix::ns_policy auto& pod,
               cni::result const& previous, cnix::findings& found) {
        Netlink host;
        auto const pair = link::check_veth_pair(host, one, pod, previous, {.mtu = keys.config.mtu}, found);
        if (!pair) return;
        auto const& [node_end, pod_end, ips] = *pair;
        for (cni::ip const& ip : ips) {
            link::check_route(host, node_end, {.dst = ip.address, .device = node_end.index}, found);
            link::check_neighbour(host, node_end, {ip.address.address(), pod_end.mac, node_end.index}, found);
        }
        pod.run([&] {
            Netlink inside;
            for (auto const& via : link::first_gateways(ips))
                link::check_neighbour(inside, pod_end, {via, node_end.mac, pod_end.index}, found);
        });
    }

    void gc(cni::valid_attachments const& valid, settings const&, cnix::findings& found) {
        link::delete_garbage<Netlink>(valid, found);
    }

    void status(settings const&, cnix::findings&) {} // an ADD makes all that it needs

  private:
    /// Link-local, so that nobody else has them: 169.254.1.1 and fe80::1.
    static constexpr std::array gateways{net::address::v4(0xa9fe0101), net::address::v6(0xfe80ull << 48, 1)};
};

} // namespace site

BOOST_HANA_ADAPT_STRUCT(site::point_to_point_config, mtu);
static_assert(cnix::link_policy<site::point_to_point<cnix::archetypes::netlink>>);
