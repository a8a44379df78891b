#include <cnix/link/bridge.hpp>

struct my_netlink : cnix::archetypes::netlink {
    void add_veth() = delete;
};
using my_plugin =
    cnix::plugin<cnix::link::bridge<my_netlink>, models::good_ipam, models::good_nat, models::good_ns>;
my_plugin it;
