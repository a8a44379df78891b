#include <cnix/sys/child_process.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

namespace sys = cnix::sys;
using namespace std::chrono_literals;

namespace {

sys::outcome shell(std::string script, std::string_view input = {}) {
    return sys::run({.arguments = {"/bin/sh", "-c", std::move(script)}, .input = input});
}

} // namespace

TEST_CASE("run keeps both outputs and the exit status") {
    auto const done = shell("echo out; echo err >&2; exit 3");
    CHECK(done.out == "out\n");
    CHECK(done.err == "err\n");
    CHECK_FALSE(done.success());
    CHECK(done.ending() == "exit status 3");
    CHECK(shell("true").success());
}

TEST_CASE("run names the signal a program died of") {
    auto const done = shell("kill -9 $$");
    CHECK_FALSE(done.success());
    CHECK(done.ending() == "signal: Killed");
}

TEST_CASE("run passes input of any size and bytes unchanged, while both outputs fill up") {
    std::string input;
    for (int i = 0; i < 1'000'000; ++i) input += static_cast<char>(i * 31);
    auto const done = shell("tee /dev/stderr", input);
    CHECK(done.out == input);
    CHECK(done.err == input);
}

TEST_CASE("run does not mind a program that leaves its input unread") {
    std::string const input(4'000'000, 'x');
    CHECK(shell("exec <&-; echo done", input).out == "done\n");
}

TEST_CASE("run gives arguments as they are, without a shell") {
    auto const done = sys::run({.arguments = {"printf", "%s\\n", "a b", "$HOME;`id`", "*"}});
    CHECK(done.out == "a b\n$HOME;`id`\n*\n");
}

TEST_CASE("run gives the caller's environment, or the one asked for") {
    ::setenv("CNIX_TEST_VARIABLE", "mine", 1);
    CHECK(shell("echo $CNIX_TEST_VARIABLE").out == "mine\n");
    sys::command changed{.arguments = {"/usr/bin/env"}};
    changed.environment = sys::environment_with("CNIX_TEST_VARIABLE", "other=1");
    CHECK(sys::run(changed).out.find("CNIX_TEST_VARIABLE=other=1\n") != std::string::npos);
    CHECK(sys::run(changed).out.find("PATH=") != std::string::npos);
    changed.environment = std::vector<std::string>{"ONLY=this"};
    CHECK(sys::run(changed).out == "ONLY=this\n");
    ::unsetenv("CNIX_TEST_VARIABLE");
}

TEST_CASE("environment_with removes duplicates, the last one wins") {
    char first[] = "A=1", second[] = "B=2", third[] = "A=3", longer[] = "AB=4";
    char* lines[] = {first, second, third, longer, nullptr};
    char** const saved = ::environ;
    ::environ = lines;
    auto const made = sys::environment_with("B", "5");
    ::environ = saved;
    CHECK(made == std::vector<std::string>{"A=3", "B=5", "AB=4"});
}

TEST_CASE("run throws with the program's name and the reason if it cannot be started") {
    CHECK_THROWS_WITH_AS(sys::run({.arguments = {"/nonexistent/program"}}),
                         "run \"/nonexistent/program\": No such file or directory", std::system_error);
    CHECK_THROWS_AS(sys::run({.arguments = {"no-such-program-in-path"}}), std::system_error);
    CHECK_THROWS_AS(sys::run({.arguments = {"/"}}), std::system_error);
    CHECK_THROWS_AS(sys::run({}), std::system_error);
}

TEST_CASE("run kills a program that writes more than it may") {
    for (char const* const endless : {"exec yes", "exec yes >&2"})
        CHECK_THROWS_WITH_AS(sys::run({.arguments = {"/bin/sh", "-c", endless}, .max_output = 100000}),
                             "read the output of \"/bin/sh\", more than 100000 bytes: Message too long",
                             std::system_error);
    CHECK(sys::run({.arguments = {"/bin/sh", "-c", "printf 12345"}, .max_output = 5}).out == "12345");
}

TEST_CASE("run kills a program at its limit, though others keep its outputs open") {
    auto const start = std::chrono::steady_clock::now();
    sys::command slow{.arguments = {"/bin/sh", "-c", "echo started; sleep 5 & sleep 5"}};
    slow.limit = 300ms;
    auto const done = sys::run(slow);
    CHECK(done.timed_out);
    CHECK_FALSE(done.success());
    CHECK(done.out == "started\n");
    CHECK(done.ending() == "timed out");

    slow.arguments[2] = "exec >&- 2>&-; exec sleep 5";
    CHECK(sys::run(slow).timed_out);
    CHECK(std::chrono::steady_clock::now() - start < 4s);

    slow.arguments[2] = "echo quick";
    CHECK(sys::run(slow).success());
}

TEST_CASE("run tries again while the program's file is being written") {
    auto const path = std::filesystem::temp_directory_path() / ("cnix-busy-" + std::to_string(::getpid()));
    std::filesystem::copy_file("/bin/true", path, std::filesystem::copy_options::overwrite_existing);
    {
        std::ofstream const writer{path, std::ios::app};
        sys::command busy{.arguments = {path.string()}};
        busy.busy_attempts = 1;
        CHECK_THROWS_AS(sys::run(busy), std::system_error);
    }
    std::thread closing;
    {
        auto writer = std::make_unique<std::ofstream>(path, std::ios::app);
        closing = std::thread{[file = std::move(writer)]() mutable {
            std::this_thread::sleep_for(100ms);
            file.reset();
        }};
    }
    CHECK(sys::run({.arguments = {path.string()}}).success());
    closing.join();
    std::filesystem::remove(path);
}

TEST_CASE("run leaves no descriptors open, here or in the program") {
    auto const descriptors = [](bool inheritable) {
        std::string list;
        for (int each = 0; each < 256; ++each) {
            int const flags = ::fcntl(each, F_GETFD);
            if (flags >= 0 && !(inheritable && (flags & FD_CLOEXEC))) list += std::to_string(each) + ' ';
        }
        return list;
    };
    auto const before = descriptors(false);
    auto const seen = shell("for i in $(seq 0 255); do [ -e /proc/$$/fd/$i ] && printf '%s ' $i; done");
    CHECK(seen.out == descriptors(true));
    CHECK(descriptors(false) == before);
}

TEST_CASE("run works for a caller whose own stdin, stdout and stderr are closed") {
    pid_t const pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        for (int standard : {0, 1, 2}) ::close(standard);
        bool good = false;
        try {
            auto const done = shell("cat; echo err >&2", "in");
            good = done.success() && done.out == "in" && done.err == "err\n";
        } catch (...) {
        }
        ::_exit(good ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
}
