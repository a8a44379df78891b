#pragma once
#include <cnix/backends/recording.hpp>
#include <cnix/backends/recording/faults.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/prebuilt.hpp>

namespace cnix::backends::recording {

CNIX_INLINE void reset() {
    kernel::self().reset();
    journal::clear();
    faults::clear();
}

} // namespace cnix::backends::recording
