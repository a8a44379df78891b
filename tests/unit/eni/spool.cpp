#include <cnix/eni/spool.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <sys/file.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace cnix;
using eni::spool;
using eni::spooled_release;
namespace fs = std::filesystem;

constexpr std::chrono::seconds patience{10};

struct in_directory {
    std::string root = "/tmp/cnix-spool.XXXXXX";
    in_directory() { REQUIRE(::mkdtemp(root.data())); }
    ~in_directory() { fs::remove_all(root); }
    in_directory(in_directory const&) = delete;
    in_directory& operator=(in_directory const&) = delete;

    spool waiting() const { return spool{root + "/a/b"}; }
    std::string path(std::string const& name) const { return root + "/a/b/" + name; }
    std::size_t files() const {
        auto const all = fs::directory_iterator{root + "/a/b"};
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }
    findings unreadable{};
};

spooled_release release(std::string_view container, std::string_view interface = "eth0") {
    return {{*cni::network_name::parse("net"), *cni::container_id::parse(container),
             *net::interface_name::parse(interface)},
            "nginx \"1\"\n",
            "default",
            std::string{container},
            "5e6f",
            "PodDeleted"};
}

TEST_CASE_FIXTURE(in_directory, "a release is there until it is dropped") {
    CHECK(waiting().entries(unreadable).empty());
    CHECK_FALSE(waiting().drop(release("c1").attachment, patience));
    CHECK_FALSE(fs::exists(root + "/a"));

    waiting().put(release("c1"));
    waiting().put(release("c1"));
    CHECK(waiting().entries(unreadable) == std::vector{release("c1")});
    CHECK(files() == 1);
    waiting().put(release("c1", "eth1"));
    CHECK(waiting().entries(unreadable).size() == 2);

    CHECK(waiting().drop(release("c1").attachment, patience));
    CHECK_FALSE(waiting().drop(release("c1").attachment, patience));
    CHECK(waiting().entries(unreadable) == std::vector{release("c1", "eth1")});
    CHECK(unreadable.empty());
}

TEST_CASE_FIXTURE(in_directory, "the file is as documented, and for root only") {
    auto const content = [](std::string const& name) {
        std::ifstream in{name};
        REQUIRE(in);
        return std::string{std::istreambuf_iterator<char>{in}, {}};
    };
    spooled_release const one{{*cni::network_name::parse("aws-cni"), *cni::container_id::parse("0123abcd"),
                               *net::interface_name::parse("eth0")},
                              "nginx",
                              "default",
                              "0123abcd",
                              "5e6f",
                              "PodDeleted"};
    waiting().put(one);
    auto const file = path(one.attachment.digest() + ".json");
    CHECK(content(file) == content(CNIX_SPOOLED_RELEASE));
    CHECK(fs::status(file).permissions() == fs::perms(0600));
}

TEST_CASE_FIXTURE(in_directory, "a replay forgets what was done, and keeps what was not") {
    waiting().put(release("c1"));
    CHECK_FALSE(waiting().replay(release("c1").attachment, [] { return false; }));
    CHECK_THROWS(waiting().replay(release("c1").attachment, []() -> bool { throw 1; }));
    CHECK(files() == 1);
    CHECK(waiting().replay(release("c1").attachment, [] { return true; }));
    CHECK(files() == 0);
    int calls = 0;
    CHECK_FALSE(waiting().replay(release("c1").attachment, [&] { return ++calls > 0; }));
    CHECK(calls == 0);
}

TEST_CASE_FIXTURE(in_directory, "several are replayed at once") {
    using chosen = std::vector<spooled_release const*>;
    std::vector<spooled_release> all;
    for (auto const* const name : {"busy", "done", "failed", "absent"}) all.push_back(release(name));
    auto const attachment = [&](std::size_t i) { return all[i].attachment; };
    auto const never = [](chosen const&) -> chosen { throw 1; };
    CHECK(waiting().replay(all, never) == 0); // there is no directory
    for (std::size_t i = 0; i < 3; ++i) waiting().put(all[i]);
    sys::fd const other = sys::open(path(attachment(0).digest() + ".json"), O_RDONLY);
    REQUIRE(::flock(other.get(), LOCK_EX | LOCK_NB) == 0);

    CHECK(waiting().replay(all, [&](chosen const& ours) {
        CHECK(ours == chosen{&all[1], &all[2]});
        for (std::size_t const i : {1U, 2U}) { // an ADD of either would have to wait
            CHECK_THROWS_AS(waiting().drop(attachment(i), std::chrono::milliseconds{0}), sys::lock_timeout);
            CHECK_FALSE(waiting().replay(attachment(i), [] { return true; }));
        }
        CHECK(waiting().replay(all, never) == 0);
        CHECK(files() == 3);
        return chosen{&all[1]};
    }) == 1);
    CHECK(files() == 2);
    CHECK_THROWS(waiting().replay(all, never));
    CHECK(waiting().drop(attachment(2), std::chrono::milliseconds{0}));
    CHECK(waiting().replay(all, never) == 0);
    CHECK(files() == 1);
}

TEST_CASE_FIXTURE(in_directory, "what is no release is told of and left alone") {
    waiting().put(release("c1"));
    auto const good = release("c2").attachment.digest() + ".json";
    fs::copy_file(path(release("c1").attachment.digest() + ".json"), path(good)); // another attachment's
    std::ofstream{path("torn.json")} << R"({"version":1,"network":"ne)";
    std::ofstream{path("empty.json")};
    std::ofstream{path("new.json")} << R"({"version":2})";
    std::ofstream{path("large.json")} << std::string(70'000, ' ');
    fs::create_directory(path("directory.json"));
    fs::create_symlink("/etc/passwd", path("link.json"));
    REQUIRE(::mkfifo(path("fifo.json").c_str(), 0600) == 0);
    std::ofstream{path("README")} << "not ours";
    CHECK(waiting().entries(unreadable) == std::vector{release("c1")});
    CHECK(unreadable.size() == 8);
    CHECK(files() == 10);
}

TEST_CASE_FIXTURE(in_directory, "what a killed put() left goes in time") {
    waiting().put(release("c1"));
    std::ofstream{path("fresh.json.1.2.new")} << "{";
    std::ofstream{path("old.json.1.2.new")} << "{";
    fs::last_write_time(path("old.json.1.2.new"), fs::file_time_type::clock::now() - std::chrono::hours{1});
    CHECK(waiting().entries(unreadable).size() == 1);
    CHECK(unreadable.empty());
    CHECK(fs::exists(path("fresh.json.1.2.new")));
    CHECK_FALSE(fs::exists(path("old.json.1.2.new")));
}

TEST_CASE_FIXTURE(in_directory, "an ADD waits for who releases the same attachment") {
    waiting().put(release("c1"));
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid_t const child = ::fork();
    if (child == 0) {
        waiting().replay(release("c1").attachment, [&] {
            if (::write(ready[1], "1", 1) != 1) ::_exit(1);
            std::this_thread::sleep_for(std::chrono::milliseconds{150});
            return true;
        });
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    auto const begin = std::chrono::steady_clock::now();
    CHECK_FALSE(waiting().drop(release("c1").attachment, patience)); // it is gone by now
    CHECK(std::chrono::steady_clock::now() - begin > std::chrono::milliseconds{100});
    int status = 0;
    CHECK(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_CASE_FIXTURE(in_directory, "who holds a release stops nobody for long") {
    waiting().put(release("c1"));
    auto const file = path(release("c1").attachment.digest() + ".json");
    std::optional<sys::fd> holder{sys::open(file, O_RDONLY)};
    REQUIRE(::flock(holder->get(), LOCK_EX | LOCK_NB) == 0);
    CHECK_FALSE(waiting().replay(release("c1").attachment, [] { return true; })); // it is passed over
    auto const begin = std::chrono::steady_clock::now();
    CHECK_THROWS_WITH_AS(
        waiting().drop(release("c1").attachment, std::chrono::milliseconds{60}),
        ("the file \"" + file +
         "\" is locked: another process held it for 60 ms; end that one if it hangs (fuser " + file +
         " names it)")
            .c_str(),
        sys::lock_timeout);
    auto const took = std::chrono::steady_clock::now() - begin;
    CHECK(took >= std::chrono::milliseconds{60});
    CHECK(took < std::chrono::seconds{5});
    CHECK(fs::exists(file));
    holder.reset();
    CHECK(waiting().drop(release("c1").attachment, std::chrono::milliseconds{0}));
}

TEST_CASE_FIXTURE(in_directory, "an attachment is held by one at a time") {
    using namespace std::chrono_literals;
    auto const one = release("c1").attachment;
    auto const file = path(one.digest() + ".lock");
    {
        auto const held = waiting().hold(one, 0ms);
        CHECK(fs::exists(file));
        CHECK_THROWS_AS(waiting().hold(one, 20ms), sys::lock_timeout);
        auto const other = waiting().hold(release("c2").attachment, 0ms);
        CHECK(waiting().entries(unreadable).empty()); // which leaves what is held
        CHECK_THROWS_AS(waiting().hold(one, 0ms), sys::lock_timeout);
    }
    CHECK(files() == 0);
    std::ofstream{file} << ""; // of one who was killed
    CHECK(waiting().entries(unreadable).empty());
    CHECK(files() == 0);
    CHECK(unreadable.empty());

    std::atomic<int> inside = 0, together = 0;
    std::vector<std::thread> all;
    for (int i = 0; i < 6; ++i)
        all.emplace_back([&] {
            for (int n = 0; n < 10; ++n) {
                auto const held = waiting().hold(one, 30s);
                if (++inside > 1) ++together;
                std::this_thread::sleep_for(200us);
                --inside;
            }
        });
    for (auto& each : all) each.join();
    CHECK(together == 0);
    CHECK(files() == 0);
}

TEST_CASE_FIXTURE(in_directory,
                  "a release that somebody acts on is not replaced by a new one, which would not be locked") {
    waiting().put(release("c1"));
    auto const file = path(release("c1").attachment.digest() + ".json");
    struct stat before{}, after{};
    REQUIRE(::stat(file.c_str(), &before) == 0);
    waiting().put(release("c1"));
    REQUIRE(::stat(file.c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);

    std::ofstream{file} << "torn"; // but what is none makes room
    waiting().put(release("c1"));
    CHECK(waiting().entries(unreadable) == std::vector{release("c1")});
    CHECK(files() == 1);
}

TEST_CASE_FIXTURE(in_directory, "many at once") {
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
        pid_t const child = ::fork();
        if (child == 0) {
            for (int n = 0; n < 20; ++n) waiting().put(release("c" + std::to_string(n % 5)));
            ::_exit(0);
        }
        children.push_back(child);
    }
    for (pid_t const child : children) {
        int status = -1;
        ::waitpid(child, &status, 0);
        CHECK(status == 0);
    }
    CHECK(waiting().entries(unreadable).size() == 5);
    CHECK(files() == 5);
    CHECK(unreadable.empty());
}

TEST_CASE_FIXTURE(in_directory, "a directory that cannot be one") {
    std::ofstream{root + "/a"} << "";
    CHECK_THROWS_AS(waiting().put(release("c1")), std::system_error);
    CHECK_THROWS_AS(waiting().entries(unreadable), std::system_error);
    CHECK_THROWS_AS(waiting().drop(release("c1").attachment, patience), std::system_error);
}

} // namespace
