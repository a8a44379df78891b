#pragma once
#include <cnix/cni/result.hpp>
#include <cnix/sys/read_file.hpp>

#include <cstddef>
#include <sstream>
#include <string>

namespace cnix::ipam {

/// The name server settings of a file in the format of resolv.conf(5), as the reference host-local reads
/// them: `search` and `options` add up, of `domain` the last counts, of `nameserver` the first word. Throws
/// std::system_error if it cannot be read, is no regular file, or has more than 64 KiB.
inline cni::dns read_resolv_conf(std::string const& path) {
    std::string const content = sys::read_file(path, std::size_t{64} * 1024, " (`resolvConf`)");

    cni::dns dns;
    std::istringstream lines{content};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::string key, word;
        if (!(words >> key) || key.starts_with('#') || key.starts_with(';')) continue;
        auto const rest = [&](std::vector<std::string>& all) {
            while (words >> word) all.push_back(word);
        };
        if (key == "search")
            rest(dns.search);
        else if (key == "options")
            rest(dns.options);
        else if (key == "nameserver" && words >> word)
            dns.nameservers.push_back(word);
        else if (key == "domain" && words >> word)
            dns.domain = word;
    }
    return dns;
}

} // namespace cnix::ipam
