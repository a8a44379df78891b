#include <cnix/cni/attachment.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

using cnix::cni::attachment_id;
using cnix::cni::container_id;
using cnix::cni::digest;
using cnix::cni::network_name;
using cnix::net::interface_name;

namespace {

attachment_id id(char const* network, char const* container, char const* interface) {
    return {network_name::parse(network).value(), container_id::parse(container).value(),
            interface_name::parse(interface).value()};
}

} // namespace

// Names in kernels and on disks are made of it: a change would orphan what older versions made. Python's
// uuid.uuid5 gives the same.
TEST_CASE("the digest never changes") {
    CHECK(digest("") == "45f5be6e4c1758118ef3243dc3c8872e");
    CHECK(digest("podnet") == "bd5cf771f373504b8bd9ba9a0f508723");
    CHECK(id("podnet", "c1", "eth0").digest() == "7bbd65d5371f5639841c9662404e8da6");
}

TEST_CASE("every part counts, and where it ends") {
    std::set<std::string> digests;
    for (auto const& one :
         {id("n", "c", "eth0"), id("m", "c", "eth0"), id("n", "d", "eth0"), id("n", "c", "eth1"),
          id("nc", "c", "eth0"), id("n", "cc", "eth0"), id("n", "cceth", "0")})
        digests.insert(one.digest());
    CHECK(digests.size() == 7);
}
