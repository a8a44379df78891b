#pragma once
#include <cnix/cni/result.hpp>
#include <cnix/cni/version.hpp>

#include <string_view>

namespace cnix::cni {

/// Reads a result of any version. `part` is its slice of `source` (network_config::prevResult), `path` its
/// place there. Its own cniVersion says how it is to be read; without one, that of the configuration.
///
/// An index into `interfaces` that names none is dropped. Throws cni::error of code 6 that names the place
/// and the fault.
result read_result(std::string_view source, std::string_view part, std::string_view path, version configured);

/// Reads what a delegate printed.
result read_result(std::string_view document, version configured);

} // namespace cnix::cni

#ifndef CNIX_PREBUILT
#include <cnix/cni/read_result.ipp>
#endif
