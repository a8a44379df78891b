#pragma once
#include <exception>
#include <iostream>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace cnix::test {

/// Runs f in n processes at once; how many failed.
template <class F> int failures_of(int n, F const& f) {
    std::vector<pid_t> children;
    for (int i = 0; i < n; ++i) {
        pid_t const child = ::fork();
        if (child == 0) {
            try {
                f(i);
                ::_exit(0);
            } catch (std::exception const& e) {
                std::cerr << i << ": " << e.what() << std::endl;
                ::_exit(1);
            }
        }
        children.push_back(child);
    }
    int failed = 0;
    for (pid_t child : children) {
        int status = 0;
        ::waitpid(child, &status, 0);
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    return failed;
}

} // namespace cnix::test
