#include <cnix/backends/libnl.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/main.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/ns/setns.hpp>
#include <cnix/plan.hpp>

using namespace cnix;

using plain_bridge = plugin<link::bridge<backends::libnl>, ipam::host_local, nat::none, ns::setns>;

int main(int argc, char** argv) { return cnix::main<plain_bridge>(argc, argv, cnix::plan<plain_bridge>); }
