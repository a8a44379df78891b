#pragma once
#include <cnix/cni/error.hpp>

#include <string>
#include <string_view>

namespace cnix::cni {

/// What a failed plugin prints, as containernetworking/cni does: without the cniVersion of the spec's text,
/// and without a newline.
std::string to_json(error const& e);

/// The error that a delegate printed, to be passed on. What is no error object becomes an error that quotes
/// it.
error read_error(std::string_view json);

} // namespace cnix::cni

#ifndef CNIX_PREBUILT
#include <cnix/cni/error_json.ipp>
#endif
