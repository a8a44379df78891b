#pragma once
#include <cnix/ipam/host_local.hpp>
#include <cnix/plugin.hpp>

namespace site {
using plain_ipam = cnix::ipam_plugin<cnix::ipam::host_local>;
}
