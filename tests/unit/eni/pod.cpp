#include <cnix/eni/pod.hpp>

#include <doctest/doctest.h>

using namespace cnix;

namespace {
cni::attachment_id attachment(char const* container = "c1") {
    return {cni::network_name::parse("aws-cni").value(), cni::container_id::parse(container).value(),
            net::interface_name::parse("eth0").value()};
}
eni::pod_args pod(char const* space, char const* name) {
    return {.K8S_POD_NAME = config::text{name}, .K8S_POD_NAMESPACE = config::text{space}};
}
} // namespace

TEST_CASE("a pod's host end has upstream's name") {
    CHECK(eni::host_end_name("eni", pod("default", "nginx"), attachment()).str() == "enic440f455693");
    CHECK(eni::host_end_name("vlan", pod("kube-system", "coredns-0"), attachment()).str() ==
          "vlan8c346e38bf4");
}

TEST_CASE("the pod's further interfaces have names of their own") {
    // printf default.nginx.1 | sha1sum
    CHECK(eni::pod_digest(pod("default", "nginx"), attachment(), 1) == "e48ae9c2f34");
    CHECK(eni::pod_end_name(attachment(), 0).str() == "eth0");
    CHECK(eni::pod_end_name(attachment(), 1).str() == "mNicIf1");
}

TEST_CASE("containers that are no pods have names of their own") {
    CHECK(eni::pod_digest({}, attachment("a")) != eni::pod_digest({}, attachment("b")));
    CHECK(eni::pod_digest({}, attachment("a")) == eni::pod_digest({}, attachment("a")));
}
