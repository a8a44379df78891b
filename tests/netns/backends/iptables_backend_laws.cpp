#include <cnix/backends/iptables.hpp>

#include <laws/iptables_backend_laws.hpp>
#include <support/iptables_flavour.hpp>
#include <support/own_namespace.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;

test::own_namespace const own{"iptables-save", "ip6tables-save"};

TEST_CASE("the laws of iptables_backend, with the flavour that the node has chosen") {
    laws::iptables_backend_laws<backends::iptables>{}.all();
}

TEST_CASE("and in a node that has rules of its own") {
    for (std::string const program : {"iptables-restore", "ip6tables-restore"})
        test::output_of({program, "--noflush"},
                        "*nat\n:SITE - [0:0]\n-A POSTROUTING -j SITE\n-A SITE -j MASQUERADE\nCOMMIT\n");
    laws::iptables_backend_laws<backends::iptables>{}.all();
}

TEST_CASE("with iptables-legacy") { // the last test: from here on the kernel has the legacy table
    if (!test::has_iptables_legacy()) {
        MESSAGE("skipped: the kernel or the node has no legacy iptables");
        return;
    }
    test::iptables_flavour const legacy{"/usr/sbin/xtables-legacy-multi"};
    laws::iptables_backend_laws<backends::iptables>{}.all();
}

} // namespace
