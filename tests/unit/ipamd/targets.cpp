#include <ipamd/targets.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

using namespace cnix::ipamd;

namespace {

// m5.large: 3 ENIs with 10 IPv4 addresses each.
constexpr int m5_large = places_per_eni(10);
static_assert(m5_large == 9);
static_assert(places_per_eni(0) == 0);
static_assert(pods_of_node(3, 10) == 29);
static_assert(most_enis(3, targets{}) == 3);
static_assert(most_enis(3, targets{.max_eni = 2}) == 2);
static_assert(most_enis(3, targets{.max_eni = 8}) == 3);
static_assert(most_enis(3, targets{.max_eni = 0}) == 3);
static_assert(prefixes_for(0) == 0 && prefixes_for(1) == 1 && prefixes_for(16) == 1 && prefixes_for(17) == 2);
static_assert(prefixes_for(-3) == 0);
static_assert(supply{.total = 9, .assigned = 4, .cooling = 3, .waiting = 3}.available() == -1);

struct row {
    char const* what;
    targets wanted;
    supply has;
    int places;
    std::int64_t missing;
    std::int64_t spare = 0;
};

} // namespace

TEST_CASE("single addresses: what is missing, and what is too much") {
    for (row const& one : std::initializer_list<row>{
             // WARM_ENI_TARGET
             {"m5.large at its start", {}, {}, m5_large, 9},
             {"its primary ENI filled", {}, {9}, m5_large, 0},
             {"the first pod", {}, {9, 1}, m5_large, 1},
             {"with a second ENI", {}, {18, 1}, m5_large, 0},
             {"more than an ENI is free", {}, {27, 2}, m5_large, 0},
             {"a cooling address is not available", {}, {9, 0, 1}, m5_large, 1},
             {"two ENIs' worth", {.warm_eni = 2}, {18, 1}, m5_large, 1},
             {"a target of 0, and none is free", {.warm_eni = 0}, {9, 9}, m5_large, 1},
             {"a target of 0, and one is free", {.warm_eni = 0}, {9, 8}, m5_large, 0},
             {"a target of 0, and the last one cools", {.warm_eni = 0}, {9, 8, 1}, m5_large, 1},
             {"pods wait", {}, {9, 9, 0, 30}, m5_large, 39},
             // WARM_IP_TARGET, MINIMUM_IP_TARGET
             {"warm: at the start", {.warm_ip = 2}, {}, m5_large, 2},
             {"warm: enough", {.warm_ip = 2}, {9, 7}, m5_large, 0},
             {"warm: short of one", {.warm_ip = 2}, {9, 8}, m5_large, 1},
             {"warm: too many", {.warm_ip = 2}, {9, 4}, m5_large, 0, 3},
             {"warm: what cools is neither available nor too many",
              {.warm_ip = 2},
              {9, 4, 3},
              m5_large,
              0,
              0},
             {"warm: cooling ones leave too few", {.warm_ip = 2}, {9, 4, 4}, m5_large, 1},
             {"warm: pods wait", {.warm_ip = 2}, {9, 9, 0, 5}, m5_large, 7},
             {"minimum: at the start", {.minimum_ip = 10}, {}, m5_large, 10},
             {"minimum: in use or not", {.minimum_ip = 10}, {10, 10}, m5_large, 0},
             {"minimum: too many", {.minimum_ip = 10}, {18, 2}, m5_large, 0, 8},
             {"both: the larger need", {.warm_ip = 5, .minimum_ip = 10}, {8, 1}, m5_large, 2},
             {"both: the warm ones", {.warm_ip = 5, .minimum_ip = 10}, {12, 10}, m5_large, 3},
             {"both: as many as both allow", {.warm_ip = 5, .minimum_ip = 10}, {18, 2}, m5_large, 0, 8},
             {"both: as many as warm allows", {.warm_ip = 5, .minimum_ip = 10}, {18, 10}, m5_large, 0, 3},
             {"with an address target ENIs do not count", {.warm_eni = 3, .warm_ip = 1}, {9, 8}, m5_large, 0},
             // maxPods
             {"enough for all pods", {.max_pods = 29}, {29, 29}, m5_large, 0},
             {"enough, though they cool", {.max_pods = 29}, {29, 20, 9}, m5_large, 0},
             {"not while pods wait for what cools", {.max_pods = 29}, {29, 20, 9, 2}, m5_large, 11},
             {"one more", {.max_pods = 29}, {28, 28}, m5_large, 9},
         }) {
        CAPTURE(one.what);
        CHECK(missing(one.wanted, one.has, one.places, false) == one.missing);
        CHECK(spare(one.wanted, one.has, false) == one.spare);
    }
}

TEST_CASE("prefixes: what is missing, and what is too much") {
    for (row const& one : std::initializer_list<row>{
             // WARM_PREFIX_TARGET
             {"at the start", {.warm_prefix = 1}, {}, 9, 1},
             {"one prefix, untouched", {.warm_prefix = 1}, {16, 0, 0, 0, 1, 1}, 9, 0},
             {"the first pod", {.warm_prefix = 1}, {16, 1, 0, 0, 1, 0}, 9, 1},
             {"two prefixes", {.warm_prefix = 1}, {32, 1, 0, 0, 2, 1}, 9, 0},
             {"one that is used, two free", {.warm_prefix = 1}, {48, 1, 0, 0, 3, 2}, 9, 0, 1},
             {"an unused one that is needed", {.warm_prefix = 1}, {32, 16, 0, 0, 2, 1}, 9, 0, 0},
             {"what cools is not available", {.warm_prefix = 1}, {32, 10, 7, 0, 2, 0}, 9, 1},
             {"a target of 0 at the start", {.warm_prefix = 0}, {}, 9, 1},
             {"a target of 0, some are free", {.warm_prefix = 0}, {16, 15, 0, 0, 1, 0}, 9, 0},
             {"a target of 0, none is free", {.warm_prefix = 0}, {16, 16, 0, 0, 1, 0}, 9, 1},
             {"a target of 0, an unused one beside free addresses",
              {.warm_prefix = 0},
              {32, 15, 0, 0, 2, 1},
              9,
              0,
              1},
             {"a target of 0, the only free ones", {.warm_prefix = 0}, {32, 16, 0, 0, 2, 1}, 9, 0, 0},
             {"pods wait", {.warm_prefix = 1}, {16, 16, 0, 40, 1, 0}, 9, 4},
             // WARM_IP_TARGET, MINIMUM_IP_TARGET
             {"warm: at the start", {.warm_ip = 5}, {}, 9, 1},
             {"warm: enough in the prefix", {.warm_ip = 5}, {16, 11, 0, 0, 1, 0}, 9, 0},
             {"warm: short of one", {.warm_ip = 5}, {16, 12, 0, 0, 1, 0}, 9, 1},
             {"warm: a prefix too many", {.warm_ip = 5}, {32, 4, 0, 0, 2, 1}, 9, 0, 1},
             {"warm: fragments, none of them unused", {.warm_ip = 5}, {32, 4, 0, 0, 2, 0}, 9, 0, 0},
             {"warm: unused, but needed", {.warm_ip = 5}, {32, 12, 0, 0, 2, 1}, 9, 0, 0},
             {"warm: unused, but needed for pods that wait", {.warm_ip = 5}, {32, 4, 0, 9, 2, 1}, 9, 0, 0},
             {"minimum: three prefixes", {.minimum_ip = 40}, {}, 9, 3},
             {"minimum: kept", {.minimum_ip = 40}, {48, 0, 0, 0, 3, 3}, 9, 0, 0},
             {"minimum: one too many", {.minimum_ip = 40}, {64, 0, 0, 0, 4, 4}, 9, 0, 1},
             {"maxPods", {.warm_prefix = 1, .max_pods = 110}, {112, 110, 0, 0, 7, 0}, 9, 0},
         }) {
        CAPTURE(one.what);
        CHECK(missing(one.wanted, one.has, one.places, true) == one.missing);
        CHECK(spare(one.wanted, one.has, true) == one.spare);
    }
}

TEST_CASE("an ENI is spare if nothing is missing without it") {
    supply const nine{9};
    CHECK(is_spare_eni({}, {18}, nine, m5_large, false));
    CHECK_FALSE(is_spare_eni({}, {18, 1}, nine, m5_large, false));
    CHECK_FALSE(
        is_spare_eni({}, {18, 0, 1}, nine, m5_large, false)); // upstream frees it, and attaches it again
    CHECK(is_spare_eni({}, {27, 9}, nine, m5_large, false));
    CHECK(is_spare_eni({.warm_ip = 2}, {18, 7}, nine, m5_large, false));
    CHECK_FALSE(is_spare_eni({.warm_ip = 3}, {18, 7}, nine, m5_large, false));
    CHECK_FALSE(is_spare_eni({.minimum_ip = 10}, {18, 1}, nine, m5_large, false));
    CHECK(is_spare_eni({.minimum_ip = 9}, {18, 1}, nine, m5_large, false));
    CHECK_FALSE(is_spare_eni({.warm_eni = 0}, {18, 5, 0, 1}, nine, m5_large, false)); // a pod waits
    CHECK(is_spare_eni({.warm_prefix = 1}, {48, 3, 0, 0, 3, 2}, {16, 0, 0, 0, 1, 1}, 9, true));
    CHECK_FALSE(is_spare_eni({.warm_prefix = 1}, {32, 3, 0, 0, 2, 1}, {16, 0, 0, 0, 1, 1}, 9, true));
    CHECK(is_spare_eni({.warm_eni = 1}, {9}, {}, m5_large, false)); // without addresses
}

TEST_CASE("as much is asked for as the target needs, or as the ENI holds") {
    static_assert(portion_for({}, 1, 9, false) == 9);
    static_assert(portion_for({.warm_ip = 2}, 2, 9, false) == 2);
    static_assert(portion_for({.warm_ip = 20}, 20, 9, false) == 9);
    static_assert(portion_for({.warm_prefix = 1}, 1, 9, true) == 1);
    static_assert(portion_for({.warm_prefix = 1}, 12, 9, true) == 9);
    static_assert(further_card_targets({.warm_eni = 3, .max_eni = 4}) ==
                  targets{.warm_eni = 3, .warm_ip = 1, .minimum_ip = 1, .max_eni = 4});
}

TEST_CASE("growing and shrinking come to rest") {
    // Whatever the targets and however many pods: after what was missing has come nothing is too many, and after what was
    // too many has gone nothing is missing.
    for (int const warm_ip : {0, 1, 5, 17})
        for (int const minimum_ip : {0, 10, 40})
            for (int const warm_prefix : {0, 1, 2})
                for (std::int64_t pods = 0; pods <= 60; ++pods)
                    for (bool const prefixes : {false, true})
                        for (std::int64_t had = 0; had <= 10; ++had) {
                            targets const wanted{
                                .warm_ip = warm_ip, .minimum_ip = minimum_ip, .warm_prefix = warm_prefix};
                            std::int64_t const unit = prefixes ? addresses_per_prefix : 1;
                            std::int64_t const used = (pods + unit - 1) / unit;
                            std::int64_t units = used + had;
                            auto const has = [&] {
                                return supply{units * unit,
                                              pods,
                                              0,
                                              0,
                                              prefixes ? units : 0,
                                              prefixes ? units - used : 0};
                            };
                            units += missing(wanted, has(), 9, prefixes);
                            CHECK(missing(wanted, has(), 9, prefixes) == 0);
                            units -= spare(wanted, has(), prefixes);
                            CHECK(units >= used);
                            CHECK(missing(wanted, has(), 9, prefixes) == 0);
                            CHECK(spare(wanted, has(), prefixes) == 0);
                        }
}
