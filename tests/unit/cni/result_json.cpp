#include <cnix/cni/error.hpp>
#include <cnix/cni/result_json.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using cnix::cni::code;
using cnix::cni::error;
using cnix::cni::result;
using cnix::cni::to_json;
using cnix::cni::version;
using cnix::net::address;
using cnix::net::prefix;

namespace {

address at(std::string_view text) { return address::parse(text).value(); }
prefix net(std::string_view text) { return prefix::parse(text).value(); }

/// Everything a result can hold.
result full() {
    result r;
    r.interfaces = {{"cni0", "5e:a5:00:00:00:01", 0, "", "", ""},
                    {"eth0", "5e:a5:00:00:00:03", 1500, "/run/netns/a<b>&", "/s", "0000:00:1f.6"}};
    r.ips = {
        {net("10.1.0.5/16"), at("10.1.0.1"), 1}, {net("fd00::5/64"), {}, 1}, {net("10.1.0.6/16"), {}, {}}};
    r.routes = {{.dst = net("0.0.0.0/0")},
                {net("10.2.0.0/16"), at("10.1.0.9"), 1400, 1300, 7, 100, 253},
                {.dst = net("::/0"), .gw = at("fd00::1"), .table = 0, .scope = 0}};
    r.dns = {{"10.1.0.1"}, "x.y", {"s"}, {"o"}};
    return r;
}

// full() as containernetworking/cni 1.3 prints it, VERSION standing for the version.
constexpr std::string_view oldest = R"({
    "cniVersion": "VERSION",
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
        "routes": [
            {
                "dst": "::/0",
                "gw": "fd00::1"
            }
        ]
    },
    "dns": {
        "nameservers": [
            "10.1.0.1"
        ],
        "domain": "x.y",
        "search": [
            "s"
        ],
        "options": [
            "o"
        ]
    }
})";

constexpr std::string_view struct_order = R"({
    "cniVersion": "VERSION",
    "interfaces": [
        {
            "name": "cni0",
            "mac": "5e:a5:00:00:00:01"
        },
        {
            "name": "eth0",
            "mac": "5e:a5:00:00:00:03",
            "sandbox": "/run/netns/a\u003cb\u003e\u0026"
        }
    ],
    "ips": [
        {
            "version": "4",
            "interface": 1,
            "address": "10.1.0.5/16",
            "gateway": "10.1.0.1"
        },
        {
            "version": "6",
            "interface": 1,
            "address": "fd00::5/64"
        },
        {
            "version": "4",
            "address": "10.1.0.6/16"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        },
        {
            "dst": "10.2.0.0/16",
            "gw": "10.1.0.9",
            "mtu": 1400,
            "advmss": 1300,
            "priority": 7,
            "table": 100,
            "scope": 253
        },
        {
            "dst": "::/0",
            "gw": "fd00::1",
            "table": 0,
            "scope": 0
        }
    ],
    "dns": {
        "nameservers": [
            "10.1.0.1"
        ],
        "domain": "x.y",
        "search": [
            "s"
        ],
        "options": [
            "o"
        ]
    }
})";

constexpr std::string_view sorted = R"({
    "cniVersion": "VERSION",
    "dns": {
        "domain": "x.y",
        "nameservers": [
            "10.1.0.1"
        ],
        "options": [
            "o"
        ],
        "search": [
            "s"
        ]
    },
    "interfaces": [
        {
            "mac": "5e:a5:00:00:00:01",
            "name": "cni0"
        },
        {
            "mac": "5e:a5:00:00:00:03",
            "mtu": 1500,
            "name": "eth0",
            "pciID": "0000:00:1f.6",
            "sandbox": "/run/netns/a\u003cb\u003e\u0026",
            "socketPath": "/s"
        }
    ],
    "ips": [
        {
            "address": "10.1.0.5/16",
            "gateway": "10.1.0.1",
            "interface": 1
        },
        {
            "address": "fd00::5/64",
            "interface": 1
        },
        {
            "address": "10.1.0.6/16"
        }
    ],
    "routes": [
        {
            "dst": "0.0.0.0/0"
        },
        {
            "advmss": 1300,
            "dst": "10.2.0.0/16",
            "gw": "10.1.0.9",
            "mtu": 1400,
            "priority": 7,
            "scope": 253,
            "table": 100
        },
        {
            "dst": "::/0",
            "gw": "fd00::1",
            "scope": 0,
            "table": 0
        }
    ]
})";

std::string expected(version v) {
    std::string text{v < version::v0_3_0 ? oldest : v < version::v1_0_0 ? struct_order : sorted};
    return text.replace(text.find("VERSION"), std::string_view{"VERSION"}.size(), v.text());
}

} // namespace

TEST_CASE("every version's result, byte for byte") {
    for (auto const text : version::texts) {
        CAPTURE(text);
        version const v = version::parse(text).value();
        CHECK(to_json(full(), v) == expected(v));
    }
}

TEST_CASE("an empty result") {
    CHECK(to_json({}, version::v1_1_0) == "{\n    \"cniVersion\": \"1.1.0\"\n}");
    CHECK(to_json({}, version::v1_0_0) == "{\n    \"cniVersion\": \"1.0.0\"\n}");
    CHECK(to_json({}, version::v0_4_0) == "{\n    \"cniVersion\": \"0.4.0\",\n    \"dns\": {}\n}");
    CHECK(to_json({}, version::v0_3_0) == "{\n    \"cniVersion\": \"0.3.0\",\n    \"dns\": {}\n}");
}

TEST_CASE("0.1.0 and 0.2.0 cannot tell of a layer-2 attachment") {
    result r = full();
    r.ips.clear();
    for (version const v : {version::v0_1_0, version::v0_2_0}) {
        CHECK_THROWS_WITH_AS(to_json(r, v), "cannot convert: no valid IP addresses", error);
        CHECK_NOTHROW(to_json(r, version::v0_3_0));
    }
}

TEST_CASE("a family without an address takes its routes with it in 0.2.0") {
    result r = full();
    r.ips = {{net("fd00::5/64"), at("fd00::1"), {}}};
    r.dns = {};
    CHECK(to_json(r, version::v0_2_0) == R"({
    "cniVersion": "0.2.0",
    "ip6": {
        "ip": "fd00::5/64",
        "gateway": "fd00::1",
        "routes": [
            {
                "dst": "::/0",
                "gw": "fd00::1"
            }
        ]
    },
    "dns": {}
})");
}

TEST_CASE("a hardware address of zeros is none") {
    result r;
    r.interfaces = {{.name = "tun0", .mac = "00:00:00:00:00:00"}};
    CHECK(to_json(r, version::v1_1_0) == R"({
    "cniVersion": "1.1.0",
    "interfaces": [
        {
            "name": "tun0"
        }
    ]
})");
}
