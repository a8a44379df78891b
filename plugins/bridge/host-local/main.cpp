#include <cnix/ipam/host_local.hpp>
#include <cnix/main.hpp>

using host_local = cnix::ipam_plugin<cnix::ipam::host_local>;

int main(int argc, char** argv) { return cnix::main<host_local>(argc, argv); }
