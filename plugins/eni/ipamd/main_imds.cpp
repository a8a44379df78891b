#include <ipamd/ipamd.hpp>
#include <ipamd/provider/imds.hpp>
#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/nat/nftables.hpp>

using namespace cnix;

int main(int argc, char** argv) {
    return eni::ipamd<provider::imds, nat::nftables<backends::nftables>, backends::libnl>::main(
        "cnix-ipamd-imds", argc, argv);
}
