#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/nat/nftables.hpp>

#include "command.hpp"

using namespace cnix;

int main(int argc, char** argv) {
    return eni::node_command<eni::node<backends::libnl, nat::nftables<backends::nftables>>>(argc, argv);
}
