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

TEST_CASE("no branch ENI has a table of the kernel's") {
    static_assert(table_of_branch(153) == default_table);
    static_assert(table_of_branch(155) == local_table);
    for (int vlan = -1; vlan <= 4096; ++vlan) {
        CAPTURE(vlan);
        CHECK(is_branch_vlan(vlan) == (vlan >= 1 && vlan <= 4094 && (vlan < 153 || vlan > 155)));
    }
}
