#include <ipamd/introspection.hpp>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "snapshot_fixture.hpp"

using namespace cnix;
using namespace cnix::ipamd;
namespace json = boost::json;

namespace {

struct fixture {
    std::string body(std::string_view path) { return introspect(path, in_force, &pool, daemon).value().body; }

    ipamd::settings in_force;
    ipamd::snapshot pool = test::two_enis();
    daemon_view daemon{
        .program = "cnix-ipamd", .version = "0.1.0", .started = test::at(-3600), .ready = true};
};

} // namespace

TEST_CASE_FIXTURE(fixture, "the list of paths, for any that is unknown, as upstream") {
    for (std::string_view const path : {"/", "/v1", "/v1/enis/", "", "/metrics"})
        CHECK(body(path) == R"({"AvailableCommands":["/v1/enis","/v1/eni-configs","/v1/ipamd-env-settings",)"
                            R"("/v1/networkutils-env-settings"]})");
    CHECK_FALSE(introspect("/v1/eni-configs", in_force, &pool, daemon));
}

TEST_CASE_FIXTURE(fixture, "/v1/enis word for word") {
    // The members, their order and their form are those of Go's encoding/json of upstream's ENIInfos.
    CHECK(
        body("/v1/enis") ==
        R"({"0":{"TotalIPs":19,"AssignedIPs":2,"ENIs":{"eni-1":{"ID":"eni-1","IsPrimary":true,"IsTrunk":false,)"
        R"("IsEFA":false,"DeviceNumber":0,"AvailableIPv4Cidrs":{"10.0.1.20/32":{"Cidr":{"IP":"10.0.1.20",)"
        R"("Mask":"/////w=="},"IPAddresses":{"10.0.1.20":{"Address":"10.0.1.20","IPAMKey":{"networkName":"aws-cni",)"
        R"("containerID":"","ifName":""},"IPAMMetadata":{"k8sPodNamespace":"default","k8sPodName":"nginx",)"
        R"("interfacesCount":1},"AssignedTime":"2023-11-14T22:14:00Z","UnassignedTime":"0001-01-01T00:00:00Z"}},)"
        R"("IsPrefix":false,"AddressFamily":"4"},"10.0.1.21/32":{"Cidr":{"IP":"10.0.1.21","Mask":"/////w=="},)"
        R"("IPAddresses":{"10.0.1.21":{"Address":"10.0.1.21","IPAMKey":{"networkName":"","containerID":"","ifName":""},)"
        R"("IPAMMetadata":{},"AssignedTime":"0001-01-01T00:00:00Z","UnassignedTime":"2023-11-14T22:14:45Z"}},)"
        R"("IsPrefix":false,"AddressFamily":"4"},"10.0.1.22/32":{"Cidr":{"IP":"10.0.1.22","Mask":"/////w=="},)"
        R"("IPAddresses":{},"IsPrefix":false,"AddressFamily":"4"}},"IPv6Cidrs":{},"IsExcludedForPodIPs":false,)"
        R"("RouteTableID":254,"SubnetID":"subnet-1"},"eni-2":{"ID":"eni-2","IsPrimary":false,"IsTrunk":false,)"
        R"("IsEFA":false,"DeviceNumber":1,"AvailableIPv4Cidrs":{"10.0.2.16/28":{"Cidr":{"IP":"10.0.2.16",)"
        R"("Mask":"////8A=="},"IPAddresses":{"10.0.2.17":{"Address":"10.0.2.17","IPAMKey":{"networkName":"aws-cni",)"
        R"("containerID":"","ifName":""},"IPAMMetadata":{"k8sPodNamespace":"kube-system","k8sPodName":"coredns-0",)"
        R"("interfacesCount":1},"AssignedTime":"2023-11-13T21:13:20Z","UnassignedTime":"0001-01-01T00:00:00Z"}},)"
        R"("IsPrefix":true,"AddressFamily":"4"}},"IPv6Cidrs":{},"IsExcludedForPodIPs":false,"RouteTableID":2,)"
        R"("SubnetID":"subnet-2"}}}})");
}

TEST_CASE_FIXTURE(fixture, "/v1/enis: cards, IPv6, what is not managed, and nothing") {
    pool.enis[1].nic.network_card = 1;
    pool.enis[1].nic.cidrs = {test::prefix("fd00:0:0:1::/80")};
    pool.enis[1].addresses = {};
    pool.enis[1].use = eni_use::excluded;
    pool.enis.push_back({});
    pool.enis.back().nic.id = "eni-3";
    pool.enis.back().use = eni_use::unmanaged;
    auto const all = json::parse(body("/v1/enis")).as_object();
    CHECK(all.size() == 2);
    CHECK(all.at("1").at("TotalIPs") == 0);
    auto const& other = all.at("1").at("ENIs").at("eni-2");
    CHECK(other.at("IsExcludedForPodIPs") == true);
    CHECK(other.at("IPv6Cidrs").at("fd00:0:0:1::/80").at("Cidr").at("Mask") == "/////////////wAAAAAAAA==");
    CHECK(other.at("IPv6Cidrs").at("fd00:0:0:1::/80").at("AddressFamily") == "6");
    CHECK(introspect("/v1/enis", in_force, nullptr, daemon).value().body == "{}");
}

TEST_CASE_FIXTURE(fixture, "settings, as upstream shows them") {
    CHECK(
        body("/v1/networkutils-env-settings") ==
        R"({"AWS_EXTERNAL_SERVICE_CIDRS":null,"AWS_VPC_CNI_NODE_PORT_SUPPORT":true,"AWS_VPC_ENI_MTU":9001,)"
        R"("AWS_VPC_K8S_CNI_CONNMARK":128,"AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS":null,"AWS_VPC_K8S_CNI_EXTERNALSNAT":false,)"
        R"("AWS_VPC_K8S_CNI_RANDOMIZESNAT":2,"AWS_VPC_K8S_CNI_VETHPREFIX":"eni"})");
    CHECK(body("/v1/ipamd-env-settings") ==
          R"({"AWS_MANAGE_ENIS_NON_SCHEDULABLE":true,"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG":false,)"
          R"("ENABLE_SUBNET_DISCOVERY":true,"WARM_ENI_TARGET":1,"WARM_IP_TARGET":0})");
    in_force.node.excludeSNATCIDRs = {test::prefix("10.2.0.0/16"), test::prefix("10.1.0.0/16")};
    in_force.node.randomizeSNAT = "hashrandom";
    auto const all = json::parse(body("/v1/networkutils-env-settings"));
    CHECK(all.at("AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS") == json::array{"10.1.0.0/16", "10.2.0.0/16"});
    CHECK(all.at("AWS_VPC_K8S_CNI_RANDOMIZESNAT") == 1);
}

TEST_CASE_FIXTURE(fixture, "whatever callers are called, it is JSON") {
    std::string every;
    for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
    pool.enis[0].addresses[0].key = eni::pod_key{every, every, every};
    pool.enis[0].addresses[0].pod = {.name_space = every, .name = every};
    pool.quarantined[0].pod = {.name_space = every, .name = every};
    pool.growth = pool.under_way = pool.last_error = pool.disk_error = every;
    pool.waiting.push_back({.key = {every, every, every}, .pod = {every, every}, .why = every});
    daemon.troubles = {every};
    for (std::string_view const path : {"/v1/enis", "/v1/status"}) CHECK_NOTHROW(json::parse(body(path)));
}

TEST_CASE("times as Go writes them") {
    CHECK(time_text(test::at(0)) == "2023-11-14T22:13:20Z");
    CHECK(time_text(test::at(0) + std::chrono::milliseconds{50}) == "2023-11-14T22:13:20.05Z");
    CHECK(time_text(test::at(0) + std::chrono::nanoseconds{1}) == "2023-11-14T22:13:20.000000001Z");
    CHECK(time_text(eni::time_point{} - std::chrono::milliseconds{1}) == "1969-12-31T23:59:59.999Z");
}
