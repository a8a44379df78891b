#include <cnix/backends/iptables.hpp>
#include <cnix/backends/libnl.hpp>
#include <cnix/nat/iptables.hpp>

#include "command.hpp"

using namespace cnix;

int main(int argc, char** argv) {
    return eni::node_command<eni::node<backends::libnl, nat::iptables<backends::iptables>>>(argc, argv);
}
