#include <cnix/sys/errors.hpp>

#include <doctest/doctest.h>

#include <ostream>

using namespace cnix;

TEST_CASE("throw_errno tells what failed and why, and keeps the code comparable") {
    try {
        sys::throw_errno(ENOENT, "read the thing \"a\"");
        FAIL("it returned");
    } catch (std::system_error const& e) {
        CHECK(e.code() == std::errc::no_such_file_or_directory);
        CHECK(std::string{e.what()} == "read the thing \"a\": No such file or directory");
    }
}

TEST_CASE("throw_errno without a number takes errno") {
    errno = EPERM;
    try {
        sys::throw_errno("enter");
        FAIL("it returned");
    } catch (std::system_error const& e) {
        CHECK(e.code() == std::errc::operation_not_permitted);
    }
}
