// The kernel's own price of an ADD: a static program that does nothing but the netlink calls without which a
// pod has no interface, and no reading of configuration, allocation of addresses or printing of a result.
//
//   floor version                                                 start and end
//   floor bridge BRIDGE ADDRESS/LEN                               make the bridge (not measured)
//   floor add HOST BRIDGE NETNS IFNAME ADDRESS/LEN GATEWAY MTU MAC
//   floor del HOST
//
// (GATEWAY "-" leaves out the default route.)
// ADD is two requests, each acknowledged: in the node's namespace one RTM_NEWLINK makes the veth pair, host
// end up and a port of the bridge, peer in the pod's namespace; in there one buffer holds RTM_NEWLINK (up),
// RTM_NEWADDR and RTM_NEWROUTE (default). The peer cannot be made up in the first request: the kernel
// configures it before its other end is registered, and answers ENOTCONN.
#define _GNU_SOURCE
#include "netlink.h"

static void add(char** arguments) {
    char const* const host = arguments[0];
    char const* const bridge = arguments[1];
    char const* const interface = arguments[3];
    unsigned const mtu = (unsigned)atoi(arguments[6]);

    int const node = open_netlink();
    int const pod_namespace = open_namespace(arguments[2]);
    put_veth(host, NULL, index_of(node, bridge), pod_namespace, interface, arguments[7], mtu, 0);
    talk(node, 1, "make the veth pair");

    enter(pod_namespace);
    int const pod = open_netlink();
    unsigned const index = index_of(pod, interface);
    put_link_up(index);
    put_address(index, address_of(arguments[4]));
    int const routed = strcmp(arguments[5], "-") != 0;
    if (routed) {
        const struct address gateway = address_of(arguments[5]);
        put_route(index, NULL, &gateway);
    }
    talk(pod, 2 + routed, "configure the pod's interface");
}

static void del(char const* host) {
    int const node = open_netlink();
    put_delete_link(host);
    talk(node, 1, "delete the veth pair");
}

static void make_bridge(char const* name, char* address) {
    int const node = open_netlink();
    struct nlmsghdr* const link = open_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct ifinfomsg* const info = room(sizeof *info);
    info->ifi_flags = info->ifi_change = IFF_UP;
    put_text(IFLA_IFNAME, name);
    struct rtattr* const kind = open_nest(IFLA_LINKINFO);
    put_text(IFLA_INFO_KIND, "bridge");
    close_nest(kind);
    close_message(link);
    talk(node, 1, "make the bridge");
    put_address(index_of(node, name), address_of(address));
    talk(node, 1, "give the bridge its address");
}

int main(int argc, char** argv) {
    if (argc == 2 && strcmp(argv[1], "version") == 0) return 0;
    if (argc == 10 && strcmp(argv[1], "add") == 0) return add(argv + 2), 0;
    if (argc == 3 && strcmp(argv[1], "del") == 0) return del(argv[2]), 0;
    if (argc == 4 && strcmp(argv[1], "bridge") == 0) return make_bridge(argv[2], argv[3]), 0;
    fputs("floor: usage: see the head of floor.c\n", stderr);
    return 2;
}
