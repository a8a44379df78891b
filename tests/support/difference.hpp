#pragma once
#include <algorithm>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace cnix::test {

/// The lines that only one of two texts has: "- " of the first, "+ " of the second. Empty if they have the same lines,
/// however ordered.
inline std::string difference(std::string const& before, std::string const& after) {
    auto const lines = [](std::string const& text) {
        std::vector<std::string> all;
        std::istringstream in{text};
        for (std::string line; std::getline(in, line);) all.push_back(line);
        std::sort(all.begin(), all.end());
        return all;
    };
    auto const old = lines(before), now = lines(after);
    std::vector<std::string> gone, come;
    std::set_difference(old.begin(), old.end(), now.begin(), now.end(), std::back_inserter(gone));
    std::set_difference(now.begin(), now.end(), old.begin(), old.end(), std::back_inserter(come));
    std::string text;
    for (auto const& line : gone) text += "- " + line + '\n';
    for (auto const& line : come) text += "+ " + line + '\n';
    return text;
}

} // namespace cnix::test
