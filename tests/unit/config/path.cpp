#include <cnix/config/path.hpp>

#include <doctest/doctest.h>

#include <string_view>

using namespace cnix::config;

namespace {

constexpr std::string_view source = R"( {
  "name": "a",
  "plugins": [ {"mtu": 1, "ipam": {"ranges": [[{"subnet": "s"}], [{}, {"gateway": "g"}]]}} ],
  "cni.dev/valid-attachments": [1, 2],
  "a\"]b": {"in": true},
  "MTU": 1, "mtu": 2, "esc\u0061pe": 3, "none": null
})";

constexpr std::string_view found(std::string_view path) { return source.substr(locate(source, path), 4); }

} // namespace

static_assert(path("ranges", 0, 1U, "gateway") == "ranges[0][1].gateway");
static_assert(path() == "" && path("a") == "a" && path(3) == "[3]");
static_assert(path("x", "cni.dev/a", "y") == R"(x["cni.dev/a"].y)");
static_assert(path("a\"b\\") == R"(["a\"b\\"])");
static_assert(path("") == R"([""])");
static_assert(join_paths("$", "a.b") == "$.a.b" && join_paths("$.x", "[0]") == "$.x[0]");
static_assert(join_paths("$", "") == "$" && join_paths("", "a") == "a");

static_assert(locate(source, "$") == 1 && locate(source, "") == 1);
static_assert(found("name") == "\"a\",");
static_assert(found("$.plugins[0].ipam.ranges[1][1].gateway") == "\"g\"}");
static_assert(found("plugins[0].mtu") == "1, \"");
static_assert(found(path("cni.dev/valid-attachments", 1)) == "2],\n");
static_assert(found(path("a\"]b", "in")) == "true");
static_assert(found("escape") == "3, \"");
static_assert(found("none") == "null");

// what the reader takes: any case, the last of duplicates
static_assert(found("Name") == "\"a\",");
static_assert(found("mtu") == "2, \"" && found("MTU") == "2, \"");

// absent: the nearest enclosing value
static_assert(found("plugins[0].ipam.ranges[1][0].gateway") == "{}, ");
static_assert(found("plugins[7].mtu") == "[ {\"");
static_assert(found("nothing.at.all") == "{\n  ");
static_assert(found("name.deeper") == "\"a\",");
static_assert(found("plugins.name") == "[ {\"");

// never outside of the source, whatever the path or the source
static_assert(locate("", "a") == 0 && locate("{\"a\"", "a") == 0);
static_assert(locate("{}", "[") == 0 && locate("[]", "[\"") == 0 && locate("{}", "[\"\\") == 0 &&
              locate("1", ".") == 0);

TEST_CASE("locate at run time") { CHECK(found("plugins[0].ipam.ranges[0][0].subnet") == "\"s\"}"); }
