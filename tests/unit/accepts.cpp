#include <cnix/accepts.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/plugin.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace {

using namespace cnix;
using bridge = plugin<link::bridge<archetypes::netlink>, ipam::host_local, nat::nftables<archetypes::nft>,
                      archetypes::ns>;
using host_local = ipam_plugin<ipam::host_local>;

constexpr std::string_view chain = R"({
  "cniVersion": "1.0.0",
  "name": "pods",
  "nerdctlID": "a key of the runtime's own",
  "plugins": [
    { "type": "bridge", "isGateway": true, "capabilities": { "ips": true, "mac": true },
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.1.0.0/16" }]] } },
    { "type": "portmap", "capabilities": { "portMappings": true }, "snat": true },
    { "type": "firewall" }
  ]
})";
static_assert(accepts<bridge>(chain));
static_assert(accepts<host_local>(chain));
static_assert(explain<bridge>(chain).empty());
static_assert(!accepts<bridge>(chain, "bridge", form_of("10-pods.conf")));

constexpr std::string_view single =
    R"({"cniVersion":"1.1.0","name":"n","type":"my-bridge","ipam":{"type":"host-local","subnet":"10.1.0.0/16"}})";
static_assert(accepts<bridge>(single, "my-bridge"));
static_assert(!accepts<bridge>(single));

/// A list of these plugins that has nothing else wrong.
std::string list(std::string const& plugins, std::string const& more = "") {
    return R"({"cniVersion":"1.0.0","name":"n",)" + more + R"("plugins":[)" + plugins + "]}";
}
std::string const ok = R"({"type":"bridge"})";

std::string of(std::string const& text, std::string_view type = "bridge") {
    return std::string{explain<bridge>(text, type)};
}

} // namespace

TEST_CASE("every fault of a file is told, in the order of their places") {
    CHECK(of(R"({
  "cniVersion": "9.0.0",
  "nam": "n",
  "plugins": [
    { "type": "bridge", "isGatway": true, "mtu": "1500",
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.1.0.0/16", "gateway": "10.2.0.1" }]] } },
    { "type": "portmap", "capabilities": { "portMappings": 1 } },
    {}
  ]
})") == "1:1: $.name: a network needs a `name`\n"
        "2:17: $.cniVersion: `9.0.0` is not a CNI version: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0 or "
        "1.1.0\n"
        "3:3: $: unknown key `nam`, did you mean `name`?\n"
        "5:25: $.plugins[0]: unknown key `isGatway`, did you mean `isGateway`?\n"
        "5:50: $.plugins[0].mtu: expected an integer, found a string\n"
        "6:89: $.plugins[0].ipam.ranges[0][0].gateway: Gateway 10.2.0.1 not in network 10.1.0.0/16: a pod "
        "could not reach it\n"
        "7:60: $.plugins[1].capabilities.portMappings: expected a boolean, found a number\n"
        "8:5: $.plugins[2].type: a plugin needs a `type`");
}

TEST_CASE("what is no network configuration is that alone") {
    CHECK(of("") == "1:1: the text ends where a value is expected");
    CHECK(of("[]") == "1:1: $: expected an object, found an array");
    CHECK(of(" 5") == "1:2: $: expected an object, found a number");
    CHECK(of("{\n,}").starts_with("2:1: "));
    CHECK(of(std::string(config::max_size + 1, ' ')).find("longer than 4 MiB") != std::string::npos);
    CHECK(of(std::string{"\0\xFF", 2}).starts_with("1:1: "));
}

TEST_CASE("a list has its own keys") {
    CHECK(of(list(ok)) == "");
    CHECK(of(list("")) == "1:44: $.plugins: a list needs at least one plugin");
    CHECK(of(R"({"cniVersion":"1.0.0","name":"n","plugins":{}})") ==
          "1:44: $.plugins: expected an array, found an object");
    CHECK(of(list(ok, R"("disableCheck":true,"disableGC":"false","loadOnlyInlinedPlugins":true,)")) == "");
    CHECK(of(list(ok, R"("disableCheck":1,)")) == "1:49: $.disableCheck: expected a boolean");
    CHECK(of(list(ok, R"("loadOnlyInlinedPlugins":"True",)")) == "");
    CHECK(of(list(ok, R"("cniVersions":["1.0.0","9.9.9"],)")) == "");
    CHECK(of(R"({"cniVersions":["0.4.0"],"name":"n","plugins":[{"type":"bridge"}]})") == "");
    CHECK(of(R"({"cniVersion":"1.0.0","name":"a b","plugins":[{"type":"bridge"}]})")
              .find("`a b` is not a name") != std::string::npos);
    for (std::size_t const size : {255U, 256U})
        CHECK(of(R"({"cniVersion":"1.0.0","plugins":[{"type":"bridge"}],"name":")" + std::string(size, 'n') +
                 R"("})")
                  .starts_with("1:60: $.name: the name is too long") == (size > 255));
    CHECK(of(R"({"name":"n","plugins":[{"type":"bridge"}]})").find("$.cniVersion: ") != std::string::npos);
    CHECK(of(list(ok + "," + "7")) == "1:63: $.plugins[1]: expected an object, found a number");
}

TEST_CASE("what libcni reads from a list") {
    std::string const refused = "runtimes refuse a list with `null` here: leave the key out";
    CHECK(of(list(ok, R"("disableCheck":null,)")) == "1:49: $.disableCheck: " + refused);
    CHECK(of(list(ok, R"("disableGC": null,"loadOnlyInlinedPlugins":null,)")) ==
          "1:47: $.disableGC: " + refused + "\n1:77: $.loadOnlyInlinedPlugins: " + refused);
    CHECK(of(list(ok, R"("cniVersions":null,)")).find(refused) != std::string::npos);
    CHECK(of(R"({"cniVersion":null,"cniVersions":["1.0.0"],"name":"n","plugins":[{"type":"bridge"}]})") ==
          "1:15: $.cniVersion: " + refused);
    CHECK_MESSAGE(of(list(R"({"type":"bridge","mtu":null})")) == "", "only of the list itself");
    CHECK(of(list(ok, R"("dns":null,)")) == "");

    CHECK(of(R"({"cniVersion":"","name":"n","plugins":[{"type":"bridge"}]})").find("needs a `cniVersion`") !=
          std::string::npos);
    CHECK(of(R"({"cniVersion":"","name":"n","type":"bridge"})").find("needs a `cniVersion`") !=
          std::string::npos);
    CHECK(of(R"({"cniVersion":"","cniVersions":["1.0.0",""],"name":"n","plugins":[{"type":"bridge"}]})") ==
          "");
    CHECK(of(R"({"cniVersion":"0.1.0","name":"n","plugins":[{"type":"bridge"}]})") == "");
    CHECK(of(list(ok, R"("cniVersions":["1.0","2","9.9.9",""],)")) == "");
    for (std::string const wrong : {"1.x", "v1.0.0", "1.0.0.0", "1..0", ".1", "1.", "-1"})
        CHECK(of(list(ok, R"("cniVersions":["1.0.0",")" + wrong + R"("],)")) ==
              "1:57: $.cniVersions[1]: `" + wrong + "` is not a version, such as 1.0.0");
}

TEST_CASE("a file's name says whether it is a list") {
    static_assert(form_of("net.d/10-pods.conflist") == file_form::list);
    static_assert(form_of("a.conf") == file_form::single && form_of("a.json") == file_form::single);
    static_assert(form_of("a") == file_form::any && form_of("/dev/stdin") == file_form::any);
    auto const as = [](std::string const& text, file_form form) {
        return std::string{explain<bridge>(text, "bridge", form)};
    };
    std::string const one = R"({"cniVersion":"1.0.0","name":"n","type":"bridge"})";
    CHECK(as(one, file_form::single) == "");
    CHECK(as(one, file_form::any) == "");
    CHECK(as(list(ok), file_form::list) == "");
    CHECK(as(list(ok), file_form::single) ==
          "1:44: $.plugins: a file of this name is taken for one plugin, and refused: name it `.conflist`");
    CHECK(as(one, file_form::list) == "1:1: $: a file of this name is taken for a list: put the plugin into "
                                      "`plugins`, or name the file `.conf`");
    std::string const directory =
        "1:1: $.plugins: a list needs its plugins; those of a directory beside it are "
        "not checked";
    std::string const without = R"({"cniVersion":"1.0.0","name":"n")";
    CHECK(as(without + "}", file_form::list) == directory);
    CHECK(as(without + R"(,"loadOnlyInlinedPlugins":false})", file_form::any) == directory);
    CHECK(as(without + "}", file_form::any) == "1:1: $.type: a plugin needs a `type`: `bridge`");
}

TEST_CASE("which entry is the plugin's") {
    CHECK(of(list(R"({"type":"ptp"})")) ==
          "1:44: $.plugins: no plugin of the list is `bridge`, the plugin that it is checked against");
    CHECK(of(list(R"({"type":"my-bridge","mtuu":1})"), "my-bridge") ==
          "1:65: $.plugins[0]: unknown key `mtuu`, did you mean `mtu`?");
    CHECK_MESSAGE(of(list(ok + R"(,{"type":"site","mtuu":1})")) == "", "another's keys are its own");
    CHECK(of(list(ok + R"(,{"type":"site","ipam":{"type":"static","addresses":[]}})")) == "");
    CHECK(of(R"({"cniVersion":"1.0.0","name":"n","type":"ptp"})") ==
          "1:41: $.type: `ptp` is not this plugin, which is `bridge`");
    CHECK(of(R"({"cniVersion":"1.0.0","name":"n","tpye":"bridge"})").find("did you mean `type`?") !=
          std::string::npos);
    std::string const delegated =
        list(R"({"type":"ptp","ipMasq":true,"ipam":{"type":"host-local","rangs":[]}})");
    CHECK(std::string{explain<host_local>(delegated)} ==
          "1:101: $.plugins[0].ipam: unknown key `rangs`, did you mean `ranges`?");
    CHECK(std::string{explain<host_local>(list(ok))} ==
          "1:44: $.plugins: no plugin of the list is `host-local`, the plugin that it is checked against, in "
          "`ipam.type`");
}

TEST_CASE("what a file holds cannot speak to the terminal") {
    auto const told =
        of(R"({"cniVersion":"1.0.0","name":"\u001b[31m\n1:1: fake","plugins":[{"type":"\u001b","ipam":5},
        {"type":"bridge","capabilities":{"\u0007":true}}]})");
    CHECK_MESSAGE(
        std::ranges::none_of(
            told, [](char byte) { return byte != '\n' && static_cast<unsigned char>(byte) < 0x20; }),
        told);
    CHECK(std::ranges::count(told, '\n') == 2);
}

TEST_CASE("a file of many faults is left at the bound") {
    std::string plugins = R"({"type":"bridge","capabilities":{"zz":true},"vlan":99999})";
    for (int i = 0; i < 5000; ++i) plugins += R"(,{"type":"bridge","capabilities":{"zz":true},"vlan":99999})";
    CHECK(faults_of<bridge>(list(plugins)).size() == config::max_faults);
}

TEST_CASE("capabilities that the plugin does not have") {
    CHECK(of(list(R"({"type":"bridge","capabilities":{"portMappings":true,"ips":true,"aliases":false}})")) ==
          "1:93: $.plugins[0].capabilities.portMappings: the plugin has no capability `portMappings`; it has "
          "`ipRanges`, `ips`, `mac`");
}

TEST_CASE("a chain whose order cannot work") {
    CHECK(of(list(R"({"type":"portmap"},)" + ok)) ==
          "1:53: $.plugins[0].type: `portmap` works on the interface of a plugin before it, and none makes "
          "one; put it behind the one that makes the interface");
    CHECK(
        of(list(R"({"type":"macvlan"},)" + ok)) ==
        "1:72: $.plugins[1].type: `bridge` makes the container's interface, as `macvlan` has before it; keep "
        "one of them");
    CHECK(of(list(R"({"type":"tuning"})"), "tuning") == "");
    CHECK(of(list(ok + "," + ok)).find("keep one of them") != std::string::npos);
    CHECK(of(list(ok + R"(,{"type":"tuning"},{"type":"portmap"},{"type":"bandwidth"})")) == "");
}

TEST_CASE("the list's version counts for its entries") {
    std::string const entry = R"({"type":"bridge","ipam":{"type":"host-local","subnet":"10.1.0.0/16"}})";
    for (auto const version : cni::version::texts)
        CHECK(of(R"({"cniVersion":")" + std::string{version} + R"(","name":"n","plugins":[)" + entry +
                 "]}") == "");
}
