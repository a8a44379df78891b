#include <ipamd/cloud/subnets.hpp>

#include <doctest/doctest.h>

using namespace cnix::ipamd;

namespace {

using names = std::vector<std::string>;
std::string const role = "kubernetes.io/role/cni", cluster = "cni.networking.k8s.aws/cluster/";

} // namespace

TEST_CASE("which subnets new ENIs may be in") {
    reply::subnet const primary{"subnet-p", 10, {}}, tagged{"subnet-t", 50, {{role, "1"}}},
        other{"subnet-o", 99, {}}, never{"subnet-n", 80, {{role, "0"}}},
        ours{"subnet-c", 30, {{role, "1"}, {cluster + "mine", "shared"}}},
        theirs{"subnet-x", 70, {{role, "1"}, {cluster + "yours", "shared"}}},
        both{"subnet-b", 20, {{role, "yes"}, {cluster + "yours", ""}, {cluster + "mine", ""}}};
    auto const all = std::vector{primary, tagged, other, never, ours, theirs, both};
    CHECK(subnets_for_enis(all, "subnet-p", "mine") == names{"subnet-t", "subnet-c", "subnet-b", "subnet-p"});
    CHECK(subnets_for_enis(all, "subnet-p", "") == names{"subnet-t", "subnet-p"});
    CHECK(subnets_for_enis({primary}, "subnet-p", "mine") == names{"subnet-p"});
    CHECK(subnets_for_enis({never}, "subnet-n", "mine").empty());
    CHECK(subnets_for_enis({}, "subnet-p", "mine").empty());
    CHECK(excluded_subnets(all) == names{"subnet-n"});
}
