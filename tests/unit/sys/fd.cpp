#include <cnix/sys/fd.hpp>

#include <doctest/doctest.h>

#include <ostream>
#include <utility>

using namespace cnix;

namespace {
bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }
} // namespace

TEST_CASE("an fd closes what it owns, once") {
    int number = -1;
    {
        sys::fd const file = sys::open("/dev/null", O_RDONLY);
        number = file.get();
        CHECK(file);
        CHECK(is_open(number));
        CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK_FALSE(is_open(number));
}

TEST_CASE("moving hands the descriptor over") {
    sys::fd a = sys::open("/dev/null", O_RDONLY);
    int const number = a.get();
    sys::fd b = std::move(a);
    CHECK_FALSE(a);
    CHECK(b.get() == number);
    sys::fd c = sys::open("/dev/null", O_RDONLY);
    int const other = c.get();
    c = std::move(b);
    CHECK(c.get() == number);
    CHECK_FALSE(is_open(other));
    int const released = c.release();
    CHECK_FALSE(c);
    CHECK(is_open(released));
    ::close(released);
}

TEST_CASE("closing leaves errno alone") {
    errno = EEXIST;
    sys::fd{12345}.reset(); // EBADF
    CHECK(errno == EEXIST);
}

TEST_CASE("what cannot be opened is named") {
    CHECK_FALSE(sys::try_open("/nowhere/at/all", O_RDONLY));
    CHECK(errno == ENOENT);
    try {
        static_cast<void>(sys::open("/nowhere/at/all", O_RDONLY));
        FAIL("it was opened");
    } catch (std::system_error const& e) {
        CHECK(e.code() == std::errc::no_such_file_or_directory);
        CHECK(std::string{e.what()} == "open the file \"/nowhere/at/all\": No such file or directory");
    }
}

TEST_CASE("reading up to a limit, whatever size was expected") {
    for (std::size_t const expected : {0U, 1U, 50U, 100U, 1000U})
        CHECK(sys::read_up_to(sys::open("/dev/zero", O_RDONLY), 100, expected)->size() == 101);
    auto const whole =
        sys::read_up_to(sys::open("/proc/self/status", O_RDONLY), 100'000, 0); // has a size of 0
    REQUIRE(whole);
    CHECK(whole->starts_with("Name:"));
    CHECK(whole->ends_with('\n'));
    CHECK(sys::read_up_to(sys::open("/proc/self/status", O_RDONLY), whole->size() - 1, 0)->size() ==
          whole->size());
    CHECK(sys::read_up_to(sys::open("/dev/null", O_RDONLY), 0, 0) == "");
    CHECK_FALSE(sys::read_up_to(sys::open("/dev/null", O_WRONLY), 10, 10));
    CHECK(errno == EBADF);
}
