#include <ipamd/log.hpp>
#include <cnix/sys/fd.hpp>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <vector>

namespace sys = cnix::sys;
using namespace cnix::ipamd;

namespace {

using lines = std::vector<std::string>;

lines lines_of(std::string const& path) {
    lines all;
    std::ifstream in{path};
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
}

struct fixture {
    fixture() {
        char name[] = "/tmp/cnix-log-XXXXXX";
        directory = ::mkdtemp(name);
        how.log_file = directory + "/ipamd.log";
    }
    ~fixture() {
        start_log({});
        std::filesystem::remove_all(directory);
    }
    lines written() const { return lines_of(how.log_file); }

    std::string directory;
    settings how;
};

/// Of valid UTF-8, and without what steers a terminal: the parser of JSON refuses both but for DEL, C1, and the separators.
void check_is_clean(std::string const& line) {
    std::string quoted{'"'};
    for (char const byte : line) {
        if (byte == '"' || byte == '\\') quoted += '\\';
        quoted += byte;
    }
    CHECK_NOTHROW_MESSAGE(boost::json::parse(quoted + '"'), line);
    CHECK(line.find('\x7f') == line.npos);
    for (char next = '\x80'; next < '\xa0'; ++next) CHECK(line.find({'\xc2', next}) == line.npos);
    for (auto const* const separator : {"\xe2\x80\xa8", "\xe2\x80\xa9"})
        CHECK(line.find(separator) == line.npos);
}

/// Every byte, and characters that steer a terminal or end a line though each is one of UTF-8.
std::string everything() {
    std::string every;
    for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
    return every + "\xc2\x9b"
                   "2J\xc2\x85\xe2\x80\xa8\xe2\x80\xa9 cut off: \xe2\x82";
}

} // namespace

TEST_CASE_FIXTURE(fixture, "text: time, level, message, fields") {
    start_log(how);
    log_warn("no answer", {{"api", "AssignPrivateIpAddresses"}, {"cause", "it said \"no\""}, {"empty", ""}});
    auto const all = written();
    REQUIRE(all.size() == 1);
    CHECK(std::regex_match(all[0],
                           std::regex{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z warn no answer )"
                                      R"(api=AssignPrivateIpAddresses cause="it said \\"no\\"" empty="")"}));
}

TEST_CASE_FIXTURE(fixture, "times are UTC") {
    ::setenv("TZ", "Asia/Kolkata", 1);
    ::tzset();
    start_log(how);
    auto const before = std::time(nullptr);
    log_info("now");
    std::tm parts{};
    REQUIRE(::strptime(written().at(0).c_str(), "%Y-%m-%dT%H:%M:%S", &parts));
    CHECK(::timegm(&parts) - before <= 1);
    ::unsetenv("TZ");
    ::tzset();
}

TEST_CASE_FIXTURE(fixture, "what is below the level is not written") {
    for (auto const level : {log_level::debug, log_level::info, log_level::warn, log_level::error}) {
        how.log_file = directory + "/level-" + std::to_string(static_cast<int>(level));
        how.log_level = level;
        start_log(how);
        log_debug("d"), log_info("i"), log_warn("w"), log_error("e");
        CHECK(written().size() == 4 - static_cast<std::size_t>(level));
        CHECK(is_logged(log_level::error));
        CHECK(is_logged(log_level::debug) == (level == log_level::debug));
    }
}

TEST_CASE_FIXTURE(fixture, "an entry of text is one line without control characters, whatever is in it") {
    start_log(how);
    log_info(everything(), {{"field", everything()}});
    log_info("forged\n2026-11-23T00:00:00.000000Z error all is lost");
    log_info("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xff",
             {{"bare", "caf\xc3\xa9\xff"}, {"quoted", "\xc2\x9b \n"}});
    auto const all = written();
    REQUIRE(all.size() == 3);
    for (std::string const& line : all) check_is_clean(line);
    CHECK(all[1].ends_with("info forged; 2026-11-23T00:00:00.000000Z error all is lost"));
    CHECK(all[2].ends_with("info caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbd "
                           "bare=caf\xc3\xa9\xef\xbf\xbd quoted=\"? \\n\""));
}

TEST_CASE_FIXTURE(fixture, "an entry of JSON is a line of valid JSON, whatever is in it") {
    how.log_format = log_format::json;
    start_log(how);
    log_info("pool: grown", {{"eni", "eni-1"}, {"count", "3"}});
    log_error(everything(), {{"field", everything()}});
    log_error("\"},{\"level\":\"info");
    auto const all = written();
    REQUIRE(all.size() == 3);
    for (std::string const& line : all) {
        CHECK_NOTHROW(boost::json::parse(line));
        check_is_clean(line);
    }
    auto const first = boost::json::parse(all[0]).as_object();
    CHECK(first.at("level") == "info");
    CHECK(first.at("message") == "pool: grown");
    CHECK(first.at("eni") == "eni-1");
    CHECK(first.at("count") == "3");
    CHECK(first.at("time").as_string().ends_with("Z"));
    auto const last = boost::json::parse(all[2]).as_object();
    CHECK(last.at("message") == "\"},{\"level\":\"info");
    CHECK(last.at("level") == "error");
}

TEST_CASE_FIXTURE(fixture,
                  "a file that was renamed is made anew; one that cannot be opened changes nothing") {
    start_log(how);
    log_info("one");
    std::filesystem::rename(how.log_file, how.log_file + ".1");
    log_info("two");
    CHECK(lines_of(how.log_file + ".1").size() == 2);
    start_log(how);
    log_info("three");
    CHECK(written().size() == 1);
    CHECK(lines_of(how.log_file + ".1").size() == 2);
    auto gone = how;
    gone.log_file = directory + "/no/such/file";
    try {
        start_log(gone);
        FAIL("it was opened");
    } catch (std::system_error const& e) {
        CHECK(std::string{e.what()}.find(gone.log_file) != std::string::npos);
    }
    log_info("four");
    CHECK(written().size() == 2);
    struct stat status{};
    REQUIRE(::stat(how.log_file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0137) == 0);
}

TEST_CASE_FIXTURE(fixture, "the journal is told the level, and no time") {
    auto const path = directory + "/journal";
    auto const journal = sys::open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    sys::fd const former{::dup(STDERR_FILENO)};
    struct stat status{};
    REQUIRE(::fstat(journal.get(), &status) == 0);
    ::setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino)).c_str(),
             1);
    ::dup2(journal.get(), STDERR_FILENO);
    how.log_file = "stderr";
    how.log_level = log_level::debug;
    start_log(how);
    log_debug("d"), log_info("i"), log_warn("w"), log_error("e", {{"k", "v"}});
    how.log_format = log_format::json;
    start_log(how);
    log_warn("j");
    ::dup2(former.get(), STDERR_FILENO);
    ::unsetenv("JOURNAL_STREAM");
    auto const all = lines_of(path);
    REQUIRE(all.size() == 5);
    CHECK((lines{all.begin(), all.begin() + 4} == lines{"<7>d", "<6>i", "<4>w", "<3>e k=v"}));
    CHECK(all[4].starts_with("<4>{\"time\""));
}

TEST_CASE_FIXTURE(fixture, "entries of many threads do not mix, also while the file is opened anew") {
    start_log(how);
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([i] {
                for (int entry = 0; entry < 200; ++entry)
                    log_info("entry", {{"thread", std::to_string(i)}, {"text", std::string(200, 'a')}});
            });
        for (int i = 0; i < 20; ++i) start_log(how);
    }
    auto const all = written();
    CHECK(all.size() == 800);
    for (std::string const& line : all) CHECK(line.ends_with(" text=" + std::string(200, 'a')));
}
