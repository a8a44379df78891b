#include <cnix/config/checker.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <unit/config/demo.hpp>
#include <vector>

using namespace cnix::config;

namespace {

constexpr text faults(std::string_view source) {
    return to_string(read<demo::conflist>(source, strict).faults);
}

} // namespace

// every struct of the tree is checked, each with paths of its own
static_assert(faults(R"({"plugins": [{}, {
  "hairpinMode": true, "promiscMode": true,
  "ipam": {"ranges": [[{"subnet": "/64", "gateway": "first"}], [], [{"gateway": "x"}]]}}]})") ==
              "2:39: $.plugins[1].promiscMode: excludes `hairpinMode`\n"
              "3:53: $.plugins[1].ipam.ranges[0][0].gateway: `first` needs a subnet of at most /32\n"
              "3:64: $.plugins[1].ipam.ranges[1]: a range set needs a range\n"
              "3:69: $.plugins[1].ipam.ranges[2][0].subnet: a range needs a subnet");

// a value that could not be read, and what holds it, is not judged by the default in its place
static_assert(faults(R"({"plugins": [{"ipam": {"ranges": [[{"subnet": "x"}, {}]]}}]})") ==
              "1:47: $.plugins[0].ipam.ranges[0][0].subnet: `x` is not a prefix length such as /16\n"
              "1:53: $.plugins[0].ipam.ranges[0][1].subnet: a range needs a subnet");
static_assert(faults(R"({"plugins": [{"ipam": {"ranges": [[{"subnet": 1}], 2]}}]})") ==
              "1:47: $.plugins[0].ipam.ranges[0][0].subnet: expected a string, found a number\n"
              "1:52: $.plugins[0].ipam.ranges[1]: expected an array, found a number");
// but everything else is checked
static_assert(faults(R"({"plugins": [{"hairpinMode": true, "promiscMode": true, "level": "x"}]})") ==
              "1:51: $.plugins[0].promiscMode: excludes `hairpinMode`\n"
              "1:66: $.plugins[0].level: expected an integer, found a string");
static_assert(faults(R"({"plugins": [{"hairpinMode": true, "promiscMode": true, "ipam": 1, "more": 1}]})") ==
              "1:51: $.plugins[0].promiscMode: excludes `hairpinMode`\n"
              "1:65: $.plugins[0].ipam: expected an object, found a number\n"
              "1:68: $.plugins[0]: unknown key `more`");

// two parts of one type are checked, and say the same of the same keys: once
static_assert(
    to_string(read<all_of<demo::bridge, demo::bridge>>(R"({"hairpinMode": true, "promiscMode": true})")
                  .faults) == "1:38: $.promiscMode: excludes `hairpinMode`");

// whoever knows more adds faults of its own
static_assert([] {
    constexpr std::string_view source = "{\"plugins\": [\n {\"ipMasqBackend\": \"iptables\", \"ipam\": {}}]}";
    auto one = read<demo::conflist>(source, strict);
    checker engine(source, "$.plugins[0]", one.faults);
    engine.fault("ipMasqBackend", "this plugin masquerades with nftables");
    engine.fault("ipam.type", "is needed");
    engine.fault("", "all of it");
    return to_string(one.faults) ==
               "2:20: $.plugins[0].ipMasqBackend: this plugin masquerades with nftables\n"
               "2:40: $.plugins[0].ipam.type: is needed\n"
               "2:2: $.plugins[0]: all of it" &&
           one.faults[0].kind == fault_kind::check;
}());

TEST_CASE("checks at run time, and no more faults than are kept") {
    std::string source = R"({"plugins": [{"ipam": {"ranges": [[)";
    for (int i = 0; i < 100; ++i) source += "{},";
    source.back() = ']';
    source += "]}}]}";
    auto const one = read<demo::conflist>(source);
    CHECK(one.faults.size() == max_faults);
    CHECK(to_string(one.faults.back()) ==
          "1:225: $.plugins[0].ipam.ranges[0][63].subnet: a range needs a subnet");
}
