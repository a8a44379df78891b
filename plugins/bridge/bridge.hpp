#pragma once
#include <cnix/backends/libnl.hpp>
#include <cnix/backends/nftables.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/spoof_check.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/ns/setns.hpp>
#include <cnix/plugin.hpp>

using namespace cnix;
using backends::libnl;
using backends::nftables;

using bridge = plugin<link::bridge<libnl, link::spoof_check<nftables>>, ipam::host_local,
                      nat::nftables<nftables>, ns::setns>;
