#pragma once
#include <cnix/backends/libnl.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/ns/setns.hpp>
#include <cnix/plugin.hpp>

#include "point_to_point.hpp"
#include "text_file_ipam.hpp"

namespace site {

using pods = cnix::plugin<point_to_point<cnix::backends::libnl>, text_file, cnix::nat::none, cnix::ns::setns>;

} // namespace site
