// What the floors (floor.c, eni_floor.c) are made of: requests to rtnetlink in one static buffer, many of them sent at once.
// Every function ends the program if it fails.
#pragma once
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
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
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

static int open_namespace(char const* path) {
    int const file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) fail(path);
    return file;
}

static void enter(int namespace) {
    if (setns(namespace, CLONE_NEWNET) < 0) fail("enter the pod's namespace");
}

// Of either family.
struct address {
    unsigned char family, length;
    unsigned char size;
    unsigned char bytes[16];
};

// Of ADDRESS or ADDRESS/LEN, which is cut in two.
static struct address address_of(char* text) {
    struct address made = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
    made.size = made.family == AF_INET ? 4 : 16;
    made.length = (unsigned char)(made.size * 8);
    char* const slash = strchr(text, '/');
    if (slash) {
        *slash = '\0';
        made.length = (unsigned char)atoi(slash + 1);
    }
    if (inet_pton(made.family, text, made.bytes) != 1) {
        errno = EINVAL;
        fail(text);
    }
    return made;
}

static void mac_of(char const* text, unsigned char* mac) {
    if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) !=
        6) {
        errno = EINVAL;
        fail(text);
    }
}

static void put_mac(int type, char const* text) {
    unsigned char mac[6];
    mac_of(text, mac);
    put(type, mac, sizeof mac);
}

// What makes a veth pair: its host end, up, with the peer in another namespace. A `master` of 0 is none, and a MAC address of NULL
// the kernel's choice.
static void put_queues(unsigned queues) {
    if (queues == 0) return;
    put_u32(IFLA_NUM_TX_QUEUES, queues);
    put_u32(IFLA_NUM_RX_QUEUES, queues);
}

// `queues` of either end; 0: the kernel's choice.
static void put_veth(char const* host, char const* host_mac, unsigned master, int peer_namespace,
                     char const* peer, char const* peer_mac, unsigned mtu, unsigned queues) {
    struct nlmsghdr* const pair = open_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct ifinfomsg* const info = room(sizeof *info);
    info->ifi_flags = info->ifi_change = IFF_UP;
    put_text(IFLA_IFNAME, host);
    put_queues(queues);
    put_u32(IFLA_MTU, mtu);
    if (host_mac) put_mac(IFLA_ADDRESS, host_mac);
    if (master != 0) put_u32(IFLA_MASTER, master);
    struct rtattr* const kind = open_nest(IFLA_LINKINFO);
    put_text(IFLA_INFO_KIND, "veth");
    struct rtattr* const data = open_nest(IFLA_INFO_DATA);
    struct rtattr* const end = open_nest(VETH_INFO_PEER);
    room(sizeof(struct ifinfomsg));
    put_text(IFLA_IFNAME, peer);
    put_queues(queues);
    put_u32(IFLA_MTU, mtu);
    put_mac(IFLA_ADDRESS, peer_mac);
    put_u32(IFLA_NET_NS_FD, (unsigned)peer_namespace);
    close_nest(end);
    close_nest(data);
    close_nest(kind);
    close_message(pair);
}

static void put_link_up(unsigned index) {
    struct nlmsghdr* const link = open_message(RTM_NEWLINK, 0);
    struct ifinfomsg* const info = room(sizeof *info);
    info->ifi_index = (int)index;
    info->ifi_flags = info->ifi_change = IFF_UP;
    close_message(link);
}

static void put_delete_link(char const* name) {
    struct nlmsghdr* const link = open_message(RTM_DELLINK, 0);
    room(sizeof(struct ifinfomsg));
    put_text(IFLA_IFNAME, name);
    close_message(link);
}

static void put_address(unsigned index, struct address address) {
    struct nlmsghdr* const message = open_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg* const info = room(sizeof *info);
    info->ifa_family = address.family;
    info->ifa_prefixlen = address.length;
    info->ifa_flags = address.family == AF_INET6 ? IFA_F_NODAD : 0;
    info->ifa_index = index;
    put(IFA_LOCAL, address.bytes, address.size);
    put(IFA_ADDRESS, address.bytes, address.size);
    close_message(message);
}

// To `to` by the device alone, or to everything over `gateway`: one of the two is NULL.
static void put_route(unsigned index, struct address const* to, struct address const* gateway) {
    struct nlmsghdr* const message = open_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg* const route = room(sizeof *route);
    route->rtm_family = to ? to->family : gateway->family;
    route->rtm_dst_len = to ? to->length : 0;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_BOOT;
    route->rtm_scope = to && to->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    route->rtm_type = RTN_UNICAST;
    if (to) put(RTA_DST, to->bytes, to->size);
    if (gateway) put(RTA_GATEWAY, gateway->bytes, gateway->size);
    put_u32(RTA_OIF, index);
    close_message(message);
}
