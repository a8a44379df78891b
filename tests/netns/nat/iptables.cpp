#include <cnix/backends/iptables.hpp>
#include <cnix/nat/iptables.hpp>

#include <laws/nat_laws.hpp>
#include <support/own_namespace.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;
using nat_iptables = nat::iptables<backends::iptables>;

test::own_namespace const own{"iptables-save", "ip6tables-save"};

settings<nat_iptables> masquerading() {
    settings<nat_iptables> s;
    s.config.ipMasq = true;
    return s;
}
/// The rules and chains of both families, without iptables-save's comments; its built-in chains appear with
/// the first use.
std::string ruleset() {
    std::string rules;
    for (auto family : {net::family::ipv4, net::family::ipv6})
        for (auto const& line : backends::iptables{}.save(family))
            if (line.starts_with("-A") || line.starts_with(":CNI-"))
                rules += line.substr(0, line.find('[')) + '\n';
    return rules;
}

TEST_CASE("laws") { laws::nat_laws<nat_iptables>{masquerading(), ruleset}.all(); }

} // namespace
