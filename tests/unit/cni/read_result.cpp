#include <cnix/cni/error.hpp>
#include <cnix/cni/network_config.hpp>
#include <cnix/cni/read_result.hpp>
#include <cnix/cni/result_json.hpp>
#include <cnix/config/read.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <random>
#include <string>
#include <string_view>

using cnix::cni::code;
using cnix::cni::error;
using cnix::cni::read_result;
using cnix::cni::result;
using cnix::cni::to_json;
using cnix::cni::version;
using cnix::net::address;
using cnix::net::prefix;

namespace {

address at(std::string_view text) { return address::parse(text).value(); }
prefix net(std::string_view text) { return prefix::parse(text).value(); }
result read(std::string_view json, version configured = version::v1_1_0) {
    return read_result(json, configured);
}

// What plugins 1.1.1 of Debian 12 printed.
constexpr std::string_view bridge_of_debian = R"({
    "cniVersion": "0.4.0",
    "interfaces": [
        {
            "name": "br0",
            "mac": "86:05:26:d1:0c:41"
        },
        {
            "name": "veth2521a342",
            "mac": "66:4e:21:e9:48:0f"
        },
        {
            "name": "eth0",
            "mac": "fa:8c:d4:b6:c5:31",
            "sandbox": "/run/netns/pod"
        }
    ],
    "ips": [
        {
            "version": "4",
            "interface": 2,
            "address": "10.1.0.5/16",
            "gateway": "10.1.0.1"
        },
        {
            "version": "6",
            "interface": 2,
            "address": "fd00::5/64",
            "gateway": "fd00::1"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        },
        {
            "dst": "10.2.0.0/16",
            "gw": "10.1.0.9"
        },
        {
            "dst": "::/0"
        }
    ],
    "dns": {}
})";

constexpr std::string_view static_of_debian = R"({
    "cniVersion": "0.2.0",
    "ip4": {
        "ip": "10.1.0.5/16",
        "gateway": "10.1.0.1",
        "routes": [
            {
                "dst": "0.0.0.0/0"
            },
            {
                "dst": "10.2.0.0/16",
                "gw": "10.1.0.9"
            }
        ]
    },
    "ip6": {
        "ip": "fd00::5/64",
        "gateway": "fd00::1",
        "routes": [
            {
                "dst": "::/0"
            }
        ]
    },
    "dns": {
        "nameservers": [
            "10.1.0.1"
        ],
        "domain": "x.y"
    }
})";

} // namespace

TEST_CASE("results of the reference's plugins are read and written again without a difference") {
    result const bridge = read(bridge_of_debian);
    REQUIRE(bridge.interfaces.size() == 3);
    CHECK(bridge.interfaces[2].name == "eth0");
    CHECK(bridge.interfaces[2].sandbox == "/run/netns/pod");
    REQUIRE(bridge.ips.size() == 2);
    CHECK(bridge.ips[0] == cnix::cni::ip{net("10.1.0.5/16"), at("10.1.0.1"), 2});
    CHECK(bridge.ips[1] == cnix::cni::ip{net("fd00::5/64"), at("fd00::1"), 2});
    REQUIRE(bridge.routes.size() == 3);
    CHECK(bridge.routes[1] == cnix::cni::route{.dst = net("10.2.0.0/16"), .gw = at("10.1.0.9")});
    CHECK(to_json(bridge, version::v0_4_0) == bridge_of_debian);

    result const fixed = read(static_of_debian);
    CHECK(fixed.interfaces.empty());
    CHECK(fixed.ips[0] == cnix::cni::ip{net("10.1.0.5/16"), at("10.1.0.1"), {}});
    CHECK(fixed.dns.nameservers == std::vector<std::string>{"10.1.0.1"});
    CHECK(fixed.dns.domain == "x.y");
    CHECK(to_json(fixed, version::v0_2_0) == static_of_debian);
}

TEST_CASE("without a version of its own it is of the configuration's") {
    CHECK(read(R"({"ip4":{"ip":"10.0.0.1/8"}})", version::v0_2_0).ips.size() == 1);
    CHECK(read(R"({"ip4":{"ip":"10.0.0.1/8"}})", version::v0_3_0).ips.empty());
    CHECK(read(R"({"ips":[{"address":"10.0.0.1/8"}]})", version::v0_3_0).ips.size() == 1);
    CHECK(read(R"({"ips":[{"address":"10.0.0.1/8"}]})", version::v0_1_0).ips.empty());
    CHECK(read(R"({"cniVersion":"","ips":[{"address":"10.0.0.1/8"}]})").ips.size() == 1);
}

TEST_CASE("its own version wins, in any case of the key") {
    CHECK(read(R"({"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.1/8"}})").ips.size() == 1);
    CHECK(read(R"({"CNIVersion":"1.0.0","ips":[{"address":"10.0.0.1/8"}]})", version::v0_2_0).ips.size() ==
          1);
}

TEST_CASE("what others write for `none`") {
    result const r = read(R"({"interfaces":[{"name":"a"}],
        "ips":[{"address":"10.0.0.1/8","gateway":"","interface":-1},{"address":"10.0.0.2/8","interface":1},
               {"address":"10.0.0.3/8","interface":0}],
        "routes":null,"dns":{"search":null}})");
    CHECK_FALSE(r.ips[0].gateway);
    CHECK_FALSE(r.ips[0].interface);
    CHECK_FALSE(r.ips[1].interface);
    CHECK(r.ips[2].interface == 0U);
    CHECK(r.routes.empty());
    CHECK(r.dns.empty());
}

TEST_CASE("what is no result") {
    struct refusal {
        std::string_view json;
        std::string_view message;
    };
    for (refusal const& r : {
             refusal{R"({"cniVersion":"7.0.0"})", R"(unsupported CNI result version "7.0.0")"},
             {"", "could not parse the result: 1:1: the text ends where a value is expected"},
             {"[]", "could not parse the result: 1:1: $: expected an object, found an array"},
             {R"({"cniVersion":5})",
              "could not parse the result: 1:15: $.cniVersion: expected a string, found a number"},
             {R"({"ips":[{}]})", "could not parse the result: 1:9: $.ips[0]: `address` is missing"},
             {R"({"routes":[{"gw":"10.0.0.1"}]})",
              "could not parse the result: 1:12: $.routes[0]: `dst` is missing"},
             {R"({"cniVersion":"0.2.0","ip6":{}})",
              "could not parse the result: 1:29: $.ip6: `ip` is missing"},
             {R"({"ips":[{"address":"10.0.0.1"}]})",
              "could not parse the result: 1:20: $.ips[0].address: `10.0.0.1` is not an address with a "
              "prefix length such as "
              "10.1.0.0/16 or fd00::/64"},
             {R"({"ips":[{"address":"10.0.0.1/8","gateway":"x"}]})",
              "could not parse the result: 1:43: $.ips[0].gateway: `x` is not an IP address such as 10.1.0.1 "
              "or fd00::1"},
         }) {
        CAPTURE(r.json);
        try {
            read(r.json);
            FAIL_CHECK("accepted");
        } catch (error const& e) {
            CHECK(e.code() == code::decoding_failure);
            CHECK(e.message() == r.message);
        }
    }
}

TEST_CASE("prevResult's faults are placed in the configuration") {
    std::string const config = "{\"name\":\"n\",\n \"prevResult\":{\"ips\":[{}]}}";
    auto const conf = cnix::config::read<cnix::cni::network_config>(config);
    REQUIRE(conf.ok());
    CHECK_THROWS_WITH(read_result(config, conf.value.prevResult.json, "$.prevResult", version::v1_1_0),
                      "could not parse the result: 2:23: $.prevResult.ips[0]: `address` is missing");
}

TEST_CASE("what is written is read again") {
    std::mt19937 random{20250717};
    auto const some = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    auto const any_address = [&](bool four) {
        return four ? address::v4(static_cast<std::uint32_t>(random()))
                    : address::v6(0xfd00ULL << 48 | random(), random());
    };
    auto const text = [&] {
        std::string out;
        for (unsigned i = some(6); i > 0; --i)
            out += "a\"\\<\n\x01\xC3\xA9"[some(9)] == '\xC3' ? 'b' : "ab\"\\<\n\x01/-"[some(9)];
        return out;
    };
    for (int i = 0; i < 2000; ++i) {
        result r;
        for (unsigned n = some(3); n > 0; --n)
            r.interfaces.push_back(
                {text(), some(2) ? "02:00:00:00:00:01" : "", some(2) * 1400, text(), text(), text()});
        for (unsigned n = some(4); n > 0; --n) {
            bool const four = some(2) == 0;
            auto const a = any_address(four);
            cnix::cni::ip ip{prefix::make(a, static_cast<int>(some(four ? 33 : 129))).value(), {}, {}};
            if (some(2)) ip.gateway = any_address(four);
            if (!r.interfaces.empty() && some(2))
                ip.interface = some(static_cast<unsigned>(r.interfaces.size()));
            r.ips.push_back(ip);
        }
        for (unsigned n = some(4); n > 0; --n) {
            bool const four = some(2) == 0;
            cnix::cni::route route{.dst =
                                       prefix::make(any_address(four), static_cast<int>(some(33))).value()};
            if (some(2)) route.gw = any_address(four);
            route.mtu = some(2) * 1400;
            route.advmss = some(2) * 1300;
            route.priority = some(3);
            if (some(2)) route.table = some(3);
            if (some(2)) route.scope = some(255);
            r.routes.push_back(route);
        }
        r.dns.domain = text();
        for (unsigned n = some(3); n > 0; --n) r.dns.search.push_back(text());

        CAPTURE(to_json(r, version::v1_1_0));
        REQUIRE(read(to_json(r, version::v1_0_0)) == r);
        REQUIRE(read(to_json(r, version::v1_1_0)) == r);

        result older = r; // what 0.3.0 has no key for
        for (auto& one : older.interfaces) one.mtu = 0, one.socket_path = one.pci_id = "";
        for (version const v : {version::v0_3_0, version::v0_3_1, version::v0_4_0})
            REQUIRE(read(to_json(r, v)) == older);

        if (r.ips.empty()) continue;
        std::string const oldest = to_json(r, version::v0_2_0); // loses, but only once
        REQUIRE(to_json(read(oldest), version::v0_2_0) == oldest);
    }
}
