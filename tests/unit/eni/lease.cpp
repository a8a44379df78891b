#include <cnix/eni/lease.hpp>

#include <doctest/doctest.h>

using namespace cnix::eni;

TEST_CASE("there is no lease of a branch ENI whose table would be the kernel's own") {
    for (int const vlan : {0, 1, 152, 156, 4094}) {
        branch const made{.vlan = static_cast<std::uint16_t>(vlan)};
        CHECK(made.vlan == vlan);
    }
    for (int const vlan : {153, 154, 155, 4095, 65535}) {
        CAPTURE(vlan);
        CHECK_THROWS_WITH_AS(branch_vlan{static_cast<std::uint16_t>(vlan)},
                             doctest::Contains("no branch ENI may have the VLAN"), std::invalid_argument);
    }
}
