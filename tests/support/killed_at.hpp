#pragma once
#include <csignal>
#include <stdexcept>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cnix::test {

/// Runs the action in a process of its own and kills it (SIGKILL) as its system call number `step` begins or ends: each call is
/// two steps. False if the action ended before that.
template <class Action> bool killed_at(int step, Action const& action) {
    pid_t const child = ::fork();
    if (child == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
        try {
            action();
        } catch (...) {
            ::_exit(1);
        }
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    for (int at = 0; at < step && WIFSTOPPED(status); ++at) {
        if (::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) != 0) break;
        ::waitpid(child, &status, 0);
    }
    if (WIFEXITED(status)) {
        if (WEXITSTATUS(status) != 0) throw std::runtime_error{"the action failed by itself"};
        return false;
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return true;
}

} // namespace cnix::test
