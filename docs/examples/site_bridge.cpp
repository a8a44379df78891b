#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/main.hpp>
#include <cnix/ns/setns.hpp>

#include "site_nat.hpp"

using namespace cnix;
using backends::libnl;
using backends::nftables;

using site_bridge = plugin<link::bridge<libnl>, ipam::host_local, site::nat<nftables>, ns::setns>;

int main(int argc, char** argv) { return cnix::main<site_bridge>(argc, argv); }
