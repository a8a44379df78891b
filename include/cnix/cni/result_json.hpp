#pragma once
#include <cnix/cni/result.hpp>
#include <cnix/cni/version.hpp>

#include <string>

namespace cnix::cni {

/// What ADD prints for a configuration of the version: indented, without a newline. What the version has no
/// key for is left out; 0.1.0 and 0.2.0 need an address to tell of, and an error of code 999 is thrown if
/// there is none.
std::string to_json(result const& r, version v);

} // namespace cnix::cni

#ifndef CNIX_PREBUILT
#include <cnix/cni/result_json.ipp>
#endif
