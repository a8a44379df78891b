#include <cnix/eni/routing.hpp>

#include <doctest/doctest.h>

using namespace cnix::eni;

TEST_CASE("tables have upstream's numbers") {
    static_assert(table_of(0) == 254);
    static_assert(table_of(1) == 2);
    static_assert(table_of(3) == 4);
    static_assert(table_of(2, 1) == 10102);
    static_assert(table_of_branch(7) == 107);
    CHECK(table_of(0) == main_table);
}
