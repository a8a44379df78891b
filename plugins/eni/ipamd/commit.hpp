#pragma once
#include <cnix/eni/state.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace cnix::ipamd {

/// Something to be written: the state of each network card that has changed, in the order in which they are to be written.
struct commit {
    std::uint64_t ticket = 0;
    std::vector<std::pair<int, eni::state>> cards{};
};

} // namespace cnix::ipamd
