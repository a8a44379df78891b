#include <cnix/cni/error.hpp>
#include <cnix/cni/network_config.hpp>
#include <cnix/config/read.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using cnix::cni::attachments_to_keep;
using cnix::cni::network_config;
using cnix::cni::network_name;
using cnix::cni::version;

namespace {

// The compiler reads it, too.
constexpr bool readable = [] {
    auto const conf =
        cnix::config::read<network_config>(R"({"cniVersion":"1.1.0","name":"n","capabilities":{"mac":true},
        "dns":{"search":["a"]},"args":{"cni":{"mac":"x"}},"prevResult":{"a":1},
        "cni.dev/valid-attachments":[{"containerID":"c","ifname":"eth0"}]})",
                                           cnix::config::strict);
    return conf.ok() && conf.value.cniVersion == version::v1_1_0 && conf.value.capabilities[0].value &&
           conf.value.args.cni.json == R"({"mac":"x"})" && conf.value.prevResult.json == R"({"a":1})" &&
           conf.value.dns.given() && conf.value.valid_attachments->front().ifname == "eth0" &&
           !conf.value.attachments;
}();
static_assert(readable);

std::optional<cnix::cni::valid_attachments> keep(std::string_view json) {
    auto const conf = cnix::config::read<network_config>(json);
    REQUIRE(conf.ok());
    return attachments_to_keep(conf.value, network_name::parse("net").value());
}

} // namespace

TEST_CASE("no list is not an empty list") {
    CHECK_FALSE(keep("{}"));
    CHECK_FALSE(keep(R"({"cni.dev/valid-attachments":null})"));
    REQUIRE(keep(R"({"cni.dev/valid-attachments":[]})"));
    CHECK(keep(R"({"cni.dev/valid-attachments":[]})")->pairs().empty());
}

TEST_CASE("what either key names is kept") {
    auto const older = keep(R"({"cni.dev/attachments":[{"containerID":"old","ifname":"eth0"}]})");
    REQUIRE(older);
    CHECK(older->contains("old", "eth0"));
    auto const both = keep(R"({"cni.dev/attachments":[{"containerID":"old","ifname":"eth0"}],
                               "cni.dev/valid-attachments":[{"containerID":"new","ifname":"eth0"}]})");
    REQUIRE(both);
    CHECK(both->contains("new", "eth0"));
    CHECK(both->contains("old", "eth0"));
    CHECK_FALSE(both->contains("third", "eth0"));
    for (
        std::string_view const json :
        {R"({"cni.dev/valid-attachments":[],"cni.dev/attachments":[{"containerID":"c","ifname":"eth0"}]})",
         R"({"cni.dev/valid-attachments":[{"containerID":"c","ifname":"eth0"}],"cni.dev/attachments":[]})"}) {
        CAPTURE(json);
        REQUIRE(keep(json));
        CHECK(keep(json)->pairs() == std::set<std::pair<std::string, std::string>>{{"c", "eth0"}});
    }
}

TEST_CASE("what no ADD can have been asked for is passed over") {
    auto const kept = keep(R"({"cni.dev/valid-attachments":[{"containerID":"../x","ifname":"eth0"},
        {"containerID":"c","ifname":"a/b"},{"containerID":"c","ifname":"eth1"}]})");
    REQUIRE(kept);
    CHECK(kept->pairs() == std::set<std::pair<std::string, std::string>>{{"c", "eth1"}});
}

TEST_CASE("an element that cannot be read is a fault, never garbage") {
    for (std::string_view const json :
         {R"({"cni.dev/valid-attachments":[{"containerID":5,"ifname":"eth0"}]})",
          R"({"cni.dev/valid-attachments":[{"containerID":"c","ifname":null}]})",
          R"({"cni.dev/valid-attachments":[{"containerID":"c"}]})", R"({"cni.dev/valid-attachments":["c"]})",
          R"({"cni.dev/attachments":[{}]})",
          R"({"cni.dev/valid-attachments":[],"cni.dev/attachments":[{}]})"}) {
        CAPTURE(json);
        auto const conf = cnix::config::read<network_config>(json);
        CHECK_THROWS_WITH_AS(attachments_to_keep(conf.value, network_name::parse("net").value()),
                             "element 0 of the list of valid attachments needs the strings `containerID` and "
                             "`ifname`",
                             cnix::cni::error);
    }
    auto const conf = cnix::config::read<network_config>(R"({"cni.dev/valid-attachments":{}})");
    CHECK_FALSE(conf.ok());
    CHECK_FALSE(attachments_to_keep(conf.value, network_name::parse("net").value()));
}

TEST_CASE("a list that the reader cut is refused") {
    std::string json = R"({"cni.dev/valid-attachments":[{"containerID":"c","ifname":"e"})";
    for (std::size_t i = 1; i < cnix::config::max_elements - 1; ++i)
        json += R"(,{"containerID":"c","ifname":"e"})";
    CHECK(keep(json + "]}"));
    json += R"(,{"containerID":"c","ifname":"e"},{"containerID":"d","ifname":"e"}]})";
    auto const conf = cnix::config::read<network_config>(json);
    CHECK_THROWS_AS(attachments_to_keep(conf.value, network_name::parse("net").value()), cnix::cni::error);
}

TEST_CASE("dns says something as soon as a key is there") {
    auto const dns = [](std::string_view json) { return cnix::config::read<network_config>(json).value.dns; };
    CHECK_FALSE(dns("{}").given());
    CHECK_FALSE(dns(R"({"dns":{}})").given());
    CHECK_FALSE(dns(R"({"dns":{"domain":"","search":null}})").given());
    CHECK(dns(R"({"dns":{"nameservers":[]}})").given());
    CHECK(dns(R"({"dns":{"domain":"d"}})").given());
    CHECK(dns(R"({"dns":{"search":[]}})").given());
    CHECK(dns(R"({"dns":{"options":[]}})").given());
    CHECK(dns(R"({"dns":{"search":[]}})").value().empty());
    auto const full =
        dns(R"({"dns":{"nameservers":["1","2"],"domain":"d","search":["s"],"options":["o"]}})").value();
    CHECK(full == cnix::cni::dns{{"1", "2"}, "d", {"s"}, {"o"}});
}
