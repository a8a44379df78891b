#include <cnix/sys/directory.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <system_error>

namespace fs = std::filesystem;
namespace sys = cnix::sys;

namespace {

struct temporary {
    temporary() {
        std::string name = (fs::temp_directory_path() / "cnix-directory-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path = name;
    }
    temporary(temporary const&) = delete;
    temporary& operator=(temporary const&) = delete;
    ~temporary() { fs::remove_all(path); }

    sys::directory open() const { return *sys::directory::open(path); }
    fs::path path;
};

int error_of(auto const& action) {
    try {
        action();
    } catch (std::system_error const& e) {
        return e.code().value();
    }
    return 0;
}
using unread = sys::directory::unread;

} // namespace

TEST_CASE("open and open_or_create") {
    temporary const root;
    fs::path const deep = root.path / "a" / "b" / "c";
    CHECK_FALSE(sys::directory::open(deep));
    ::umask(0);
    CHECK(sys::directory::open_or_create(deep, 0755).path() == deep);
    ::umask(022);
    for (fs::path part = deep; part != root.path; part = part.parent_path())
        CHECK(fs::status(part).permissions() == fs::perms(0755));
    CHECK(sys::directory::open_or_create(deep, 0755).path() == deep);
    std::ofstream{root.path / "file"};
    CHECK(error_of([&] { sys::directory::open(root.path / "file"); }) == ENOTDIR);
    CHECK(error_of([&] { sys::directory::open_or_create(root.path / "file" / "x", 0755); }) == ENOTDIR);
    CHECK_THROWS_WITH(
        sys::directory::open(root.path / "file"),
        ("open the directory \"" + (root.path / "file").string() + "\": Not a directory").c_str());
}

TEST_CASE("subdirectories are not reached through symbolic links") {
    temporary const root;
    auto const at = root.open();
    CHECK_FALSE(at.subdirectory("sub"));
    CHECK(at.subdirectory_or_create("sub", 0755).path() == root.path / "sub");
    CHECK(at.subdirectory("sub"));
    fs::create_directory_symlink("sub", root.path / "link");
    CHECK(error_of([&] { at.subdirectory("link"); }) == ENOTDIR);
    CHECK(error_of([&] { at.subdirectory_or_create("link", 0755); }) == ENOTDIR);
    fs::create_directory_symlink("none", root.path / "dangling");
    for (std::string const name : {"link", "dangling"})
        CHECK_THROWS_WITH(
            at.subdirectory(name),
            ("open the directory \"" + (root.path / name).string() +
             "\", which is a symbolic link and not followed; put a directory or a bind mount there: Not a "
             "directory")
                .c_str());
    std::ofstream{root.path / "file"};
    CHECK_THROWS_WITH(
        at.subdirectory("file"),
        ("open the directory \"" + (root.path / "file").string() + "\": Not a directory").c_str());
}

TEST_CASE("read takes regular files only, up to a limit") {
    temporary const root;
    auto const at = root.open();
    CHECK(at.read("none", 10).why_not == unread::absent);
    std::ofstream{root.path / "file"} << "0123456789";
    CHECK(at.read("file", 10).bytes == "0123456789");
    CHECK_FALSE(at.read("file", 10).why_not);
    CHECK(at.read("file", 9).why_not == unread::too_large);
    fs::create_symlink("file", root.path / "link");
    fs::create_directory(root.path / "sub");
    REQUIRE(::mkfifo((root.path / "fifo").c_str(), 0600) == 0);
    REQUIRE(::mknod((root.path / "socket").c_str(), S_IFSOCK | 0600, 0) == 0);
    for (auto const& [name, kind] : {std::pair{"link", "a symbolic link"},
                                     {"sub", "a directory"},
                                     {"fifo", "a FIFO"},
                                     {"socket", "a socket"}}) {
        auto const got = at.read(name, 10);
        CHECK(got.why_not == unread::not_a_file);
        CHECK(std::string{got.kind} == kind);
    }
}

TEST_CASE("create makes a new file only") {
    temporary const root;
    auto const at = root.open();
    CHECK(at.create("file", "text", 0600));
    CHECK(fs::status(root.path / "file").permissions() == fs::perms(0600));
    CHECK_FALSE(at.create("file", "other", 0600));
    CHECK(at.read("file", 10).bytes == "text");
    fs::create_symlink("new", root.path / "dangling");
    CHECK_FALSE(at.create("dangling", "text", 0600));
    CHECK_FALSE(fs::exists(root.path / "new"));
}

TEST_CASE("create leaves no file that it could not write") {
    temporary const root;
    auto const at = root.open();
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit const small{2, old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    int const error = error_of([&] { at.create("file", "text", 0600); });
    int const replacing = error_of([&] { at.replace("other", "text", 0600); });
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK(error == EFBIG);
    CHECK(replacing == EFBIG);
    CHECK(at.names().empty());
}

TEST_CASE("replace puts a new file in the place of anything but a directory") {
    temporary const root;
    auto const at = root.open();
    std::ofstream{root.path / "target"} << "kept";
    fs::create_symlink("target", root.path / "file");
    std::ofstream{root.path / "file.new"} << "left over";
    at.replace("file", "new", 0600);
    CHECK(fs::is_regular_file(fs::symlink_status(root.path / "file")));
    CHECK(at.read("file", 10).bytes == "new");
    CHECK(at.read("target", 10).bytes == "kept");
    at.replace("file", "newer", 0600);
    CHECK(at.read("file", 10).bytes == "newer");
    fs::create_directory(root.path / "sub");
    CHECK(error_of([&] { at.replace("sub", "text", 0600); }) == EISDIR);
    CHECK(at.names().size() == 3);
}

TEST_CASE("remove, names and links") {
    temporary const root;
    auto const at = root.open();
    CHECK(at.names().empty());
    CHECK(at.create(".hidden", "", 0600));
    at.create_link("link", "text with spaces");
    auto names = at.names();
    std::ranges::sort(names);
    CHECK(names == std::vector<std::string>{".hidden", "link"});
    CHECK(at.names().size() == 2); // again from the beginning
    CHECK(at.read_link("link") == "text with spaces");
    CHECK_FALSE(at.read_link(".hidden"));
    CHECK_FALSE(at.read_link("none"));
    std::string const longest(4095, 'x');
    if (error_of([&] { at.create_link("long", longest); }) == 0) CHECK(at.read_link("long") == longest);
    CHECK(error_of([&] { at.create_link("link", "other"); }) == EEXIST);
    CHECK(at.remove("link"));
    CHECK_FALSE(at.remove("link"));
    CHECK(error_of([&] { at.subdirectory_or_create("sub", 0755), at.remove("sub"); }) == EISDIR);
}
