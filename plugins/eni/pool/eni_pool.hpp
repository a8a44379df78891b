#pragma once
#include <cnix/backends/libnl.hpp>
#include <cnix/ipam/pool.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/ns/setns.hpp>
#include <cnix/plugin.hpp>

using namespace cnix;

using eni_pool = plugin<link::eni_routed<backends::libnl>, ipam::pool, nat::none, ns::setns>;
