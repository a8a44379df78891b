#include <cnix/cni/valid_attachments.hpp>

#include <doctest/doctest.h>

using cnix::cni::attachment_id;
using cnix::cni::container_id;
using cnix::cni::network_name;
using cnix::cni::valid_attachments;
using cnix::net::interface_name;

TEST_CASE("an attachment is found by each of its traces, others are not") {
    auto const network = network_name::parse("n").value();
    auto const container = container_id::parse("c").value();
    auto const eth0 = interface_name::parse("eth0").value();
    valid_attachments valid{network};
    CHECK_FALSE(valid.contains("c", "eth0"));
    valid.insert(container, eth0);
    valid.insert(container, eth0);

    CHECK(valid.network() == network);
    CHECK(valid.pairs().size() == 1);
    CHECK(valid.contains("c", "eth0"));
    CHECK_FALSE(valid.contains("c", "eth1"));
    CHECK_FALSE(valid.contains("d", "eth0"));
    CHECK(valid.contains_container("c"));
    CHECK_FALSE(valid.contains_container("d"));
    CHECK(valid.contains_digest(attachment_id{network, container, eth0}.digest()));
    CHECK_FALSE(
        valid.contains_digest(attachment_id{network_name::parse("m").value(), container, eth0}.digest()));
}
