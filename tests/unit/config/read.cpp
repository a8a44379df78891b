#include <cnix/config/read.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <unit/config/demo.hpp>
#include <vector>

using namespace cnix::config;

namespace {

constexpr demo::bridge const& bridge_of(reading<demo::plugin> const& one) {
    return get<demo::bridge>(one.value);
}
constexpr demo::slots<demo::addresses> const& slots_of(reading<demo::plugin> const& one) {
    return get<demo::slots<demo::addresses>>(one.value);
}

/// The faults' text, in lenient or strict reading.
constexpr text faults(std::string_view source, options how = lenient) {
    return to_string(read<demo::plugin>(source, how).faults);
}

template <class Type> constexpr Type value_of(std::string_view source) { return read<Type>(source).value; }

} // namespace

// ---- every kind of member
static_assert([] {
    auto const one = read<demo::plugin>(R"({
        "bridge": "br\u0030", "isGateway": true, "mtu": 1450, "level": -128, "ipMasqBackend": "nftables",
        "vlanTrunk": [{"minID": 1, "maxID": 4094}, {}], "prevResult": { "ips" : [] },
        "capabilities": {"mac": true, "ips": false}, "cni.dev/valid-attachments": [{"a": 1}, 2],
        "ipam": {"type": "x", "ranges": [[{"subnet": "/16", "gateway": "g"}, {"subnet": "/8"}], [{"subnet": "/0"}]],
                 "routes": ["/1", "/2"]},
        "runtimeConfig": {"mac": "m", "ips": ["1", "2"]}, "another plugin's": [{}]})");
    auto const& b = bridge_of(one);
    auto const& s = slots_of(one);
    return one.ok() && one.well_formed && b.bridge == "br0" && b.isGateway && !b.hairpinMode &&
           b.mtu == 1450 && s.mtu == 1450 && b.level == -128 && b.ipMasqBackend == demo::backend::nftables &&
           b.vlanTrunk.size() == 2 && b.vlanTrunk[0].maxID == 4094 &&
           b.prevResult.json == R"({ "ips" : [] })" && b.capabilities.size() == 2 &&
           b.capabilities[0].key == "mac" && b.capabilities[0].value && !b.capabilities[1].value &&
           b.attachments.size() == 2 && b.attachments[0].json == R"({"a": 1})" && s.ipam &&
           s.ipam->type == "x" && s.ipam->ranges.size() == 2 && s.ipam->ranges[0][1].subnet->length() == 8 &&
           s.ipam->routes.size() == 2 && s.ipam->routes[1].length() == 2 && b.runtimeConfig.mac == "m" &&
           s.runtimeConfig.ips.size() == 2;
}());

// ---- absent: the struct's own defaults
static_assert([] {
    auto const one = read<demo::plugin>("{}");
    return one.ok() && bridge_of(one).bridge == "cni0" && bridge_of(one).prevResult.empty() &&
           !slots_of(one).ipam && !bridge_of(one).level;
}());

// ---- Go's encoding/json (facts of its decoder, tried with Go 1.26)
static_assert(value_of<demo::bridge>(R"({"MTU": 1, "BRIDGE": "x", "RuntimeConfig": {"MAC": "m"}})")
                  .runtimeConfig.mac == "m");
static_assert(value_of<demo::bridge>(R"({"mtu": 1, "MTU": 2})").mtu == 2 &&
              value_of<demo::bridge>(R"({"MTU": 2, "mtu": 1})").mtu == 1);
static_assert(value_of<demo::bridge>("{\"i\xc5\xbfGateway\": true}").isGateway); // U+017F folds to s
static_assert(value_of<demo::bridge>("{\"ipMasqBac\xe2\x84\xaa"
                                     "end\": \"iptables\"}")
                  .ipMasqBackend); // U+212A folds to k
static_assert(value_of<demo::bridge>(R"({"\u006dtu": 7})").mtu == 7);
static_assert(value_of<demo::bridge>(R"({"Cni.Dev/Valid-Attachments": [1]})").attachments.size() == 1);
static_assert(value_of<demo::bridge>(R"({"attachments": [1]})")
                  .attachments.empty()); // the member's name is not its key
static_assert(value_of<demo::bridge>(R"({"bridge": null, "mtu": null, "isGateway": null})").bridge == "cni0");
static_assert(value_of<demo::bridge>(R"({"mtu": 5, "mtu": null, "bridge": "x", "bridge": null})").mtu == 5);
static_assert(value_of<demo::bridge>(R"({"vlanTrunk": [{}], "vlanTrunk": null})").vlanTrunk.empty());
static_assert(value_of<demo::bridge>(R"({"vlanTrunk": [{}, {}], "vlanTrunk": [{}]})").vlanTrunk.size() == 1);
static_assert(value_of<demo::bridge>(R"({"prevResult": {}, "prevResult": null})").prevResult.empty());
static_assert([] { // a repeated object is read into the same struct
    auto const one = value_of<demo::slots<demo::addresses>>(
        R"({"ipam": {"type": "x"}, "ipam": {"routes": ["/1"]}, "ipam": null})");
    return one.ipam && one.ipam->type == "x" && one.ipam->routes.size() == 1;
}());
static_assert([] { // and so is a map
    auto const one = value_of<demo::bridge>(
        R"({"capabilities": {"a": true, "A": true}, "capabilities": {"b": true, "a": false}})");
    return one.capabilities.size() == 3 && !one.capabilities[0].value && one.capabilities[2].key == "b";
}());
static_assert(value_of<std::vector<int>>("[1, null, 3]").size() == 3 &&
              value_of<std::vector<int>>("[1, null, 3]")[1] == 0);
static_assert(read<demo::plugin>(" null ").ok());
static_assert(value_of<demo::bridge>("{\"bridge\": \"a\xff\\ud800\"}").bridge == "a\uFFFD\uFFFD");
static_assert(value_of<int>("-0") == 0);

// ---- integers: bounds of the member's type, and nothing but digits
static_assert(value_of<std::int64_t>("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
static_assert(value_of<std::uint64_t>("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
static_assert(value_of<std::int8_t>("127") == 127 && value_of<std::uint8_t>("255") == 255);
static_assert(to_string(read<std::int8_t>("128").faults) ==
              "1:1: $: `128` is out of range; it must be from -128 to 127");
static_assert(to_string(read<std::int8_t>("-129").faults) ==
              "1:1: $: `-129` is out of range; it must be from -128 to 127");
static_assert(to_string(read<std::uint8_t>("-1").faults) ==
              "1:1: $: `-1` is out of range; it must be from 0 to 255");
static_assert(to_string(read<std::uint64_t>("18446744073709551616").faults) ==
              "1:1: $: `18446744073709551616` is out of range; it must be from 0 to 18446744073709551615");
static_assert(to_string(read<std::int64_t>("-9223372036854775809").faults) ==
              "1:1: $: `-9223372036854775809` is out of range; it must be from -9223372036854775808 to "
              "9223372036854775807");
static_assert(to_string(read<int>("184467440737095516160").faults) ==
              "1:1: $: `184467440737095516160` is out of range; it must be from -2147483648 to 2147483647");
static_assert(faults(R"({"mtu": 1500.0})") ==
              "1:9: $.mtu: expected an integer, found `1500.0`, written with a fraction or exponent");
static_assert(faults(R"({"mtu": 1e3})") ==
              "1:9: $.mtu: expected an integer, found `1e3`, written with a fraction or exponent");

// ---- type faults name both types
static_assert(faults(R"({"isGateway": "yes"})") == "1:15: $.isGateway: expected a boolean, found a string");
static_assert(faults(R"({"isGateway": 1})") == "1:15: $.isGateway: expected a boolean, found a number");
static_assert(faults(R"({"bridge": true})") == "1:12: $.bridge: expected a string, found a boolean");
static_assert(faults(R"({"mtu": [1]})") == "1:9: $.mtu: expected an integer, found an array");
static_assert(faults(R"({"ipam": "host-local"})") == "1:10: $.ipam: expected an object, found a string");
static_assert(faults(R"({"vlanTrunk": {}})") == "1:15: $.vlanTrunk: expected an array, found an object");
static_assert(faults(R"({"capabilities": []})") ==
              "1:18: $.capabilities: expected an object, found an array");
static_assert(faults(R"({"ipMasqBackend": 1})") ==
              "1:19: $.ipMasqBackend: expected a string, found a number");
static_assert(faults("[]") == "1:1: $: expected an object, found an array");

// ---- value faults say what would be right
static_assert(faults(R"({"ipam": {"routes": ["/1", "10/8"]}})") ==
              "1:28: $.ipam.routes[1]: `10/8` is not a prefix length such as /16");
static_assert(faults(R"({"ipMasqBackend": "NFTables"})") ==
              "1:19: $.ipMasqBackend: `NFTables` is none of `iptables`, `nftables`");
static_assert(
    faults(
        R"({"ipam": {"ranges": [[{"subnet": "\u0007\n1234567890123456789012345678901234567890123456789"}]]}})") ==
    "1:34: $.ipam.ranges[0][0].subnet: `??1234567890123456789012345678901234567890123456...` is not a prefix "
    "length "
    "such as /16");

// ---- all faults, in the order of their places; members with a fault keep their defaults, the others are
// read
static_assert([] {
    auto const one = read<demo::plugin>("{\n  \"mtu\": \"1\",\n  \"bridge\": \"x\",\n  \"vlanTrunk\": "
                                        "[{\"minID\": 70000, \"maxID\": 5}, 7],\n"
                                        "  \"capabilities\": {\"a.b\": 1}\n}");
    return to_string(one.faults) ==
               "2:10: $.mtu: expected an integer, found a string\n"
               "4:27: $.vlanTrunk[0].minID: `70000` is out of range; it must be from 0 to 65535\n"
               "4:47: $.vlanTrunk[1]: expected an object, found a number\n"
               "5:27: $.capabilities[\"a.b\"]: expected a boolean, found a number" &&
           !one.ok() && one.well_formed && bridge_of(one).mtu == 0 && bridge_of(one).bridge == "x" &&
           bridge_of(one).vlanTrunk.size() == 2 && bridge_of(one).vlanTrunk[0].maxID == 5 &&
           one.faults[0].kind == fault_kind::type && one.faults[1].kind == fault_kind::value &&
           one.faults[0].offset == 11;
}());

// ---- columns count code points
static_assert(faults("{\"bridge\": \"\xe2\x82\xac\", \"mtu\": \"\"}") ==
              "1:24: $.mtu: expected an integer, found a string");

// ---- unknown and duplicate keys: faults in strict reading only
static_assert(faults(R"({"isGatway": true, "mtu": 1, "mtu": 2, "x": {"mtu": "no"}})").empty());
static_assert(faults("{\"name\": 1,\n \"isGatway\": true, \"mtu\": 1,\n \"MTU\": 2}", strict) ==
              "1:2: $: unknown key `name`\n"
              "2:2: $: unknown key `isGatway`, did you mean `isGateway`?\n"
              "3:2: $: duplicate key `MTU`");
static_assert(faults(R"({"ipam": {"ranges": [[{"subnet": "/1", "gatway": ""}]]}})", strict) ==
              "1:40: $.ipam.ranges[0][0]: unknown key `gatway`, did you mean `gateway`?");
static_assert(faults(R"({"capabilities": {"a": true, "a": true}})", strict) ==
              "1:30: $.capabilities: duplicate key `a`");
static_assert(read<demo::plugin>(R"({"isGatway": 1, "mtu": 1, "mtu": 2})", strict).faults[0].kind ==
              fault_kind::unknown_key);
static_assert(read<demo::plugin>(R"({"isGatway": 1, "mtu": 1, "mtu": 2})", strict).faults[1].kind ==
              fault_kind::duplicate_key);
static_assert(read<demo::tagged>(R"({"type": "x", "other": 1})", strict).ok()); // an open struct

// ---- a key of two structs: read into both, judged by the union, reported once
static_assert(faults(R"({"runtimeConfig": {"mac": "m", "ips": ["1"]}})", strict).empty());
static_assert(faults(R"({"runtimeConfig": {"mac": "m", "ip": ["1"]}})", strict) ==
              "1:32: $.runtimeConfig: unknown key `ip`, did you mean `ips`?");
static_assert(faults(R"({"mtu": true})") == "1:9: $.mtu: expected an integer, found a boolean");
static_assert(faults(R"({"runtimeConfig": 1})") ==
              "1:19: $.runtimeConfig: expected an object, found a number");

// ---- a syntax fault is the only one
static_assert([] {
    auto const one = read<demo::plugin>("{\"mtu\": \"x\",\n \"bridge\" \"y\"}", strict);
    return !one.well_formed && one.faults.size() == 1 && one.faults[0].kind == fault_kind::syntax &&
           bridge_of(one).mtu == 0 && to_string(one.faults) == "2:11: expected `:` after the key";
}());
static_assert(faults(R"({"mtu": 1} trailing)") == "1:12: text after the end of the document");

// ---- a part of a document: places are the whole text's
static_assert([] {
    constexpr std::string_view whole =
        "{\"attachments\": 1,\n \"cni.dev/valid-attachments\": [ {\"minID\": 1},\n  {\"maxID\": \"2\"} ]}";
    auto const outer = read<demo::bridge>(whole);
    auto const first = read_part<demo::trunk>(whole, outer.value.attachments[0].json, "$.plugins[0]");
    auto const second =
        read_part<demo::trunk>(whole, outer.value.attachments[1].json, "$.plugins[1]", strict);
    return outer.ok() && first.ok() && first.value.minID == 1 &&
           to_string(second.faults) == "3:13: $.plugins[1].maxID: expected an integer, found a string" &&
           read_part<demo::trunk>(whole, {}, "$").ok();
}());

// ---- a slice of what others read: they are still read together, so that a key of one is not unknown to the other
static_assert([] {
    auto const one = read<all_of<demo::slice, demo::bridge, demo::slots<demo::addresses>>>(
        R"({"runtimeConfig": {"mac": "m", "ips": ["i"]}})", strict);
    return one.ok() && get<demo::slice>(one.value).runtimeConfig.json == R"({"mac": "m", "ips": ["i"]})" &&
           get<demo::bridge>(one.value).runtimeConfig.mac == "m";
}());

TEST_CASE("the same at run time, with values that outlive the text") {
    demo::bridge kept;
    {
        std::string source =
            R"({"bridge": "a-name-longer-than-a-short-string", "capabilities": {"k": true}})";
        kept = read<demo::bridge>(source).value;
        source.assign(source.size(), 'x');
    }
    CHECK(kept.bridge == "a-name-longer-than-a-short-string");
    CHECK(kept.capabilities[0].key == "k");
}

TEST_CASE("faults, elements and members are bounded") {
    std::string many = "[";
    for (std::size_t i = 0; i < 1000; ++i) many += "true,";
    many.back() = ']';
    CHECK(read<std::vector<int>>(many).faults.size() == max_faults);

    std::string list = "[";
    for (std::size_t i = 0; i <= max_elements; ++i) list += "1,";
    list.back() = ']';
    auto const numbers = read<std::vector<int>>(list);
    CHECK(numbers.value.size() == max_elements);
    CHECK(to_string(numbers.faults) == "1:1: $: more than 65536 elements");

    std::string object = "{";
    for (std::size_t i = 0; i <= max_entries + 1; ++i) object += "\"" + std::to_string(i) + "\":1,";
    object.back() = '}';
    auto const map = read<std::vector<entry<int>>>(object);
    CHECK(map.value.size() == max_entries);
    REQUIRE(map.faults.size() == 1);
    CHECK(map.faults[0].message == "more than 1024 members");
}

TEST_CASE("a text over the limit is refused before it is looked at") {
    auto const long_one = read<demo::bridge>(std::string(max_size + 1, ' '));
    CHECK_FALSE(long_one.well_formed);
    CHECK(long_one.faults.at(0).message == "the text is longer than 4 MiB");
}
