// The kernel's own price of an ADD of the ENI design, as floor.c's of a bridge: a static program that does nothing but the netlink
// calls without which a pod has not what link::eni_routed makes of an interface, its routes, neighbours and policy rules.
//
//   eni_floor version                                             start and end
//   eni_floor add HOST NETNS IFNAME ADDRESS TABLE MTU HOSTMAC PODMAC QUEUES
//   eni_floor del HOST ADDRESS TABLE
//
// ADD is three buffers, each message acknowledged: in the node's namespace RTM_NEWLINK makes the veth pair, host end up, peer in the
// pod's namespace; in there one buffer has RTM_NEWLINK (up; before it, for IPv6, no link-local address), RTM_NEWADDR, two
// RTM_NEWROUTE (gateway, default) and RTM_NEWNEIGH (gateway); on the node one has RTM_NEWROUTE, two RTM_NEWRULE and RTM_NEWNEIGH. It
// writes no sysctl and does not wait until the host end carries traffic. QUEUES are either end's; 0: the kernel's choice, which since
// Linux 5.15 is one a CPU, of which it takes all but one away again, and waits for RCU each time. DEL is one buffer: two RTM_DELRULE and RTM_DELLINK, with
// which the route goes.
#define _GNU_SOURCE
#include "netlink.h"
#include <linux/fib_rules.h>

static void put_neighbour(unsigned index, struct address const* to, char const* mac) {
    struct nlmsghdr* const message = open_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
    struct ndmsg* const info = room(sizeof *info);
    info->ndm_family = to->family;
    info->ndm_ifindex = (int)index;
    info->ndm_state = NUD_PERMANENT;
    put(NDA_DST, to->bytes, to->size);
    put_mac(NDA_LLADDR, mac);
    close_message(message);
}

// IN6_ADDR_GEN_MODE_NONE.
static void put_no_link_local(unsigned index) {
    struct nlmsghdr* const link = open_message(RTM_NEWLINK, 0);
    struct ifinfomsg* const info = room(sizeof *info);
    info->ifi_index = (int)index;
    struct rtattr* const families = open_nest(IFLA_AF_SPEC);
    struct rtattr* const family = open_nest(AF_INET6);
    unsigned char const mode = IN6_ADDR_GEN_MODE_NONE;
    put(IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
    close_nest(family);
    close_nest(families);
    close_message(link);
}

// To the pod by main, and from it by `table`.
static void put_rules(int type, struct address const* pod, unsigned table) {
    for (int from = 0; from < 2; ++from) {
        struct nlmsghdr* const message =
            open_message(type, type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0);
        struct fib_rule_hdr* const rule = room(sizeof *rule);
        rule->family = pod->family;
        rule->action = FR_ACT_TO_TBL;
        *(from ? &rule->src_len : &rule->dst_len) = pod->length;
        put(from ? FRA_SRC : FRA_DST, pod->bytes, pod->size);
        put_u32(FRA_PRIORITY, from ? 1536 : 512);
        put_u32(FRA_TABLE, from ? table : RT_TABLE_MAIN);
        close_message(message);
    }
}

static void add(char** arguments) {
    char const* const host = arguments[0];
    char const* const interface = arguments[2];
    const struct address address = address_of(arguments[3]);
    unsigned const table = (unsigned)atoi(arguments[4]);
    char const* const host_mac = arguments[6];
    char const* const pod_mac = arguments[7];
    char gateway_text[] = "169.254.1.1", gateway6_text[] = "fe80::1";
    const struct address gateway = address_of(address.family == AF_INET ? gateway_text : gateway6_text);

    int const node = open_netlink();
    int const pod_namespace = open_namespace(arguments[1]);
    put_veth(host, host_mac, 0, pod_namespace, interface, pod_mac, (unsigned)atoi(arguments[5]),
             (unsigned)atoi(arguments[8]));
    talk(node, 1, "make the veth pair");
    unsigned const host_index = index_of(node, host);

    enter(pod_namespace);
    int const pod = open_netlink();
    unsigned const index = index_of(pod, interface);
    int const ipv6 = address.family == AF_INET6;
    if (ipv6) put_no_link_local(index);
    put_link_up(index);
    put_address(index, address);
    put_route(index, &gateway, NULL);
    put_route(index, NULL, &gateway);
    put_neighbour(index, &gateway, host_mac);
    talk(pod, 5 + ipv6, "configure the pod's interface");

    put_route(host_index, &address, NULL);
    put_rules(RTM_NEWRULE, &address, table);
    put_neighbour(host_index, &address, pod_mac);
    talk(node, 4, "route the pod");
}

static void del(char** arguments) {
    const struct address address = address_of(arguments[1]);
    int const node = open_netlink();
    put_rules(RTM_DELRULE, &address, (unsigned)atoi(arguments[2]));
    put_delete_link(arguments[0]);
    talk(node, 3, "remove the pod");
}

int main(int argc, char** argv) {
    if (argc == 2 && strcmp(argv[1], "version") == 0) return 0;
    if (argc == 11 && strcmp(argv[1], "add") == 0) return add(argv + 2), 0;
    if (argc == 5 && strcmp(argv[1], "del") == 0) return del(argv + 2), 0;
    fputs("eni_floor: usage: see the head of eni_floor.c\n", stderr);
    return 2;
}
