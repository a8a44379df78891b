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
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static _Alignas(8) char buffer[4096];
static size_t used;

static void fail(char const* what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

// Grows the message by zeroed room for `size` bytes and the padding after them.
static void* room(size_t size) {
    if (used + NLMSG_ALIGN(size) > sizeof buffer) {
        errno = EMSGSIZE;
        fail("build the request");
    }
    void* const at = buffer + used;
    used += NLMSG_ALIGN(size);
    return at;
}

static struct nlmsghdr* open_message(int type, int flags) {
    struct nlmsghdr* const header = room(sizeof *header);
    header->nlmsg_type = (__u16)type;
    header->nlmsg_flags = (__u16)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return header;
}

static void close_message(struct nlmsghdr* header) {
    header->nlmsg_len = (__u32)(buffer + used - (char*)header);
}

static struct rtattr* open_nest(int type) {
    struct rtattr* const nest = room(sizeof *nest);
    nest->rta_type = (unsigned short)type;
    return nest;
}

static void close_nest(struct rtattr* nest) { nest->rta_len = (unsigned short)(buffer + used - (char*)nest); }

static void put(int type, void const* data, size_t size) {
    struct rtattr* const attribute = room(RTA_LENGTH(size));
    attribute->rta_type = (unsigned short)type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(size);
    if (size > 0) memcpy(RTA_DATA(attribute), data, size);
}

static void put_u32(int type, unsigned value) { put(type, &value, sizeof value); }

static void put_text(int type, char const* text) { put(type, text, strlen(text) + 1); }

static int open_netlink(void) {
    int const s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (s < 0) fail("open a netlink socket");
    return s;
}

// Sends the buffer and reads one acknowledgement a message.
static void talk(int s, int messages, char const* what) {
    if (send(s, buffer, used, 0) != (ssize_t)used) fail(what);
    used = 0;
    while (messages > 0) {
        _Alignas(8) char answer[2048];
        ssize_t const got = recv(s, answer, sizeof answer, 0);
        if (got < 0) fail(what);
        size_t left = (size_t)got;
        for (struct nlmsghdr* header = (struct nlmsghdr*)answer; NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left), --messages) {
            const struct nlmsgerr* const outcome = NLMSG_DATA(header);
            if (header->nlmsg_type != NLMSG_ERROR)
                errno = EPROTO;
            else
                errno = -outcome->error;
            if (errno != 0) fail(what);
        }
    }
    memset(buffer, 0, sizeof buffer);
}

static unsigned index_of(int s, char const* name) {
    struct ifreq request = {0};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(s, SIOCGIFINDEX, &request) < 0) fail(name);
    return (unsigned)request.ifr_ifindex;
}

static struct in_addr address_of(char* text, unsigned char* length) {
    char* const slash = strchr(text, '/');
    struct in_addr address;
    if (slash) {
        *slash = '\0';
        *length = (unsigned char)atoi(slash + 1);
    }
    if (inet_pton(AF_INET, text, &address) != 1) {
        errno = EINVAL;
        fail(text);
    }
    return address;
}

static void put_mac(char const* text) {
    unsigned char mac[6];
    if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) !=
        6) {
        errno = EINVAL;
        fail(text);
    }
    put(IFLA_ADDRESS, mac, sizeof mac);
}

static void put_link_up(unsigned index) {
    struct nlmsghdr* const link = open_message(RTM_NEWLINK, 0);
    struct ifinfomsg* const info = room(sizeof *info);
    info->ifi_index = (int)index;
    info->ifi_flags = info->ifi_change = IFF_UP;
    close_message(link);
}

static void put_address(unsigned index, char* text) {
    unsigned char length = 32;
    const struct in_addr address = address_of(text, &length);
    struct nlmsghdr* const message = open_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg* const info = room(sizeof *info);
    info->ifa_family = AF_INET;
    info->ifa_prefixlen = length;
    info->ifa_index = index;
    put(IFA_LOCAL, &address, sizeof address);
    put(IFA_ADDRESS, &address, sizeof address);
    close_message(message);
}

static void put_default_route(unsigned index, char* text) {
    unsigned char unused;
    const struct in_addr gateway = address_of(text, &unused);
    struct nlmsghdr* const message = open_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg* const route = room(sizeof *route);
    route->rtm_family = AF_INET;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_BOOT;
    route->rtm_scope = RT_SCOPE_UNIVERSE;
    route->rtm_type = RTN_UNICAST;
    put(RTA_GATEWAY, &gateway, sizeof gateway);
    put_u32(RTA_OIF, index);
    close_message(message);
}

static void add(char** arguments) {
    char const* const host = arguments[0];
    char const* const bridge = arguments[1];
    char const* const pod_path = arguments[2];
    char const* const interface = arguments[3];
    unsigned const mtu = (unsigned)atoi(arguments[6]);

    int const node = open_netlink();
    int const pod_namespace = open(pod_path, O_RDONLY | O_CLOEXEC);
    if (pod_namespace < 0) fail(pod_path);

    struct nlmsghdr* const pair = open_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct ifinfomsg* const info = room(sizeof *info);
    info->ifi_flags = info->ifi_change = IFF_UP;
    put_text(IFLA_IFNAME, host);
    put_u32(IFLA_MTU, mtu);
    put_u32(IFLA_MASTER, index_of(node, bridge));
    struct rtattr* const kind = open_nest(IFLA_LINKINFO);
    put_text(IFLA_INFO_KIND, "veth");
    struct rtattr* const data = open_nest(IFLA_INFO_DATA);
    struct rtattr* const peer = open_nest(VETH_INFO_PEER);
    room(sizeof(struct ifinfomsg));
    put_text(IFLA_IFNAME, interface);
    put_u32(IFLA_MTU, mtu);
    put_mac(arguments[7]);
    put_u32(IFLA_NET_NS_FD, (unsigned)pod_namespace);
    close_nest(peer);
    close_nest(data);
    close_nest(kind);
    close_message(pair);
    talk(node, 1, "make the veth pair");

    if (setns(pod_namespace, CLONE_NEWNET) < 0) fail("enter the pod's namespace");
    int const pod = open_netlink();
    unsigned const index = index_of(pod, interface);
    put_link_up(index);
    put_address(index, arguments[4]);
    int const routed = strcmp(arguments[5], "-") != 0;
    if (routed) put_default_route(index, arguments[5]);
    talk(pod, 2 + routed, "configure the pod's interface");
}

static void del(char const* host) {
    int const node = open_netlink();
    struct nlmsghdr* const link = open_message(RTM_DELLINK, 0);
    room(sizeof(struct ifinfomsg));
    put_text(IFLA_IFNAME, host);
    close_message(link);
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
    put_address(index_of(node, name), address);
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
