#include <cnix/ipam/remote.hpp>

#include "remote_fixture.hpp"
#include <chrono>
#include <fstream>
#include <sys/file.h>
#include <thread>

using namespace remote_test;
using strings = std::vector<std::string>;

/// How long a verb waits, and for what: the daemon, locks, the spool.
namespace {

TEST_CASE_FIXTURE(node<>, "an ADD that gives back takes no longer than the deadline, either") {
    using namespace std::chrono_literals;
    keys.config.deadline = 1;
    std::chrono::milliseconds slow{};
    bool success = true;
    now.add = [&](auto const&, auto const&) {
        std::this_thread::sleep_for(slow);
        return rpc::add_reply{.success = success};
    };
    now.del = [](auto const&, auto const& to) -> rpc::del_reply {
        std::this_thread::sleep_for(to.within);
        throw error(rpc::status::deadline_exceeded, to);
    };
    for (bool const says : {true, false}) { // nonsense, and no address
        success = says;
        slow = 700ms;
        now.asked.clear();
        auto const begin = std::chrono::steady_clock::now();
        refused();
        CHECK(std::chrono::steady_clock::now() - begin < 1500ms);
        CHECK(now.last.within <= 300ms);
        CHECK(now.asked.size() == 2);
        CHECK(waiting() == 1);
    }
    slow = 1100ms; // at once to the spool
    spool().drop(attachment(), 0ms);
    now.asked.clear();
    refused();
    CHECK(now.asked == strings{"add net/c1/eth0"});
    CHECK(waiting() == 1);
}

TEST_CASE_FIXTURE(node<>, "an attachment is one verb's at a time") {
    keys.config.deadline = 1;
    {
        auto const first = ipam{}.hold(attachment(), keys);
        REQUIRE(first);
        CHECK(ipam{}.hold(attachment("c2"), keys));
        for (auto const verb : {cni::verb::add, cni::verb::del}) {
            keys.request.verb = verb;
            try {
                static_cast<void>(ipam{}.hold(attachment(), keys));
                FAIL("it was had twice");
            } catch (cni::error const& e) {
                CHECK(e.code() == cni::code::try_again_later);
                CHECK(e.message().find(attachment().digest() + ".lock\" is locked") != std::string::npos);
            }
        }
    }
    ipam second;
    CHECK(second.hold(attachment(), keys));
    CHECK(std::filesystem::is_empty(root + "/spool"));

    keys.config.spool = "/proc/cnix"; // a DEL does without
    CHECK_FALSE(ipam{}.hold(attachment(), keys));
    keys.request.verb = cni::verb::add;
    CHECK_THROWS_WITH_AS(ipam{}.hold(attachment(), keys), doctest::Contains("; correct `ipam.spool`"),
                         cni::error);
}

TEST_CASE_FIXTURE(node<>, "a release that somebody holds stops no verb for long") {
    auto const locked = [&](std::string_view container) {
        spool().put({attachment(container)});
        sys::fd file = sys::open(root + "/spool/" + attachment(container).digest() + ".json", O_RDONLY);
        REQUIRE(::flock(file.get(), LOCK_EX | LOCK_NB) == 0);
        return file;
    };
    keys.config.deadline = 1;
    auto const other = locked("c2");
    add();
    now.asked.clear();
    auto const begin = std::chrono::steady_clock::now();
    CHECK(del()); // others' are passed over
    CHECK(gc(cni::valid_attachments{*cni::network_name::parse("net")}).empty());
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds{900});
    CHECK(now.asked == strings{"del net/c1/eth0 PodDeleted"});

    auto const own = locked("c1");
    std::string const file = root + "/spool/" + attachment().digest() + ".json";
    for (bool const is_add : {true, false}) {
        now.asked.clear();
        try {
            if (is_add)
                add();
            else
                del();
            FAIL("it succeeded");
        } catch (cni::error const& e) {
            CHECK(e.code() == cni::code::try_again_later);
            CHECK(
                e.message().starts_with("the file \"" + file + "\" is locked: another process held it for "));
        }
        CHECK(now.asked.size() == (is_add ? 0U : 1U));
    }
}

TEST_CASE_FIXTURE(node<>, "STATUS looks at the spool, as ADD uses it") {
    namespace fs = std::filesystem;
    std::string const spool = root + "/spool";
    auto const both_fail = [&](std::string const& why) {
        CAPTURE(why);
        CHECK(status() == findings{"cannot create files in \"" + spool + "\": " + why +
                                   "; correct `ipam.spool`, or make it writable"});
        CHECK_THROWS_AS(ipam{}.hold(attachment(), keys), cni::error);
        fs::remove(spool);
    };
    std::ofstream{spool} << "";
    both_fail("Not a directory");
    fs::create_symlink(root + "/nowhere", spool);
    both_fail("it is a symbolic link that leads nowhere");
    CHECK(status().empty());
    CHECK_FALSE(fs::exists(spool));
}

} // namespace
