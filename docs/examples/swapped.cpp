// The wrong composition of the README: Link and Ipam are swapped.
#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/main.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/ns/setns.hpp>

using namespace cnix;
using backends::libnl;
using backends::nftables;

// FAIL link 2: static assertion failed: cnix: the slot `Link` is given an Ipam
// FAIL ipam 2: static assertion failed: cnix: the slot `Ipam` is given a Link
#if defined(CT_link) || defined(CT_ipam)
using bridge = plugin<ipam::host_local, link::bridge<libnl>, nat::nftables<nftables>, ns::setns>;

int main(int argc, char** argv) { return cnix::main<bridge>(argc, argv); }
#endif
