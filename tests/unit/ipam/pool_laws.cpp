#include <cnix/ipam/pool.hpp>

#include "pool_fixture.hpp"
#include <laws/ipam_laws.hpp>
#include <memory>

using namespace pool_test;

TEST_CASE("the pool keeps the laws of an Ipam") {
    std::string keys;
    SUBCASE("with both families") {}
    SUBCASE("with IPv4") { keys = R"("families": "ipv4")"; }
    SUBCASE("with IPv6") { keys = R"("families": "ipv6")"; }
    SUBCASE("without cooldown") { keys = R"("families": "ipv4", "cooldown": 0)"; }
    laws::ipam_laws<ipam::pool>{[&] {
        auto const here = std::make_shared<node>();
        laws::ipam_subject<ipam::pool> subject{here->keys(keys)};
        subject.trace = [here] { return here->holders(); };
        subject.gives_again = true;
        return subject;
    }}.all();
}
