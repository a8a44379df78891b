#include <cnix/sys/read_file.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>

namespace fs = std::filesystem;
namespace sys = cnix::sys;

TEST_CASE("a file is read whole, or the error says why not") {
    std::string root = (fs::temp_directory_path() / "cnix-read-file-XXXXXX").string();
    REQUIRE(::mkdtemp(root.data()));
    std::string const file = root + "/file";
    std::ofstream{file} << "12345678";
    CHECK(sys::read_file(file, 8) == "12345678");
    fs::create_symlink("file", root + "/link");
    CHECK(sys::read_file(root + "/link", 100) == "12345678");

    CHECK_THROWS_WITH(sys::read_file(file, 7, " (`key`)"),
                      ("read the file \"" + file + "\" (`key`): File too large").c_str());
    CHECK_THROWS_WITH(sys::read_file(root + "/none", 8),
                      ("open the file \"" + root + "/none\": No such file or directory").c_str());
    auto const is_no_file = [&](std::string const& path, std::string const& kind) {
        CHECK_THROWS_WITH(sys::read_file(path, 8, " (`key`)"),
                          ("read the file \"" + path + "\" (`key`), which is " + kind +
                           ", not a regular file; put one there, or name another: Invalid argument")
                              .c_str());
    };
    is_no_file(root, "a directory");
    is_no_file("/dev/null", "a device");
    REQUIRE(::mkfifo((root + "/fifo").c_str(), 0600) == 0);
    is_no_file(root + "/fifo", "a FIFO"); // for whose writer nobody waits
    fs::create_symlink("fifo", root + "/link to it");
    is_no_file(root + "/link to it", "a FIFO");
    sys::fd const socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    (root + "/socket").copy(name.sun_path, sizeof name.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr const*>(&name), sizeof name) == 0);
    is_no_file(root + "/socket", "a socket");
    fs::remove_all(root);
}
