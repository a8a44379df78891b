#pragma once
#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/backends/recording/netlink.hpp>
#include <cnix/backends/recording/ns.hpp>

namespace cnix::backends::recording {

/// A fresh node, an empty journal and no failures to come. Objects made before are invalid.
inline void reset() {
    kernel::self().reset();
    journal::clear();
    faults::clear();
}

} // namespace cnix::backends::recording
