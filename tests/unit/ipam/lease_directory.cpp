#include <cnix/ipam/host_local/lease_directory.hpp>
#include <cnix/sys/child_process.hpp>

#include "host_local_fixture.hpp"
#include "traced.hpp"
#include <algorithm>
#include <sys/time.h>

using namespace host_local_test;

namespace {

std::vector<std::string> found(data_directory const& data, std::string_view container,
                               std::string_view interface = "eth0") {
    std::vector<std::string> texts;
    if (auto const leases = ipam::lease_directory::look(data.root, *cni::network_name::parse("net")))
        for (net::address const& address : leases->held_by(attachment(container, interface)).own)
            texts.push_back(address.str());
    return texts;
}
using texts = std::vector<std::string>;

/// Calls that depend on the data directory; the others are the allocator's and the test's own.
std::vector<long> on_files(traced const& run) {
    std::vector<long> calls = run.calls;
    std::erase_if(calls, [](long call) {
        return call == SYS_brk || call == SYS_mmap || call == SYS_munmap || call == SYS_madvise ||
               call == SYS_mprotect || call == SYS_mremap || call == SYS_sched_yield || call == SYS_futex;
    });
    return calls;
}

/// What the index says of each container is what the files say.
void check_index(data_directory const& data, std::initializer_list<std::string_view> containers) {
    REQUIRE(data.sealed());
    auto const held = data.held();
    for (std::string_view const container : containers) {
        texts of_files;
        for (auto const& [name, content] : held)
            if (content == std::string{container} + "\r\neth0") of_files.push_back(name);
        auto of_index = found(data, container);
        std::ranges::sort(of_index);
        CHECK(of_index == of_files);
    }
}

} // namespace

TEST_CASE("an add, del, find and check cost the same with 10,000 leases as with none") {
    data_directory const empty, full;
    std::string const ipam = R"("subnet": "10.0.0.0/16", "rangeStart": "10.0.128.0")";
    auto const in_empty = settings_of(empty, ipam), in_full = settings_of(full, ipam);
    fs::create_directories(full.leases());
    for (int i = 0; i < 10'000; ++i)
        full.write("10.0." + std::to_string(i / 250) + '.' + std::to_string(1 + i % 250),
                   "other" + std::to_string(i) + "\r\neth0");
    for (auto const* with : {&in_empty, &in_full}) add(attachment("first"), *with); // makes the index
    CHECK(full.held().size() == 10'001);
    CHECK(full.sealed());

    cni::result result;
    findings ignored;
    std::function<void(settings<ipam::host_local> const&)> const verbs[] = {
        [](auto const& with) { add(attachment("c1"), with); },
        [](auto const& with) { ipam::host_local{}.find(attachment("c1"), with); },
        [&](auto const& with) { ipam::host_local{}.check(attachment("c1"), with, result, ignored); },
        [](auto const& with) { // refused: it has one
            try {
                add(attachment("c1"), with);
            } catch (cni::error const&) {
            }
        },
        [](auto const& with) { del(attachment("c1"), with); },
        [](auto const& with) { del(attachment("c1"), with); },
    };
    for (auto const& verb : verbs) {
        auto const small = trace([&] { verb(in_empty); }), large = trace([&] { verb(in_full); });
        CHECK(small.status == 0);
        CHECK(large.status == 0);
        CHECK(on_files(small) == on_files(large));
        CHECK(std::ranges::count(large.calls, SYS_getdents64) == 0);
    }
    CHECK(full.held().size() == 10'001);
}

TEST_CASE("a dense range costs one reading of the directory") {
    data_directory const data;
    auto const with = settings_of(data, R"("subnet": "10.0.0.0/20")");
    for (int i = 2; i < 4000; ++i)
        data.write("10.0." + std::to_string(i / 256) + '.' + std::to_string(i % 256),
                   "other" + std::to_string(i) + "\r\neth0");
    add(attachment("index"), with);
    fs::remove(data.file("last_reserved_ip.0"));
    ipam::lease_directory::open(data.root, *cni::network_name::parse("net"))
        ->held_by(attachment("x")); // seals
    REQUIRE(data.sealed());
    auto const run = trace([&] { add(attachment("a"), with); });
    CHECK(run.status == 0);
    CHECK(std::ranges::count(run.calls, SYS_openat) < 40);
    CHECK(std::ranges::count(run.calls, SYS_read) < 40);
    CHECK(found(data, "a") == texts{"10.0.15.161"});
}

TEST_CASE("a foreign writer breaks the seal, and what it did is seen") {
    data_directory const data;
    auto const with = settings_of(data, one_range);
    add(attachment("a"), with);
    add(attachment("b"), with);
    REQUIRE(data.sealed());
    auto const seal_broken = [&] {
        CHECK_FALSE(data.sealed());
        return true;
    };
    SUBCASE("a lease made") {
        data.write("10.0.0.9", "c\r\neth0");
        REQUIRE(seal_broken());
        CHECK(found(data, "c") == texts{"10.0.0.9"});
        del(attachment("c"), with);
        CHECK(data.held().size() == 2);
    }
    SUBCASE("a lease removed") {
        fs::remove(data.file("10.0.0.2"));
        REQUIRE(seal_broken());
        CHECK(found(data, "a").empty());
        CHECK(added("a", with) == "10.0.0.4/24");
    }
    SUBCASE("a lease handed to another by removing and making it") {
        fs::remove(data.file("10.0.0.2"));
        data.write("10.0.0.2", "b\r\neth0");
        REQUIRE(seal_broken());
        CHECK(found(data, "a").empty());
        CHECK(found(data, "b") == texts{"10.0.0.2", "10.0.0.3"});
    }
    SUBCASE("and put the directory's times back") {
        struct stat before{};
        REQUIRE(::stat(data.leases().c_str(), &before) == 0);
        fs::remove(data.file("10.0.0.2"));
        timespec const times[] = {before.st_atim, before.st_mtim};
        REQUIRE(::utimensat(AT_FDCWD, data.leases().c_str(), times, 0) == 0);
        REQUIRE(seal_broken());
    }
    SUBCASE("the directory replaced by an older copy of itself, times and all") {
        fs::rename(data.leases(), data.root / "away");
        REQUIRE(sys::run({.arguments = {"cp", "-a", data.root / "away", data.leases()}}).success());
        REQUIRE(seal_broken());
        fs::remove_all(data.root / "away");
    }
    SUBCASE("the whole directory removed") {
        fs::remove_all(data.leases());
        CHECK(added("a", with) == "10.0.0.2/24");
        CHECK(found(data, "b").empty());
    }
    add(attachment("last"), with);
    check_index(data, {"a", "b", "c", "last"});
}

TEST_CASE("a lease written over in place is noticed where it is used") {
    data_directory const data;
    auto const with = settings_of(data, one_range);
    add(attachment("a"), with);
    std::ofstream{data.file("10.0.0.2"), std::ios::trunc} << "b\r\neth0";
    REQUIRE(data.sealed()); // nothing in the directory tells
    CHECK(found(data, "a").empty());
    del(attachment("a"), with);
    CHECK(data.read("10.0.0.2") == "b\r\neth0");
    CHECK(found(data, "b") == texts{"10.0.0.2"});
    check_index(data, {"a", "b"});
}

TEST_CASE("an index that cannot be believed or written fails nothing") {
    data_directory const data;
    auto const with = settings_of(data, one_range);
    add(attachment("a"), with);
    auto const entry = data.index() / attachment("a").digest();
    REQUIRE(fs::is_symlink(entry));
    SUBCASE("damaged text") {
        fs::remove(entry);
        fs::create_symlink("10.0.0.2 nonsense", entry);
    }
    SUBCASE("removed") { fs::remove_all(data.root / ".cnix"); }
    SUBCASE("a file in its place") {
        fs::remove_all(data.root / ".cnix");
        std::ofstream{data.root / ".cnix"} << "?";
    }
    SUBCASE("entries that are no links") {
        fs::remove(data.index() / "seal");
        fs::remove(entry);
        fs::create_directory(entry);
    }
    CHECK(found(data, "a") == texts{"10.0.0.2"});
    CHECK(added("b", with) == "10.0.0.3/24");
    del(attachment("a"), with);
    CHECK(data.held().size() == 1);
    CHECK(found(data, "b") == texts{"10.0.0.3"});
}

TEST_CASE("an attachment with more addresses than an index entry holds is found all the same") {
    data_directory const data;
    auto const with = settings_of(data, R"("subnet": "fd00:1111:2222:3333::/64")");
    for (int i = 0; i < 200; ++i)
        data.write(
            net::address::parse("fd00:aaaa:bbbb:cccc:dddd:eeee:ffff:1000")->operator+(std::uint64_t(i)).str(),
            "many\r\neth0");
    CHECK(added("many", with) == "fd00:1111:2222:3333::2/64");
    CHECK(found(data, "many").size() == 201);
    del(attachment("many"), with);
    CHECK(data.held().empty());
    check_index(data, {"many"});
}

TEST_CASE("killed before any of its system calls, an add or del leaves what the next one can go on from") {
    std::string const ipam = R"("ranges": [[{"subnet": "10.0.0.0/29"}], [{"subnet": "fd00::/64"}]])";
    for (bool const adds : {true, false}) {
        std::size_t kills = 0;
        for (std::size_t at = 0;; ++at, ++kills) {
            data_directory const data;
            auto const with = settings_of(data, ipam);
            add(attachment("other"), with);
            if (!adds) add(attachment("a"), with);
            auto const run =
                trace([&] { adds ? void(add(attachment("a"), with)) : del(attachment("a"), with); }, at);
            if (!run.killed) break;
            CAPTURE(adds);
            CAPTURE(at);
            if (data.sealed()) check_index(data, {"a", "other"});

            // The container runtime does a DEL after a failed ADD, and repeats a failed DEL.
            del(attachment("a"), with);
            CHECK(found(data, "a").empty());
            CHECK(found(data, "other").size() == 2);
            for (int i = 0; i < 4; ++i) // all of the /29: nothing stays taken by the one that died
                REQUIRE(add(attachment("c" + std::to_string(i)), with).ips.size() == 2);
            check_index(data, {"a", "other", "c0", "c1", "c2", "c3"});
        }
        CHECK(kills > 20);
    }
}
