#pragma once
#include <cnix/concepts/netlink_backend.hpp>

namespace cnix::backends::recording {

namespace nl = cnix::netlink; // recording::netlink is the backend

struct interface;
struct network_namespace;
class nft_ruleset;

} // namespace cnix::backends::recording
