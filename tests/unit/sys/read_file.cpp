#include <cnix/sys/read_file.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
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
    CHECK_THROWS_WITH(sys::read_file(root, 8), ("read the file \"" + root + "\": Invalid argument").c_str());
    REQUIRE(::mkfifo((root + "/fifo").c_str(), 0600) == 0);
    CHECK_THROWS_AS(sys::read_file(root + "/fifo", 8), std::system_error); // and does not wait for a writer
    fs::remove_all(root);
}
