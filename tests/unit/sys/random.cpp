#include <cnix/sys/random.hpp>

#include <doctest/doctest.h>

#include <set>

TEST_CASE("random bytes: all of them, and others each time") {
    std::set<std::array<std::uint8_t, 16>> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(cnix::sys::random_bytes<16>());
    CHECK(seen.size() == 1000);

    std::array<std::set<std::uint8_t>, 256>
        values; // of each byte: one that is never written would have one value
    for (int i = 0; i < 100; ++i) {
        auto const bytes = cnix::sys::random_bytes<256>();
        for (std::size_t at = 0; at < bytes.size(); ++at) values[at].insert(bytes[at]);
    }
    for (auto const& one : values) CHECK(one.size() > 50);
}
