#pragma once
#include <cnix/cni/result.hpp>
#include <cnix/sys/errors.hpp>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

namespace cnix::ipam {

/// The name server settings of a file in the format of resolv.conf(5), as the reference host-local reads
/// them: `search` and `options` add up, of `domain` the last counts, of `nameserver` the first word. Throws
/// std::system_error if it cannot be read.
inline cni::dns read_resolv_conf(std::string const& path) {
    errno = 0;
    std::ifstream file{path};
    if (!file) sys::throw_errno(errno ? errno : EIO, "open the file \"" + path + "\" (`resolvConf`)");
    cni::dns dns;
    for (std::string line; std::getline(file, line);) {
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
    if (file.bad()) sys::throw_errno(EIO, "read the file \"" + path + "\" (`resolvConf`)");
    return dns;
}

} // namespace cnix::ipam
