#pragma once
#include <cnix/cni/result.hpp>
#include <cnix/sys/errors.hpp>
#include <cnix/sys/fd.hpp>

#include <fcntl.h>
#include <sstream>
#include <string>
#include <sys/stat.h>

namespace cnix::ipam {

/// The name server settings of a file in the format of resolv.conf(5), as the reference host-local reads
/// them: `search` and `options` add up, of `domain` the last counts, of `nameserver` the first word. Throws
/// std::system_error if it cannot be read, is no regular file, or has more than 64 KiB.
inline cni::dns read_resolv_conf(std::string const& path) {
    auto const subject = [&path](std::string_view what) {
        return std::string{what} + " the file \"" + path + "\" (`resolvConf`)";
    };
    // O_NONBLOCK: a FIFO must not stop the plugin.
    auto const file = sys::try_open(path, O_RDONLY | O_NONBLOCK);
    if (!file) sys::throw_errno(errno, subject("open"));
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
        sys::throw_errno(EINVAL, subject("read"));
    constexpr std::size_t limit = 64 * 1024;
    std::string content(limit + 1, '\0');
    std::size_t size = 0;
    while (size < content.size()) {
        ssize_t const got = ::read(file.get(), content.data() + size, content.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) sys::throw_errno(errno, subject("read"));
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > limit) sys::throw_errno(EFBIG, subject("read"));
    content.resize(size);

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
