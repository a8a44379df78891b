#include <cnix/cni/identifier.hpp>

#include <doctest/doctest.h>

#include <concepts>
#include <string>
#include <string_view>

using cnix::cni::container_id;
using cnix::cni::network_name;

namespace {

static_assert(container_id::valid("a") && container_id::valid("0") && container_id::valid("Az09_.-") &&
              container_id::valid("a..b"));
static_assert(!container_id::valid("") && !container_id::valid(".") && !container_id::valid("..") &&
              !container_id::valid("-a"));
static_assert(!container_id::valid("_a") && !container_id::valid("a/b") && !container_id::valid("a b") &&
              !container_id::valid("a\n"));
static_assert(!container_id::valid("a;b") && !container_id::valid("a\"b") &&
              !container_id::valid("\xC3\xA9") && !container_id::valid(std::string_view{"a\0", 2}));
static_assert(!std::convertible_to<container_id, network_name> &&
              !std::constructible_from<container_id, std::string>);

} // namespace

TEST_CASE("an identifier keeps its text") {
    auto const id = container_id::parse("c1");
    REQUIRE(id);
    CHECK(id->str() == "c1");
    CHECK(*id == container_id::parse("c1"));
    CHECK(*id < container_id::parse("c2").value());
    CHECK_FALSE(container_id::parse("../c1"));
    CHECK(container_id::parse(std::string(4096, 'a')));
}
