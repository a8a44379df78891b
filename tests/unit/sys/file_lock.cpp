#include <cnix/sys/file_lock.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <thread>

namespace fs = std::filesystem;
namespace sys = cnix::sys;

namespace {

struct temporary {
    temporary() {
        std::string name = (fs::temp_directory_path() / "cnix-lock-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path = name;
    }
    temporary(temporary const&) = delete;
    temporary& operator=(temporary const&) = delete;
    ~temporary() { fs::remove_all(path); }
    fs::path path;
};

/// Whether another process could have the lock now.
bool free(fs::path const& file) {
    sys::fd const other = sys::open(file, O_RDONLY);
    return ::flock(other.get(), LOCK_EX | LOCK_NB) == 0;
}

} // namespace

TEST_CASE("a file lock is held until destroyed") {
    temporary const root;
    auto const at = *sys::directory::open(root.path);
    std::optional<sys::file_lock> lock{std::in_place, at, "lock"};
    CHECK(fs::status(root.path / "lock").permissions() == fs::perms(0600));
    CHECK_FALSE(free(root.path / "lock"));
    lock.reset();
    CHECK(free(root.path / "lock"));
}

TEST_CASE("a file lock waits for its holder, and the kernel frees it when the holder is killed") {
    temporary const root;
    auto const at = *sys::directory::open(root.path);
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid_t const holder = ::fork();
    if (holder == 0) {
        sys::file_lock const lock{at, "lock"};
        if (::write(ready[1], "x", 1) != 1) ::_exit(1);
        for (;;) ::pause();
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK_FALSE(free(root.path / "lock"));

    pid_t const waiter = ::fork();
    if (waiter == 0) {
        sys::file_lock const lock{at, "lock"};
        ::_exit(0);
    }
    ::usleep(50'000);
    int status = 0;
    CHECK(::waitpid(waiter, &status, WNOHANG) == 0);
    ::kill(holder, SIGKILL);
    CHECK(::waitpid(holder, &status, 0) == holder);
    CHECK(::waitpid(waiter, &status, 0) == waiter);
    CHECK(status == 0);
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_CASE("a missing lock file can be ignored; a symbolic link is refused") {
    temporary const root;
    auto const at = *sys::directory::open(root.path);
    {
        sys::file_lock const none{at, "lock", sys::file_lock::missing::ignore};
    }
    CHECK(fs::is_empty(root.path));
    fs::create_symlink("elsewhere", root.path / "lock");
    CHECK_THROWS_AS((sys::file_lock{at, "lock"}), std::system_error);
    CHECK_FALSE(fs::exists(root.path / "elsewhere"));
}

TEST_CASE("a file lock with a limit") {
    using namespace std::chrono_literals;
    temporary const root;
    auto const at = *sys::directory::open(root.path);
    {
        sys::file_lock const lock{at, "lock", 0ms};
        CHECK_FALSE(free(root.path / "lock"));
        auto const begin = std::chrono::steady_clock::now();
        CHECK_THROWS_AS((sys::file_lock{at, "lock", 50ms}), sys::lock_timeout);
        CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
    }
    std::optional<sys::file_lock> first{std::in_place, at, "lock"};
    std::thread ends{[&] {
        std::this_thread::sleep_for(50ms);
        first.reset();
    }};
    sys::file_lock const second{at, "lock", 30s};
    CHECK_FALSE(free(root.path / "lock"));
    ends.join();
}
