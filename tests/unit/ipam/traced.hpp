#pragma once
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <elf.h>
#include <functional>
#include <optional>
#include <stdexcept>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace host_local_test {

/// The system calls an action makes, in order, found by running it in a traced child process. With `kill_at`,
/// the child is killed as it is about to make the call of that number (from 0), so that calls 0 to kill_at -
/// 1 were made.
struct traced {
    std::vector<long> calls;
    bool killed = false;
    int status = 0; ///< exit status of a child that was not killed: 0, or 1 if the action threw
};

inline traced trace(std::function<void()> const& action, std::optional<std::size_t> kill_at = {}) {
    pid_t const pid = ::fork();
    if (pid < 0) throw std::runtime_error{"fork"};
    if (pid == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
        int status = 0;
        try {
            action();
        } catch (...) {
            status = 1;
        }
        ::_exit(status);
    }
    traced seen;
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0)
        throw std::runtime_error{"ptrace is not allowed here"};
    for (;;) {
        ::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr);
        if (::waitpid(pid, &status, 0) < 0) throw std::runtime_error{"waitpid"};
        if (WIFEXITED(status)) {
            seen.status = WEXITSTATUS(status);
            return seen;
        }
        if (WIFSIGNALED(status)) throw std::runtime_error{"the traced process died of a signal"};
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
        __ptrace_syscall_info info{};
        if (::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0)
            throw std::runtime_error{"PTRACE_GET_SYSCALL_INFO"};
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
        if (kill_at && seen.calls.size() == *kill_at) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, &status, 0);
            seen.killed = true;
            return seen;
        }
        seen.calls.push_back(static_cast<long>(info.entry.nr));
    }
}

} // namespace host_local_test
