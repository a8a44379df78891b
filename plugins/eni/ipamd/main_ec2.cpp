#include <ipamd/ipamd.hpp>
#include <ipamd/provider/ec2.hpp>
#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/nat/nftables.hpp>

using namespace cnix;

int main(int argc, char** argv) {
    return eni::ipamd<provider::ec2, nat::nftables<backends::nftables>, backends::libnl>::main("cnix-ipamd",
                                                                                               argc, argv);
}
