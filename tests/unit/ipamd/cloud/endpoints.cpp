#include <ipamd/cloud/endpoints.hpp>

#include <doctest/doctest.h>

#include <cstdlib>

using namespace cnix::ipamd;

// As botocore 1.43.11 tells them.
TEST_CASE("the regions' endpoints") {
    CHECK(endpoint_of("ec2", "us-west-2") == "https://ec2.us-west-2.amazonaws.com");
    CHECK(endpoint_of("sts", "mx-central-1") == "https://sts.mx-central-1.amazonaws.com");
    CHECK(endpoint_of("ec2", "us-gov-west-1") == "https://ec2.us-gov-west-1.amazonaws.com");
    CHECK(endpoint_of("ec2", "cn-north-1") == "https://ec2.cn-north-1.amazonaws.com.cn");
    CHECK(endpoint_of("ec2", "us-iso-east-1") == "https://ec2.us-iso-east-1.c2s.ic.gov");
    CHECK(endpoint_of("ec2", "us-isob-east-1") == "https://ec2.us-isob-east-1.sc2s.sgov.gov");
    CHECK(endpoint_of("sts", "eusc-de-east-1") == "https://sts.eusc-de-east-1.amazonaws.eu");
    CHECK(endpoint_of("ec2", "us-west-2", true) == "https://ec2.us-west-2.api.aws");
    CHECK(endpoint_of("ec2", "cn-north-1", true) == "https://ec2.cn-north-1.api.amazonwebservices.com.cn");
}

TEST_CASE("the first variable that has a value") {
    ::setenv("CNIX_TEST_EMPTY", "", 1);
    ::setenv("CNIX_TEST_SET", "value", 1);
    CHECK(environment({"CNIX_TEST_UNSET", "CNIX_TEST_EMPTY", "CNIX_TEST_SET"}) == "value");
    CHECK(environment({"CNIX_TEST_UNSET"}).empty());
}
