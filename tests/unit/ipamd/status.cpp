#include <ipamd/http_server.hpp>
#include <ipamd/introspection.hpp>
#include <ipamd/status.hpp>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "snapshot_fixture.hpp"
#include <cstdlib>
#include <filesystem>

using namespace cnix;
using namespace cnix::ipamd;

namespace {

bool has(std::string const& text, std::string_view part) { return text.find(part) != text.npos; }

/// A daemon that has only its introspection.
struct fixture {
    fixture() {
        char name[] = "/tmp/cnix-status-XXXXXX";
        directory = ::mkdtemp(name);
        in_force.introspection = http_address::parse("unix:" + directory + "/i.sock").value();
    }
    ~fixture() {
        server.reset();
        std::filesystem::remove_all(directory);
    }
    void start() {
        server.emplace(
            "introspection", in_force.introspection,
            [this](std::string_view path) { return introspect(path, in_force, &pool, daemon); },
            [](std::string const&) {});
    }
    std::string shown() {
        return status_text(introspect("/v1/status", in_force, &pool, daemon).value().body);
    }
    std::string failure() {
        try {
            ask_status(in_force, std::chrono::milliseconds{500});
        } catch (std::runtime_error const& e) {
            return e.what();
        }
        return "";
    }

    std::string directory;
    ipamd::settings in_force;
    ipamd::snapshot pool = test::two_enis();
    daemon_view daemon{
        .program = "cnix-ipamd", .version = "0.1.0", .started = test::at(-7200), .ready = true};
    std::optional<http_server> server;
};

} // namespace

TEST_CASE_FIXTURE(fixture, "the pool as a person reads it") {
    CHECK(shown() == "cnix-ipamd 0.1.0: ready, started 2 h ago\n"
                     "  IPv4: 2 of 19 addresses in use, 1 cooling, 16 free\n"
                     "  3 pods; 2 of at most 3 ENIs\n"
                     "  growth: nothing is missing\n"
                     "\n"
                     "ENI    DEVICE  SUBNET    USE            ADDRESSES       IN USE  COOLING  FREE  SINCE\n"
                     "eni-1  0       subnet-1  used, primary  3               1       1        1     -\n"
                     "eni-2  1       subnet-2  used           16 in 1 prefix  1       0        15    -\n"
                     "\n"
                     "ADDRESS    ENI    STATE        POD                    CONTAINER     SINCE\n"
                     "10.0.1.20  eni-1  assigned     default/nginx          aaaaaaaaaaaa  60 s\n"
                     "10.0.1.21  eni-1  cooling      -                      -             15 s more\n"
                     "10.0.2.17  eni-2  assigned     kube-system/coredns-0  bbbbbbbbbbbb  25 h\n"
                     "10.0.9.9   -      quarantined  default/lost           cccccccccccc  1 min\n");
}

TEST_CASE_FIXTURE(fixture, "what goes wrong, and who waits") {
    daemon.ready = false;
    daemon.troubles = {"metrics: cannot serve metrics at :61678"};
    daemon.spooled = 4;
    pool.known = false;
    pool.growth = "the subnets have no address left";
    pool.under_way = "attach an ENI";
    pool.last_error = "AttachNetworkInterface: throttled";
    pool.disk_error = "No space left on device";
    pool.paused_until = test::at(160);
    pool.enis[1].use = eni_use::broken;
    pool.enis[1].why = "no link has the MAC";
    pool.waiting = {{.key = {"aws-cni", std::string(64, 'd'), "eth0"},
                     .pod = {"default", "slow"},
                     .since = test::at(95),
                     .deadline = test::at(130),
                     .why = "one is on its way"}};
    pool.waiting_count = 3;
    auto const text = shown();
    for (std::string_view const part :
         {"cnix-ipamd 0.1.0: not ready", "  trouble: metrics: cannot serve metrics at :61678\n",
          "  the cloud has not told so far", "  under way: attach an ENI\n",
          "  growth: the subnets have no address left\n", "  growth is paused: 60 s more\n",
          "  the last change failed: AttachNetworkInterface: throttled\n",
          "  the checkpoint cannot be written: No space left on device\n", "  releases in the spool: 4\n",
          "default/slow  dddddddddddd  5 s    30 s more  one is on its way\n", "and 2 more wait\n",
          "\n  no link has the MAC\n", "broken"})
        CHECK_MESSAGE(has(text, part), part << "\n" << text);
}

TEST_CASE_FIXTURE(fixture, "nothing steers the terminal") {
    pool.enis[0].addresses[0].pod.name = "\x1b[2Jgone\nnew line";
    daemon.troubles = {"a\x1b]0;title\x07\xc2\x9b"
                       "2J"};
    CHECK_FALSE(has(shown(), "\x1b"));
    CHECK_FALSE(has(shown(), "\xc2\x9b"));
    CHECK(has(shown(), "default/?[2Jgone?new line"));
}

TEST_CASE_FIXTURE(fixture, "the daemon is asked where the settings say that it listens") {
    start();
    auto const reply = ask_status(in_force);
    CHECK(boost::json::parse(reply).at("pool").at("pods") == 3);
    CHECK(status_text(reply) == shown());
    CHECK(run_status(in_force, true) == 0);
    daemon.ready = false;
    CHECK(run_status(in_force, false) == 3);
    in_force.introspection.path += ".other";
    CHECK(run_status(in_force, false) == 1);
}

TEST_CASE_FIXTURE(fixture, "no answer") {
    CHECK(has(failure(), "no answer from the daemon at unix:" + directory + "/i.sock: "));
    CHECK(has(failure(), "No such file"));
    CHECK(has(failure(), "is it running (systemctl status cnix-ipamd)"));
    in_force.introspection = http_address::parse("127.0.0.1:1").value();
    CHECK(has(failure(), "no answer from the daemon at 127.0.0.1:1: "));
    CHECK(has(failure(), "Connection refused"));
    in_force.serve_introspection = false;
    CHECK(has(failure(), "introspection is disabled"));
}

TEST_CASE_FIXTURE(fixture, "what answers there is another program") {
    std::string body = R"({"AvailableCommands":["/v1/enis"]})"; // upstream's
    server.emplace(
        "it", in_force.introspection, [&](std::string_view) { return http_page{"text/plain", body}; },
        [](std::string const&) {});
    for (std::string const& other :
         {body, std::string{"<html>"}, std::string{}, std::string{"[]"}, std::string(1 << 20, '[')}) {
        body = other;
        CHECK_THROWS_AS(status_text(ask_status(in_force)), std::runtime_error);
    }
    // Members of other types are as if they were not there.
    CHECK(has(status_text(R"({"program":1,"pool":[],"enis":{"a":1},"now":"x","quarantined":[3,null]})"),
              "not ready"));
    server.emplace(
        "it", in_force.introspection, [](std::string_view) { return std::optional<http_page>{}; },
        [](std::string const&) {});
    CHECK(has(failure(), "it replied 404"));
}
