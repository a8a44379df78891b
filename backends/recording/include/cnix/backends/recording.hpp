#pragma once
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/netlink.hpp>
#include <cnix/backends/recording/ns.hpp>

namespace cnix::backends::recording {

/// A fresh node, an empty journal and no failures to come. Objects made before are invalid.
void reset();

} // namespace cnix::backends::recording

#ifndef CNIX_PREBUILT
#include <cnix/backends/recording.ipp>
#endif
