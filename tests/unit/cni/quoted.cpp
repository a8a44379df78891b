#include <cnix/cni/quoted.hpp>

#include <doctest/doctest.h>

#include <string_view>

using cnix::cni::quoted;

TEST_CASE("values are quoted as by Go's %q") {
    CHECK(quoted("") == R"("")");
    CHECK(quoted("a b") == R"("a b")");
    CHECK(quoted("a\"b\\") == R"("a\"b\\")");
    CHECK(quoted("\a\b\t\n\v\f\r") == R"("\a\b\t\n\v\f\r")");
    CHECK(quoted(std::string_view{"\0\x1f\x7f", 3}) == R"("\x00\x1f\x7f")");
    CHECK(quoted("\xC3\xA9") == "\"\xC3\xA9\"");
}
