// Many processes on one checkpoint, killed ones, and disks that are full or read-only.
#include <cnix/eni/checkpoint.hpp>
#include <cnix/ipam/pool.hpp>
#include <cnix/sys/directory.hpp>

#include "pool_fixture.hpp"
#include <csignal>
#include <functional>
#include <map>
#include <random>
#include <sched.h>
#include <set>
#include <support/killed_at.hpp>
#include <support/own_file_system.hpp>
#include <support/processes.hpp>
#include <sys/mount.h>
#include <sys/wait.h>
#include <thread>

using namespace pool_test;
using cnix::test::on_file_system;

namespace {

/// Of ENI 0: 10.0.1.11 and on.
std::string inventory(int addresses) {
    std::string list;
    for (int i = 0; i < addresses; ++i)
        list += (i ? ", \"10.0.1." : "\"10.0.1.") + std::to_string(11 + i) + '"';
    return R"({"enis": [{"id": "eni-1", "mac": "02:00:00:00:01:01", "deviceNumber": 0, "primaryAddress": "10.0.1.10",)"
           R"( "subnet": "10.0.1.0/24", "addresses": [)" +
           list + "]}]}";
}

/// Holders by address, each once.
std::map<std::string, std::string> held(node const& here) {
    std::map<std::string, std::string> all;
    auto const in = sys::directory::open(here.state());
    if (!in) return all; // nobody has come so far
    for (auto const& one : eni::checkpoint{*in, "ipam.json"}.load().assignments)
        for (auto const& part : one.holdings)
            for (auto const& address : part.addresses)
                CHECK(all.emplace(address.str(), one.key.container).second);
    return all;
}
std::set<std::string> files(node const& here) {
    std::set<std::string> all;
    for (auto const& entry : fs::directory_iterator{here.state()}) all.insert(entry.path().filename());
    return all;
}

int errno_of(std::function<void()> const& action) {
    try {
        action();
    } catch (std::system_error const& e) {
        return e.code().value();
    }
    return 0;
}

} // namespace

TEST_CASE("50 ADDs at once get 50 addresses, and there is none for the next") {
    node const here{inventory(50)};
    auto const keys = here.keys();
    CHECK(cnix::test::failures_of(50, [&](int i) { added("c" + std::to_string(i), keys); }) == 0);
    CHECK(held(here).size() == 50);
    CHECK(refused("late", keys).find("50 of 50 IPv4 addresses are in use") != std::string::npos);
    CHECK(cnix::test::failures_of(50, [&](int i) { del("c" + std::to_string(i), keys); }) == 0);
    CHECK(held(here).empty());
    CHECK(refused("late", keys).find("0 of 50 IPv4 addresses are in use, 50 cooling") != std::string::npos);
    CHECK(files(here) == std::set<std::string>{"ipam.json", "ipam.json.lock"});
}

TEST_CASE("ADDs of one attachment at once get one address") {
    node const here{inventory(5)};
    auto const keys = here.keys();
    CHECK(cnix::test::failures_of(10, [&](int) {
              if (added("a", keys) != "10.0.1.11/24") throw std::runtime_error{"another address"};
          }) == 0);
    CHECK(held(here) == std::map<std::string, std::string>{{"10.0.1.11", "a"}});
}

TEST_CASE("churn: a process that has an address is its only holder") {
    node const here{inventory(12)};
    auto const keys = here.keys(R"("cooldown": 0)");
    int const failed = cnix::test::failures_of(5, [&](int i) {
        std::string const me = "c" + std::to_string(i);
        for (int round = 0; round < 15; ++round) {
            std::string const address = added(me, keys);
            fs::path const mark = here.root / address.substr(0, address.find('/'));
            if (!fs::create_directory(mark)) throw std::runtime_error{"somebody has " + address};
            fs::remove(mark);
            del(me, keys);
        }
    });
    CHECK(failed == 0);
    CHECK(held(here).empty());
}

TEST_CASE("an ADD killed at any system call has happened or not, and can be repeated or deleted") {
    node const here{inventory(4)};
    auto const keys = here.keys(R"("cooldown": 0)");
    added("first", keys);
    int happened = 0, not_yet = 0;
    bool killed = true;
    for (int step = 0; killed; step += 2) { // as each call begins
        std::string const me = "c" + std::to_string(step);
        killed = cnix::test::killed_at(step, [&] { added(me, keys); });
        auto const now = held(here);
        ++(now.size() == 2 ? happened : not_yet);
        CHECK(now.at("10.0.1.11") == "first");
        std::string const address = added(me, keys);
        if (now.size() == 2) CHECK(now.at(address.substr(0, address.find('/'))) == me);
        CHECK(files(here) == std::set<std::string>{"ipam.json", "ipam.json.lock"});
        del(me, keys);
    }
    CHECK(not_yet > 10);
    CHECK(happened > 3);
    CHECK(here.holders() == "net/first/eth0: 10.0.1.11\n");
}

TEST_CASE("a DEL killed at any system call can be repeated") {
    node const here{inventory(4)};
    auto const keys = here.keys(R"("cooldown": 0)");
    added("first", keys);
    int released = 0;
    bool killed = true;
    for (int step = 0; killed; step += 2) { // as each call begins
        added("a", keys);
        killed = cnix::test::killed_at(step, [&] { del("a", keys); });
        released += held(here).size() == 1;
        del("a", keys);
        CHECK(here.holders() == "net/first/eth0: 10.0.1.11\n");
    }
    CHECK(released > 3);
}

TEST_CASE("processes killed at any time leave a whole checkpoint") {
    node const here{inventory(40)};
    auto const keys = here.keys(R"("cooldown": 0)");
    std::mt19937 random{20261123};
    for (int round = 0; round < 12; ++round) {
        std::vector<pid_t> children;
        for (int child = 0; child < 4; ++child) {
            pid_t const pid = ::fork();
            if (pid == 0)
                for (std::string const me = "c" + std::to_string(child);;) {
                    added(me, keys);
                    del(me, keys);
                }
            children.push_back(pid);
        }
        std::this_thread::sleep_for(std::chrono::microseconds{1000 + random() % 4000});
        for (pid_t const child : children) ::kill(child, SIGKILL);
        for (pid_t const child : children) {
            int status = 0;
            ::waitpid(child, &status, 0);
            CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)); // none had an error before
        }
        CHECK(held(here).size() <= 4);
        added("after", keys);
        del("after", keys);
    }
}

TEST_CASE("a full disk fails ADD and DEL with the cause, and leaves the old file and nothing else") {
    node const here{inventory(200)};
    auto const keys = here.keys();
    on_file_system(here.state(), "size=16k,nr_inodes=8", [&] {
        int error = 0, good = 0;
        for (int i = 0; error == 0 && i < 200; ++i) {
            cni::rollback undo;
            error = errno_of([&] { ipam::pool{}.add(attachment("c" + std::to_string(i)), keys, undo); });
            if (error != 0 && !undo.undo().empty()) return false;
            undo.commit();
            good += error == 0;
        }
        return error == ENOSPC && good > 10 && held(here).size() == static_cast<std::size_t>(good) &&
               files(here) == std::set<std::string>{"ipam.json", "ipam.json.lock"} &&
               addresses(add(attachment("c0"), keys)) == "10.0.1.11/24" && // which writes nothing
               held(here).size() == static_cast<std::size_t>(good);
    });
}

TEST_CASE("a read-only file system fails ADD and DEL with the cause") {
    node const here{inventory(4)};
    auto const keys = here.keys();
    on_file_system(here.state(), "", [&] {
        added("a", keys);
        if (::mount("cnix", here.state().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "") != 0) ::_exit(77);
        findings found;
        ipam::pool{}.status(keys, found);
        cni::rollback undo; // has nothing to do, and so writes nothing
        return errno_of([&] { ipam::pool{}.add(attachment("b"), keys, undo); }) == EROFS &&
               undo.undo().empty() && errno_of([&] { del("a", keys); }) == EROFS &&
               ipam::pool{}.find(attachment("a"), keys).has_value() && held(here).size() == 1 &&
               found.size() == 1 &&
               found[0] ==
                   "pool: cannot create files in \"" + here.state().string() +
                       "\": Read-only file system; make it writable, or set `ipam.checkpoint` to a file in a "
                       "directory that is";
    });
}
