#pragma once
#include <cnix/backends/grpc.hpp>
#include <cnix/backends/libnl.hpp>
#include <cnix/ipam/remote.hpp>
#include <cnix/link/eni_routed.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/ns/setns.hpp>
#include <cnix/plugin.hpp>

using namespace cnix;
using backends::libnl;

using eni_daemon = backends::grpc<rpc::v1_20>;
using eni_plugin = plugin<link::eni_routed<libnl>, ipam::remote<eni_daemon>, nat::none, ns::setns>;
