#include <cnix/net/interface_name.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using cnix::net::interface_name;
using namespace cnix::net::literals;

namespace {

constexpr bool valid(std::string_view text) { return interface_name::parse(text).has_value(); }

static_assert(valid("eth0") && valid("a") && valid("abcdefghijklmno") && valid("...") && valid("-") &&
              valid("a*b@c"));
static_assert(!valid("") && !valid("abcdefghijklmnop") && !valid(".") && !valid(".."));
static_assert(!valid("a/b") && !valid("a:b") && !valid("a b") && !valid("a\tb") && !valid("a\nb") &&
              !valid(" "));
static_assert(!valid("eth%d") && !valid("a\x01") && !valid("a\x7f") && !valid(std::string_view{"a\0b", 3}));
// the directories of net/ipv4/conf that are no interface's
static_assert(!valid("all") && !valid("default") && valid("al") && valid("defaults"));
// isspace() of the kernel is of Latin-1: it refuses the byte 0xa0 wherever it stands (seen on Linux 6.18),
// and only that
static_assert(!valid("a\xa0") && !valid("\xC3\xA0") && valid("\xC3\xA9") && valid("\xC3\x85"));

static_assert("cni0"_ifname.view() == "cni0" && "a"_ifname < "b"_ifname && "a"_ifname != "ab"_ifname);

} // namespace

TEST_CASE("a name is kept as it is") {
    std::string const text = "veth0123456789a";
    auto const name = interface_name::parse(text);
    REQUIRE(name);
    CHECK(name->str() == text);
    CHECK(std::string_view{*name} == text);
}
