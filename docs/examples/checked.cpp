// A configuration that the compiler checks as the plugin would.
#include <cnix/accepts.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/ns/setns.hpp>
#include <cnix/plugin.hpp>

#include <string_view>

using namespace cnix;
using bridge =
    plugin<link::bridge<archetypes::netlink>, ipam::host_local, nat::nftables<archetypes::nft>, ns::setns>;

constexpr std::string_view pods = R"({
  "cniVersion": "1.1.0",
  "name": "pods",
  "type": "bridge",
  "isGateway": true,
  "ipam": { "type": "host-local", "subnet": "10.88.0.0/16" }
})";
static_assert(accepts<bridge>(pods));

// FAIL misspelt: cnix: pods.conf:5:3: \$: unknown key `isGatway`, did you mean `isGateway`
#ifdef CT_misspelt
constexpr std::string_view misspelt = R"({
  "cniVersion": "1.1.0",
  "name": "pods",
  "type": "bridge",
  "isGatway": true
})";
constexpr auto verdicts = config::judge_each(faults_of<bridge>(misspelt), "pods.conf");
static_assert(config::accepted<verdicts>);
#endif
