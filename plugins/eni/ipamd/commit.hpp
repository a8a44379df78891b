#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cnix::ipamd {

/// Something to be written: what the file of each network card that has changed is to have, in the order in which they are to be
/// written.
struct commit {
    std::uint64_t ticket = 0;
    std::vector<std::pair<int, std::string>> cards{};
};

} // namespace cnix::ipamd
