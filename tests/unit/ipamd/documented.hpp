#pragma once
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace cnix::test {

/// Whether docs/ipamd.md has the table between its marks. With CNIX_WRITE_DOCS in the environment it is written there first.
inline bool documented(std::string_view name, std::string const& table) {
    std::ostringstream read;
    read << std::ifstream{CNIX_IPAMD_PAGE}.rdbuf();
    std::string page = read.str();
    std::string const begin = "<!-- table " + std::string{name} + " -->\n", end = "<!-- end -->\n";
    auto const from = page.find(begin), to = page.find(end, from);
    if (from == page.npos || to == page.npos) return false;
    auto const first = from + begin.size();
    if (std::getenv("CNIX_WRITE_DOCS")) {
        page.replace(first, to - first, table);
        std::ofstream{CNIX_IPAMD_PAGE} << page;
        return true;
    }
    return page.substr(first, to - first) == table;
}

} // namespace cnix::test
