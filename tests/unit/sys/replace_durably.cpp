#include <cnix/sys/replace_durably.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <support/killed_at.hpp>
#include <sys/resource.h>
#include <system_error>

namespace fs = std::filesystem;
namespace sys = cnix::sys;

namespace {

struct temporary {
    temporary() {
        std::string name = (fs::temp_directory_path() / "cnix-replace-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path = name;
    }
    temporary(temporary const&) = delete;
    temporary& operator=(temporary const&) = delete;
    ~temporary() { fs::remove_all(path); }

    std::string read(std::string const& name) const {
        std::ifstream in{path / name};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    std::set<std::string> names() const {
        std::set<std::string> all;
        for (auto const& entry : fs::directory_iterator{path}) all.insert(entry.path().filename());
        return all;
    }
    sys::directory open() const { return *sys::directory::open(path); }

    fs::path path;
};

std::string const old_text(5000, 'o');
std::string const new_text(9000, 'n');

} // namespace

TEST_CASE("the file is replaced, with its mode") {
    temporary const here;
    sys::replace_durably(here.open(), "file", old_text, 0600);
    CHECK(here.read("file") == old_text);
    CHECK(fs::status(here.path / "file").permissions() == fs::perms{0600});
    sys::replace_durably(here.open(), "file", new_text, 0600);
    CHECK(here.read("file") == new_text);
    CHECK(here.names() == std::set<std::string>{"file"});
}

TEST_CASE("killed at any system call, there is the old file or the new one, and the next writer cleans up") {
    temporary const here;
    int steps = 0, seen_old = 0, seen_new = 0, left = 0;
    for (bool killed = true; killed; ++steps) {
        sys::replace_durably(here.open(), "file", old_text, 0600);
        CHECK(here.names() == std::set<std::string>{"file"});
        killed =
            cnix::test::killed_at(steps, [&] { sys::replace_durably(here.open(), "file", new_text, 0600); });
        std::string const now = here.read("file");
        CHECK((now == old_text || now == new_text));
        ++(now == old_text ? seen_old : seen_new);
        left += here.names().size() > 1;
    }
    CHECK(steps > 14); // open, remove, create, write, open, fsync, rename, fsync: twice each
    CHECK(seen_old > 2);
    CHECK(seen_new > 2);
    CHECK(left > 2);
}

TEST_CASE("what fails leaves the old file and nothing else") {
    temporary const here;
    sys::replace_durably(here.open(), "file", old_text, 0600);
    auto const refused = [&](std::string const& name) -> std::string {
        try {
            sys::replace_durably(here.open(), name, new_text, 0600);
        } catch (std::system_error const& e) {
            return e.what();
        }
        return "";
    };
    SUBCASE("no room") {
        rlimit before{};
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
        rlimit const small{6000, before.rlim_max};
        auto const handler = ::signal(SIGXFSZ, SIG_IGN);
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
        auto const why = refused("file");
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
        ::signal(SIGXFSZ, handler);
        CHECK(why == "write the file \"" + (here.path / "file.new").string() + "\": File too large");
    }
    SUBCASE("a directory of that name") {
        fs::create_directory(here.path / "directory");
        CHECK(refused("directory") ==
              "replace the file \"" + (here.path / "directory").string() + "\": Is a directory");
        fs::remove(here.path / "directory");
    }
    CHECK(here.read("file") == old_text);
    CHECK(here.names() == std::set<std::string>{"file"});
}
