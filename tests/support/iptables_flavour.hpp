#pragma once
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace cnix::test {

/// While it lives, the programs of iptables that PATH leads to are those of one flavour.
class iptables_flavour {
  public:
    /// Of "/usr/sbin/xtables-legacy-multi", say.
    explicit iptables_flavour(std::string const& program) : path_{std::getenv("PATH")} {
        char name[] = "/tmp/cnix-test-XXXXXX";
        if (!::mkdtemp(name)) throw std::runtime_error{"cannot make a directory in /tmp"};
        directory_ = name;
        for (std::string const tool : {"iptables", "ip6tables"})
            for (std::string const suffix : {"-save", "-restore"})
                std::filesystem::create_symlink(program, directory_ / (tool + suffix));
        ::setenv("PATH", directory_.c_str(), 1);
    }
    iptables_flavour(iptables_flavour const&) = delete;
    iptables_flavour& operator=(iptables_flavour const&) = delete;
    ~iptables_flavour() {
        ::setenv("PATH", path_.c_str(), 1);
        std::filesystem::remove_all(directory_);
    }

  private:
    std::string path_;
    std::filesystem::path directory_;
};

/// Whether the node has the legacy flavour, and the kernel its tables. Asking makes them.
inline bool has_iptables_legacy() {
    return ::access("/usr/sbin/xtables-legacy-multi", X_OK) == 0 &&
           std::system("/usr/sbin/iptables-legacy -t nat -S >/dev/null 2>&1 && "
                       "/usr/sbin/ip6tables-legacy -t nat -S >/dev/null 2>&1") == 0;
}

} // namespace cnix::test
