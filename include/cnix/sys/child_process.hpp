#pragma once
#include <cnix/sys/errors.hpp>
#include <cnix/sys/fd.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace cnix::sys {

/// A program to run, without a shell.
struct command {
    /// The program, then its arguments. A program without '/' is looked up in PATH.
    std::vector<std::string> arguments;
    /// "NAME=value" each; absent: the caller's.
    std::optional<std::vector<std::string>> environment{};
    /// What it reads from stdin: an unnamed file, so that no program can make the caller wait by not reading.
    std::string_view input{};
    /// From the start to the end of its output and its exit; then it is killed. Absent: no limit.
    std::optional<std::chrono::milliseconds> limit{};
    /// Bytes of stdout and of stderr; a program that writes more is killed, and run() throws.
    std::size_t max_output = std::numeric_limits<std::size_t>::max();
    /// Starts tried while the program's file is open for writing (ETXTBSY: it is being installed), one second
    /// apart.
    int busy_attempts = 6;
};

/// What a program that was started came to.
struct outcome {
    int status = 0;         ///< as waitpid(2) gives it
    bool timed_out = false; ///< command::limit passed, and it was killed
    std::string out;        ///< all it wrote to stdout
    std::string err;        ///< all it wrote to stderr

    bool success() const noexcept { return WIFEXITED(status) && WEXITSTATUS(status) == 0 && !timed_out; }
    /// How it ended: "exit status 1", "signal: killed", "timed out".
    std::string ending() const {
        if (timed_out) return "timed out";
        if (WIFEXITED(status)) return "exit status " + std::to_string(WEXITSTATUS(status));
        char const* const name = WIFSIGNALED(status) ? ::sigdescr_np(WTERMSIG(status)) : nullptr;
        return "signal: " + (name ? std::string{name} : std::to_string(WTERMSIG(status)));
    }
};

/// The caller's environment without duplicates, and with `name` set to `value`.
inline std::vector<std::string> environment_with(std::string_view name, std::string_view value) {
    std::vector<std::string> out;
    auto const set = [&out](std::string_view key, std::string_view text) {
        std::string line = std::string{key} + '=' + std::string{text};
        auto const same = std::ranges::find_if(
            out, [&](std::string const& other) { return other.starts_with(line.substr(0, key.size() + 1)); });
        if (same != out.end())
            *same = std::move(line);
        else
            out.push_back(std::move(line));
    };
    for (char** each = ::environ; each && *each; ++each) {
        std::string_view const line{*each};
        if (auto const equals = line.find('='); equals != line.npos)
            set(line.substr(0, equals), line.substr(equals + 1));
    }
    set(name, value);
    return out;
}

namespace detail {

/// Moves a descriptor out of the way of 0, 1 and 2, which it can be if the caller was started with one of
/// them closed.
inline fd above_standard(fd descriptor) {
    if (descriptor.get() > STDERR_FILENO) return descriptor;
    fd moved{::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1)};
    if (!moved) throw_errno("duplicate a file descriptor");
    return moved;
}

struct pipe_ends {
    fd read;
    fd write;
};
inline pipe_ends make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("make a pipe");
    fd read{ends[0]}, write{ends[1]};
    return {above_standard(std::move(read)), above_standard(std::move(write))};
}

inline fd input_file(std::string_view bytes) {
    fd file{::memfd_create("stdin", MFD_CLOEXEC)};
    if (!file) throw_errno("make a file for a program's input");
    file = above_standard(std::move(file));
    while (!bytes.empty()) {
        ssize_t const written = ::write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw_errno("write a program's input");
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("rewind a program's input");
    return file;
}

/// A started program; killed and reaped if it is left behind by an exception.
class child {
  public:
    explicit child(pid_t pid) noexcept : pid_{pid} {}
    child(child const&) = delete;
    child& operator=(child const&) = delete;
    ~child() {
        if (pid_ <= 0) return;
        kill();
        int ignored = 0;
        reap(ignored);
    }

    pid_t pid() const noexcept { return pid_; }
    void kill() const noexcept { ::kill(pid_, SIGKILL); }
    bool reap(int& status) noexcept {
        pid_t reaped = -1;
        do reaped = ::waitpid(pid_, &status, 0);
        while (reaped < 0 && errno == EINTR);
        pid_ = 0;
        return reaped >= 0;
    }

  private:
    pid_t pid_;
};

/// The start of `program` with the three descriptors as its stdin, stdout and stderr. 0, or the errno of what
/// failed, execve(2) included.
inline int spawn(pid_t& pid, command const& program, int in, int out, int err) {
    auto const pointers = [](std::vector<std::string> const& texts) {
        std::vector<char*> list;
        for (std::string const& each : texts) list.push_back(const_cast<char*>(each.c_str()));
        list.push_back(nullptr);
        return list;
    };
    std::vector<char*> const arguments = pointers(program.arguments);
    std::vector<char*> const environment =
        program.environment ? pointers(*program.environment) : std::vector<char*>{};

    // A program expects to die of writing to nobody, even if the caller does not.
    sigset_t defaults, blocked;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigemptyset(&blocked);

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (!error) error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (!error) error = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    if (!error) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (!error) error = posix_spawnattr_setsigdefault(&attributes, &defaults);
    if (!error) error = posix_spawnattr_setsigmask(&attributes, &blocked);
    if (!error)
        error = posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments.data(),
                             program.environment ? environment.data() : ::environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

} // namespace detail

/// Runs a program to its end and keeps what it wrote. Both of its outputs are read as they come, so that
/// neither can fill up and stop it. Throws std::system_error if it cannot be started; that it fails is no
/// exception.
inline outcome run(command const& program) {
    using clock = std::chrono::steady_clock;
    std::string const name =
        '"' + (program.arguments.empty() ? std::string{} : program.arguments.front()) + '"';
    if (program.arguments.empty()) throw_errno(EINVAL, "run " + name);

    fd const in = detail::input_file(program.input);
    detail::pipe_ends out = detail::make_pipe();
    detail::pipe_ends err = detail::make_pipe();
    pid_t pid = 0;
    int error = 0;
    for (int attempt = 1;; ++attempt) {
        error = detail::spawn(pid, program, in.get(), out.write.get(), err.write.get());
        if (error != ETXTBSY || attempt >= program.busy_attempts) break;
        std::this_thread::sleep_for(std::chrono::seconds{1});
    }
    if (error) throw_errno(error, "run " + name);
    detail::child child{pid};
    out.write.reset();
    err.write.reset();

    std::optional<clock::time_point> end;
    fd exited;
    if (program.limit) {
        end = clock::now() + *program.limit;
        exited = fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
        if (!exited) throw_errno("watch " + name);
    }
    /// False when the time is up.
    auto const wait = [&](std::array<pollfd, 2>& sources) {
        for (;;) {
            int timeout = -1;
            if (end) {
                auto const left = std::chrono::ceil<std::chrono::milliseconds>(*end - clock::now()).count();
                if (left <= 0) return false;
                timeout = static_cast<int>(std::min<decltype(left)>(left, 60'000));
            }
            int const ready = ::poll(sources.data(), sources.size(), timeout);
            if (ready > 0) return true;
            if (ready < 0 && errno != EINTR) throw_errno("wait for the output of " + name);
        }
    };

    outcome result;
    std::array<fd*, 2> const files{&out.read, &err.read};
    std::array<std::string*, 2> const texts{&result.out, &result.err};
    while (out.read || err.read) {
        std::array<pollfd, 2> sources{pollfd{out.read.get(), POLLIN, 0}, pollfd{err.read.get(), POLLIN, 0}};
        if (!wait(sources)) {
            result.timed_out = true;
            break;
        }
        for (std::size_t i = 0; i < sources.size(); ++i) {
            if (sources[i].revents == 0) continue;
            std::array<char, 16384> buffer;
            ssize_t const count = ::read(files[i]->get(), buffer.data(), buffer.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) throw_errno("read the output of " + name);
            if (count == 0)
                files[i]->reset();
            else
                texts[i]->append(buffer.data(), static_cast<std::size_t>(count));
            if (texts[i]->size() > program.max_output)
                throw_errno(EMSGSIZE, "read the output of " + name + ", more than " +
                                          std::to_string(program.max_output) + " bytes");
        }
    }
    if (end && !result.timed_out) {
        std::array<pollfd, 2> sources{pollfd{exited.get(), POLLIN, 0}, pollfd{-1, 0, 0}};
        result.timed_out = !wait(sources);
    }
    if (result.timed_out) child.kill();
    if (!child.reap(result.status)) throw_errno("learn how " + name + " ended");
    return result;
}

} // namespace cnix::sys
