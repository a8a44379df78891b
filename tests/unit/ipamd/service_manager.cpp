#include <ipamd/service_manager.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>

using namespace cnix;
using cnix::ipamd::service_manager;

namespace {

/// What systemd would be.
struct listener {
    explicit listener(std::string const& name) : socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::memcpy(at.sun_path, name.data(), name.size());
        if (name[0] == '@') at.sun_path[0] = '\0';
        auto const size =
            static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '/'));
        REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&at), size) == 0);
    }
    /// "(nothing)" if there is no message.
    std::string next() {
        char bytes[4096];
        ssize_t const count = ::recv(socket.get(), bytes, sizeof bytes, MSG_DONTWAIT);
        return count < 0 ? "(nothing)" : std::string(bytes, static_cast<std::size_t>(count));
    }
    sys::fd socket;
};

struct fixture {
    fixture() {
        char name[] = "/tmp/cnix-notify-XXXXXX";
        directory = ::mkdtemp(name);
    }
    ~fixture() { std::filesystem::remove_all(directory); }
    std::string directory;
};

} // namespace

TEST_CASE_FIXTURE(fixture, "what is said, by path and by abstract name") {
    for (std::string const& address : {directory + "/notify", "@cnix-notify-" + directory.substr(5)}) {
        CAPTURE(address);
        listener manager{address};
        service_manager told{address};
        CHECK(told);
        told.extend_timeout(std::chrono::seconds{90});
        CHECK(manager.next() == "EXTEND_TIMEOUT_USEC=90000000");
        told.ready("3 of 30 addresses in use");
        CHECK(manager.next() == "READY=1\nSTATUS=3 of 30 addresses in use");
        told.status("growth waits\nREADY=1\nMAINPID=1");
        CHECK(manager.next() == "STATUS=growth waits; READY=1; MAINPID=1");
        told.status("no answer: \xff\x1b[2J caf\xc3\xa9"); // systemd takes UTF-8 only
        CHECK(manager.next() == "STATUS=no answer: \xef\xbf\xbd?[2J caf\xc3\xa9");
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        told.reloading();
        auto const text = manager.next();
        constexpr std::string_view begin = "RELOADING=1\nMONOTONIC_USEC=";
        REQUIRE(text.starts_with(begin));
        CHECK(std::stoll(text.substr(begin.size())) / 1'000'000 - now.tv_sec <= 1);
        told.stopping();
        CHECK(manager.next() == "STOPPING=1\nSTATUS=stopping");
        CHECK(manager.next() == "(nothing)");
    }
}

TEST_CASE_FIXTURE(fixture, "a manager that does not read, or is gone, stops nothing") {
    auto const address = directory + "/notify";
    service_manager told{address};
    told.ready("nobody is there");
    {
        listener const deaf{address};
        for (int i = 0; i < 10'000; ++i) told.status("still running");
    }
    told.stopping();
}

TEST_CASE("no service manager") {
    ::unsetenv("NOTIFY_SOCKET");
    service_manager none;
    CHECK_FALSE(none);
    none.ready("nobody is told");
}

TEST_CASE_FIXTURE(fixture, "the environment says where it is") {
    auto const address = directory + "/notify";
    listener manager{address};
    ::setenv("NOTIFY_SOCKET", address.c_str(), 1);
    service_manager{}.ready("from the environment");
    CHECK(manager.next() == "READY=1\nSTATUS=from the environment");
    for (std::string const& wrong :
         {std::string{"notify"}, "/" + std::string(200, 'a'), std::string{"vsock:2:1234"}}) {
        ::setenv("NOTIFY_SOCKET", wrong.c_str(), 1);
        CHECK_THROWS_AS(service_manager{}, std::system_error);
    }
    ::unsetenv("NOTIFY_SOCKET");
}
