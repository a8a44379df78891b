#include <cnix/backends/iptables.hpp>
#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/spoof_check.hpp>
#include <cnix/main.hpp>
#include <cnix/nat/iptables.hpp>
#include <cnix/ns/setns.hpp>
#include <cnix/plan.hpp>

using namespace cnix;
using backends::libnl;
using backends::nftables;

using bridge_iptables = plugin<link::bridge<libnl, link::spoof_check<nftables>>, ipam::host_local,
                               nat::iptables<backends::iptables>, ns::setns>;

int main(int argc, char** argv) {
    return cnix::main<bridge_iptables>(argc, argv, cnix::plan<bridge_iptables>);
}
