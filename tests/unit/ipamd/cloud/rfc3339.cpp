#include <ipamd/cloud/rfc3339.hpp>

#include <doctest/doctest.h>

using namespace cnix::ipamd;

TEST_CASE("there and back") {
    for (std::string const text :
         {"1970-01-01T00:00:00Z", "2026-11-23T08:59:59Z", "2024-02-29T23:00:00Z", "2261-12-31T12:34:56Z"}) {
        auto const time = parse_rfc3339(text);
        REQUIRE(time);
        CHECK(rfc3339(*time) == text);
    }
}

TEST_CASE("forms") {
    struct {
        char const* text;
        char const* utc;
    } const rows[]{{"2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z"},
                   {"2026-01-02T03:04:05+02:30", "2026-01-02T00:34:05Z"},
                   {"2026-01-01T23:00:00-01:00", "2026-01-02T00:00:00Z"},
                   {"2026-01-02T03:04:05.123456789+00:00", "2026-01-02T03:04:05Z"}};
    for (auto const& row : rows) {
        CAPTURE(row.text);
        auto const time = parse_rfc3339(row.text);
        REQUIRE(time);
        CHECK(rfc3339(*time) == row.utc);
    }
}

TEST_CASE("no times") {
    for (char const* const text :
         {"", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-13-02T03:04:05Z",
          "2026-02-30T03:04:05Z", "2026-01-02T24:04:05Z", "2026-01-02T03:60:05Z", "2026-01-02T03:04:61Z",
          "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05.5", "2026-01-02T03:04:05+0200",
          "2026-01-02T03:04:05ZZ", "20a6-01-02T03:04:05Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
          "2262-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-02T03:04:05+02:00x"}) {
        CAPTURE(text);
        CHECK(!parse_rfc3339(text));
    }
}
