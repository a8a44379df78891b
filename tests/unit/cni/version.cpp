#include <cnix/cni/version.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using cnix::cni::parse_verb;
using cnix::cni::verb;
using cnix::cni::version;

namespace {

static_assert(std::ranges::is_sorted(std::array{version::v0_1_0, version::v0_2_0, version::v0_3_0,
                                                version::v0_3_1, version::v0_4_0, version::v1_0_0,
                                                version::v1_1_0},
                                     std::ranges::less_equal{}));
static_assert(std::ranges::all_of(version::texts,
                                  [](auto text) { return version::parse(text)->text() == text; }));
static_assert(version::parse("1.1.0") == version::v1_1_0 && version::parse("0.3.1") == version::v0_3_1);
static_assert(version::parse("") == version::v0_1_0 && version{} == version::v0_1_0);
static_assert(!version::parse("1.1") && !version::parse("1.1.0 ") && !version::parse("01.1.0") &&
              !version::parse("1.2.0"));

static_assert(!version::v0_3_1.allows(verb::check) && version::v0_4_0.allows(verb::check));
static_assert(!version::v1_0_0.allows(verb::gc) && version::v1_1_0.allows(verb::gc));
static_assert(!version::v1_0_0.allows(verb::status) && version::v1_1_0.allows(verb::status));
static_assert(version::v0_1_0.allows(verb::add) && version::v0_1_0.allows(verb::del) &&
              version::v0_1_0.allows(verb::version));

static_assert(parse_verb("ADD") == verb::add && parse_verb("DEL") == verb::del &&
              parse_verb("CHECK") == verb::check);
static_assert(parse_verb("GC") == verb::gc && parse_verb("STATUS") == verb::status &&
              parse_verb("VERSION") == verb::version);
static_assert(!parse_verb("add") && !parse_verb("") && !parse_verb("ADD "));
static_assert(text(verb::check) == "CHECK" && text(verb::version) == "VERSION");

} // namespace

TEST_CASE("VERSION's output is that of containernetworking/cni 1.3") {
    CHECK(cnix::cni::version_output() == "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.1.0\",\"0.2."
                                         "0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
}

TEST_CASE("what is said to somebody who calls the plugin by hand") {
    CHECK(cnix::cni::about_text("bridge", "v0.1.0") ==
          "CNI bridge plugin v0.1.0\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, "
          "1.0.0, 1.1.0\n");
}
