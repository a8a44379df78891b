#include <cnix/backends/libnl.hpp>

#include "composition.hpp"
#include <cstdio>

static_assert(cnix::netlink_backend<cnix::backends::libnl>);

int main() { return std::printf("%s\n", site::plain_ipam::well_formed ? "well formed" : "") < 0; }
