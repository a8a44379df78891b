// The plugin eni for the daemons of an older generation of the protocol, for tests/netns/eni/test_daemon.py. The name that it is
// called by says of which: eni-v1_7 or eni-v1_10.
#include <cnix/backends/grpc.hpp>
#include <cnix/backends/libnl.hpp>
#include <cnix/ipam/remote.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/main.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/ns/setns.hpp>
#include <cnix/plugin.hpp>

#include <string_view>

namespace {

using namespace cnix;

template <class Generation>
using eni_of =
    plugin<link::eni_routed<backends::libnl>, ipam::remote<backends::grpc<Generation>>, nat::none, ns::setns>;

} // namespace

int main(int argc, char** argv) {
    std::string_view const name = argc > 0 ? argv[0] : "";
    if (name.ends_with("/eni-v1_7")) return cnix::main<eni_of<rpc::v1_7>>(argc, argv);
    if (name.ends_with("/eni-v1_10")) return cnix::main<eni_of<rpc::v1_10>>(argc, argv);
    return 2;
}
