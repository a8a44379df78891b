#include <ipamd/cloud/query.hpp>

#include <doctest/doctest.h>

#include <array>

using namespace cnix::ipamd;

TEST_CASE("the body is as botocore writes it") {
    query_request request{.action = "DescribeNetworkInterfaces"};
    request.add_each("NetworkInterfaceId", std::array<std::string, 2>{"eni-1", "eni-2"});
    request.filter("tag-key", std::array<std::string, 1>{"node.k8s.amazonaws.com/instance_id"});
    request.filter("status", std::array<std::string, 2>{"available", "a b"});
    request.add("MaxResults", "1000");
    CHECK(body_of(request, "2016-11-15") ==
          "Action=DescribeNetworkInterfaces&Version=2016-11-15&NetworkInterfaceId.1=eni-1&NetworkInterfaceId."
          "2=eni-2"
          "&Filter.1.Name=tag-key&Filter.1.Value.1=node.k8s.amazonaws.com%2Finstance_id&Filter.2.Name=status"
          "&Filter.2.Value.1=available&Filter.2.Value.2=a%20b&MaxResults=1000");
}
