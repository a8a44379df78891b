#include <cnix/ns/setns.hpp>

#include <doctest/doctest.h>

#include "laws/ns_laws.hpp"
#include "support/own_namespace.hpp"
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <grp.h>
#include <ostream>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace cnix;

namespace {
test::own_namespace const own;

/// A process that lives in a new network namespace until the object ends.
class sandbox {
  public:
    sandbox() {
        int ready[2];
        REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            char const state = ::unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
            if (::write(ready[1], &state, 1) != 1) ::_exit(1);
            ::pause();
            ::_exit(0);
        }
        char state = 'n';
        REQUIRE(::read(ready[0], &state, 1) == 1);
        REQUIRE(state == 'y');
        ::close(ready[0]);
        ::close(ready[1]);
    }
    ~sandbox() { end(); }
    std::string path() const { return "/proc/" + std::to_string(pid_) + "/ns/net"; }
    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

  private:
    pid_t pid_ = -1;
};

std::string failure(std::string const& path) {
    try {
        static_cast<void>(ns::setns::open(path));
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::invalid_netns);
        return e.message();
    }
    return "it was opened";
}
} // namespace

TEST_CASE("setns follows the laws of ns_policy") {
    for (std::string const path : {"/dev/null", "/etc", "/proc/self/ns/uts", "/proc/self/status"}) {
        sandbox pod;
        sandbox const other;
        laws::ns_laws<ns::setns>{{pod.path(), other.path(), [&] { pod.end(); }, path}}.all();
    }
}

TEST_CASE("the thread's own namespace is current") {
    CHECK(ns::setns::open("/proc/self/ns/net").is_current());
}

TEST_CASE("what is missing is named, and find has nothing") {
    std::string const path = "/run/netns/no-such-pod";
    CHECK(failure(path) == "failed to open netns \"/run/netns/no-such-pod\": no such file or directory: the "
                           "sandbox is gone, or CNI_NETNS is "
                           "a path of another mount namespace");
    CHECK_FALSE(ns::setns::find(path));
    CHECK_FALSE(ns::setns::find("/proc/self/ns/net/below"));
}

TEST_CASE("a sandbox that has ended") {
    sandbox pod;
    std::string const path = pod.path();
    ns::setns held = ns::setns::open(path);
    pod.end();
    CHECK_FALSE(ns::setns::find(path));
    CHECK(failure(path).starts_with("failed to open netns \"" + path + "\": no such file or directory"));
    CHECK(held.run([&] { return held.is_current(); })); // held open, it lives on
}

TEST_CASE("other files are not network namespaces") {
    for (std::string const path : {"/dev/null", "/etc", "/proc/self/ns/uts", "/proc/self/status"}) {
        CAPTURE(path);
        CHECK(failure(path).starts_with("failed to open netns \"" + path + "\": not a network namespace"));
        CHECK_FALSE(ns::setns::find(path));
    }
}

TEST_CASE("a FIFO does not stop it") {
    auto const path = std::filesystem::temp_directory_path() / ("cnix-fifo-" + std::to_string(::getpid()));
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK_FALSE(ns::setns::find(path.string()));
    std::filesystem::remove(path);
}

TEST_CASE("its descriptor is closed on exec") {
    sandbox const pod;
    ns::setns const held = ns::setns::open(pod.path());
    CHECK((::fcntl(held.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("only the calling thread moves") {
    sandbox const pod;
    ns::setns held = ns::setns::open(pod.path());
    struct stat before{};
    struct stat inside{};
    REQUIRE(::stat("/proc/self/ns/net", &before) == 0);
    held.run([&] { REQUIRE(::stat("/proc/thread-self/ns/net", &inside) == 0); });
    struct stat after{};
    REQUIRE(::stat("/proc/thread-self/ns/net", &after) == 0);
    CHECK(inside.st_ino != before.st_ino);
    CHECK(after.st_ino == before.st_ino);
}

TEST_CASE("a thread that cannot return ends the process") {
    sandbox const pod;
    int report[2];
    REQUIRE(::pipe2(report, O_CLOEXEC) == 0);
    pid_t const child = ::fork();
    if (child == 0) {
        ::dup2(report[1], 2);
        ::signal(SIGABRT, SIG_DFL); // not the test framework's report
        ns::setns held = ns::setns::open(pod.path());
        // Without CAP_SYS_ADMIN, setns(2) back to the node's namespace is refused.
        held.run([] {
            ::setgroups(0, nullptr);
            if (::setuid(65534) != 0) ::_exit(3);
        });
        ::_exit(0);
    }
    ::close(report[1]);
    std::string text(512, '\0');
    ssize_t const size = ::read(report[0], text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    ::close(report[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
    CHECK(text.find("cnix: cannot return to the node's network namespace: Operation not permitted") !=
          std::string::npos);
}
