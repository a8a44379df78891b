// Many processes on one data directory: ours alone, and ours beside the reference.
#include <cnix/cni/error.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/sys/child_process.hpp>

#include "host_local_fixture.hpp"
#include <csignal>
#include <cstdio>
#include <functional>
#include <random>
#include <sched.h>
#include <set>
#include <sys/mount.h>
#include <sys/wait.h>
#include <thread>

using namespace host_local_test;

namespace {

char const* const reference = "/usr/lib/cni/host-local";

pid_t start(std::function<bool()> const& action) {
    pid_t const pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid != 0) return pid;
    bool good = false;
    try {
        good = action();
    } catch (std::exception const& e) {
        std::fprintf(stderr, "%s\n", e.what());
    }
    ::_exit(good ? 0 : 1);
}
bool succeeded(pid_t pid) {
    int status = -1;
    return ::waitpid(pid, &status, 0) == pid && status == 0;
}

sys::outcome run_reference(data_directory const& data, std::string const& verb, std::string const& container,
                           std::string const& ipam, std::string const& arguments = "") {
    std::string const config = R"({"cniVersion": "1.0.0", "name": "net", "type": "bridge", "ipam": {"type": )"
                               R"("host-local", "dataDir": ")" +
                               data.root.string() + "\", " + ipam + "}}";
    sys::command call{.arguments = {reference}, .input = config};
    call.environment = {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + container,
                        "CNI_NETNS=/none",     "CNI_IFNAME=eth0",
                        "CNI_PATH=/none",      "CNI_ARGS=" + arguments};
    return sys::run(call);
}

bool reference_missing() {
    if (fs::exists(reference)) return false;
    MESSAGE("SKIPPED: there is no reference plugin " << reference
                                                     << " (Debian: containernetworking-plugins)");
    return true;
}

/// Each held address has one holder that says so, and the sealed index agrees.
void check_consistent(data_directory const& data, settings<ipam::host_local> const& with) {
    std::map<std::string, std::set<std::string>> by_holder;
    for (auto const& [address, content] : data.held()) by_holder[content].insert(address);
    for (auto const& [content, addresses_of] : by_holder) {
        auto const end = content.find("\r\n");
        REQUIRE(end != content.npos);
        auto const found =
            ipam::host_local{}.find(attachment(content.substr(0, end), content.substr(end + 2)), with);
        REQUIRE(found);
        std::set<std::string> texts;
        for (auto const& ip : found->ips) texts.insert(ip.address.address().str());
        CHECK(texts == addresses_of);
    }
}

} // namespace

TEST_CASE("processes that add at once never get one address, and can use up the range") {
    data_directory const data;
    auto const with = settings_of(data, R"("subnet": "10.0.0.0/25")"); // 125 addresses
    std::vector<pid_t> children;
    for (int child = 0; child < 25; ++child)
        children.push_back(start([&] {
            for (int i = 0; i < 5; ++i)
                add(attachment("c" + std::to_string(child) + "-" + std::to_string(i)), with);
            return true;
        }));
    for (pid_t const child : children) CHECK(succeeded(child));
    auto const held = data.held();
    CHECK(held.size() == 125);
    std::set<std::string> holders;
    for (auto const& [address, content] : held) holders.insert(content);
    CHECK(holders.size() == 125);
    CHECK(data.sealed());
    check_consistent(data, with);
    CHECK_THROWS_AS(add(attachment("late"), with), cni::error);
}

TEST_CASE("one lock covers all sets: who gets the last pair gets it whole") {
    data_directory const data;
    auto const with =
        settings_of(data, R"("ranges": [[{"subnet": "10.0.0.0/28"}], [{"subnet": "10.1.0.0/28"}]])");
    std::vector<pid_t> children;
    for (int child = 0; child < 40; ++child)
        children.push_back(start([&] {
            try {
                return add(attachment("c" + std::to_string(child)), with).ips.size() == 2;
            } catch (cni::error const&) {
                return false;
            }
        }));
    int good = 0;
    for (pid_t const child : children) good += succeeded(child);
    CHECK(good == 13); // .2 to .14 in both
    CHECK(data.held().size() == 26);
}

TEST_CASE("processes killed at any time leave nothing that blocks or misleads the others") {
    data_directory const data;
    auto const with =
        settings_of(data, R"("ranges": [[{"subnet": "10.0.0.0/26"}], [{"subnet": "fd00::/64"}]])");
    std::mt19937 random{20240607};
    for (int round = 0; round < 40; ++round) {
        std::vector<pid_t> children;
        for (int child = 0; child < 4; ++child)
            children.push_back(start([&] {
                for (;;) {
                    auto const me = attachment("r" + std::to_string(round) + "-" + std::to_string(child));
                    add(me, with);
                    del(me, with);
                }
                return false;
            }));
        std::this_thread::sleep_for(std::chrono::microseconds{1000 + random() % 5000});
        for (pid_t const child : children) ::kill(child, SIGKILL);
        for (pid_t const child : children) succeeded(child);
        for (int child = 0; child < 4; ++child)
            del(attachment("r" + std::to_string(round) + "-" + std::to_string(child)), with);
    }
    for (int i = 0; i < 61; ++i) REQUIRE(add(attachment("c" + std::to_string(i)), with).ips.size() == 2);
    CHECK_THROWS_AS(add(attachment("late"), with), cni::error);
    check_consistent(data, with);
}

TEST_CASE("a directory of ours is the reference's, and the other way round") {
    if (reference_missing()) return;
    data_directory const data;
    std::string const ipam = one_range;
    auto const with = settings_of(data, ipam);
    CHECK(added("a", with) == "10.0.0.2/24");
    auto made = run_reference(data, "ADD", "b", ipam);
    REQUIRE_MESSAGE(made.success(), made.out);
    CHECK(made.out.find("10.0.0.3/24") != std::string::npos);
    CHECK(data.read("10.0.0.3") == "b\r\neth0");
    CHECK(added("c", with) == "10.0.0.4/24");

    auto duplicate = run_reference(data, "ADD", "a", ipam);
    CHECK(duplicate.out.find("10.0.0.2 has been allocated to a, duplicate allocation is not allowed") !=
          std::string::npos);
    CHECK_THROWS_WITH_AS(
        add(attachment("b"), with),
        "failed to allocate for range 0: 10.0.0.3 has been allocated to b, duplicate allocation is "
        "not allowed; DEL its interface eth0 first",
        cni::error);
    CHECK(data.held().size() == 3); // unlike the reference's, our failing add keeps what was there

    CHECK(run_reference(data, "CHECK", "c", ipam).success());
    CHECK(run_reference(data, "DEL", "c", ipam).success());
    CHECK_FALSE(ipam::host_local{}.find(attachment("c"), with));
    del(attachment("b"), with);
    CHECK_FALSE(run_reference(data, "CHECK", "b", ipam).success());
    CHECK(data.held() == std::map<std::string, std::string>{{"10.0.0.2", "a\r\neth0"}});

    CHECK(run_reference(data, "ADD", "d", ipam, "IP=10.0.0.100").success());
    CHECK(added("e", with) == "10.0.0.101/24");
    check_consistent(data, with);
}

TEST_CASE("ours and the reference's at once never give one address twice") {
    if (reference_missing()) return;
    data_directory const data;
    std::string const ipam = R"("subnet": "10.0.0.0/25")";
    auto const with = settings_of(data, ipam);
    std::vector<pid_t> children;
    for (int child = 0; child < 6; ++child)
        children.push_back(start([&, theirs = child % 2 == 0] {
            for (int i = 0; i < 20; ++i) {
                std::string const me = "c" + std::to_string(child) + "-" + std::to_string(i);
                bool const keep = i % 2 == 0;
                if (theirs) {
                    if (!run_reference(data, "ADD", me, ipam).success()) return false;
                    if (!keep && !run_reference(data, "DEL", me, ipam).success()) return false;
                } else {
                    add(attachment(me), with);
                    if (!keep) del(attachment(me), with);
                }
                auto const found = ipam::host_local{}.find(attachment(me), with);
                if (keep != (found && found->ips.size() == 1)) return false;
            }
            return true;
        }));
    for (pid_t const child : children) CHECK(succeeded(child));
    CHECK(data.held().size() == 60);
    check_consistent(data, with);
    for (int child = 0; child < 6; ++child)
        for (int i = 0; i < 20; i += 2)
            del(attachment("c" + std::to_string(child) + "-" + std::to_string(i)), with);
    CHECK(data.held().empty());
}

namespace {

/// Runs the checks in a mount namespace of its own, whose data directory is a file system of its own.
/// Their failures are told by the exit status. False if such a namespace cannot be had here.
bool on_file_system(data_directory const& data, char const* options, std::function<bool()> const& checks) {
    int status = -1;
    pid_t const pid = start([&] {
        if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("cnix", data.root.c_str(), "tmpfs", 0, options) != 0)
            ::_exit(77);
        return checks();
    });
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        MESSAGE("SKIPPED: a mount namespace cannot be made here");
        return false;
    }
    CHECK(status == 0);
    return true;
}

int errno_of(std::function<void()> const& action) {
    try {
        action();
    } catch (std::system_error const& e) {
        return e.code().value();
    }
    return 0;
}
findings status_of(settings<ipam::host_local> const& with) {
    findings found;
    ipam::host_local{}.status(with, found);
    return found;
}

} // namespace

TEST_CASE("a full disk is an error that names the file, and leaves nothing half done") {
    data_directory const data;
    auto const with =
        settings_of(data, R"("ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "fd00::/64"}]])");
    // Every number of free inodes from none on: each creation fails once.
    for (int inodes = 1; inodes < 20; ++inodes)
        on_file_system(data, ("nr_inodes=" + std::to_string(inodes)).c_str(), [&] {
            int const error = errno_of([&] { add(attachment("a"), with); });
            bool const found = ipam::host_local{}.find(attachment("a"), with).has_value();
            if (error == 0) return found && data.held().size() == 2;
            return error == ENOSPC && !found && data.held().empty();
        });
    on_file_system(data, "size=4k", [&] { // one page: the first file's
        return errno_of([&] { add(attachment("a"), with); }) == ENOSPC && data.held().empty() &&
               errno_of([&] { del(attachment("a"), with); }) == 0;
    });
    on_file_system(data, "nr_inodes=1", [&] { return status_of(with).size() == 1; });
}

TEST_CASE("a read-only data directory is an error, and what it holds can still be told") {
    data_directory const data;
    auto const with = settings_of(data, one_range);
    on_file_system(data, "", [&] {
        add(attachment("a"), with);
        if (::mount("cnix", data.root.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "") != 0) ::_exit(77);
        return errno_of([&] { add(attachment("b"), with); }) == EROFS &&
               errno_of([&] { del(attachment("a"), with); }) == EROFS &&
               ipam::host_local{}.find(attachment("a"), with).has_value() && data.held().size() == 1 &&
               status_of(with).size() == 1;
    });
}
