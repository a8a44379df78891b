#pragma once
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <sched.h>
#include <string>
#include <string_view>
#include <sys/mount.h>
#include <unistd.h>

namespace cnix::test {

/// A test binary's own network and mount namespace, entered before main: an object of this type at namespace
/// scope. Without the rights for it, or one of the programs, the binary says so and ends
/// (SKIP_REGULAR_EXPRESSION in CTest).
struct own_namespace {
    explicit own_namespace(std::initializer_list<char const*> programs = {}) {
        if (::geteuid() != 0) skip("needs root", "");
        for (char const* program : programs)
            if (std::system((std::string{"command -v "} + program + " >/dev/null").c_str()) != 0)
                skip("needs the program ", program);
        if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) skip("cannot make a network namespace", "");
        if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            skip("cannot keep mounts to itself", "");
    }

  private:
    [[noreturn]] static void skip(std::string_view reason, std::string_view what) {
        std::cout << "skipped: " << reason << what << std::endl;
        std::_Exit(0);
    }
};

} // namespace cnix::test
