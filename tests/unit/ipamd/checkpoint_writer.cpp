// The checkpoint on a disk: killed writers, disks that are full, slow or read-only, and upstream's files.
#include <ipamd/checkpoint_writer.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/eni/checkpoint.hpp>

#include "manager_fixture.hpp"
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <sched.h>
#include <set>
#include <support/killed_at.hpp>
#include <support/own_file_system.hpp>
#include <sys/mount.h>
#include <sys/wait.h>

using namespace manager_test;
using cnix::test::on_file_system;
namespace fs = std::filesystem;

namespace {

/// A directory, removed at the end; in memory, where it is to be had: hundreds of files are brought to the disk.
struct directory {
    directory() {
        fs::path const in =
            ::access("/dev/shm", W_OK) == 0 ? fs::path{"/dev/shm"} : fs::temp_directory_path();
        std::string name = (in / "cnix-writer-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        root = name;
    }
    directory(directory const&) = delete;
    directory& operator=(directory const&) = delete;
    ~directory() { fs::remove_all(root); }

    fs::path state() const { return root / "state"; }
    std::string file() const { return state() / "ipam.json"; }
    std::set<std::string> files() const {
        std::set<std::string> all;
        for (auto const& entry : fs::directory_iterator{state()}) all.insert(entry.path().filename());
        return all;
    }
    std::string read(std::string const& name) const {
        std::ifstream in{state() / name, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    fs::path root;
};

eni::assignment pod(std::string_view container, std::vector<std::string_view> const& of_cards) {
    eni::assignment made{
        key(container), {"default", std::string{container}, static_cast<int>(of_cards.size())}, {}, {}};
    made.since = manager::time_point{1'700'000'000s};
    for (auto const text : of_cards) made.holdings.push_back({"", {ip(text)}});
    return made;
}
std::string with(std::vector<eni::assignment> assignments, std::vector<eni::release_record> releases = {}) {
    return eni::checkpoint_text(eni::state{std::move(assignments), std::move(releases)});
}
std::string thrown(std::function<void()> const& action) {
    try {
        action();
    } catch (std::exception const& e) {
        return e.what();
    }
    return "nothing";
}

/// A node whose disk is a real one.
class on_disk {
  public:
    explicit on_disk(std::string const& path)
        : files_{path},
          writer_{files_, [this](checkpoint_writer::report of) { came_.set_value(std::move(of)); }} {}
    /// The write that is due, if any: its report.
    std::optional<checkpoint_writer::report> write(node& of) {
        auto next = of.pool.begin_commit(of.now);
        if (!next) return std::nullopt;
        came_ = {};
        auto written = came_.get_future();
        writer_.write(std::move(*next));
        auto report = written.get();
        if (report.error.empty())
            of.pool.committed(report.ticket, of.now);
        else
            of.pool.failed(report.ticket, report.error, of.now);
        return report;
    }
    eni::state load() const { return files_.load(); }

  private:
    std::promise<checkpoint_writer::report> came_{};
    checkpoint_files files_;
    checkpoint_writer writer_;
};

} // namespace

TEST_CASE("each network card has a file, and all are read as one") {
    directory const here;
    checkpoint_files files{here.file()};
    CHECK(files.load() == eni::state{});
    eni::release_record const cooling{ip("10.0.0.9"), manager::time_point{1'700'000'000s}};
    auto const bytes = files.save({1,
                                   {{1, with({pod("a", {"10.1.0.5"})})},
                                    {0, with({pod("a", {"10.0.0.5"}), pod("b", {"10.0.0.6"})}, {cooling})}}});
    CHECK(bytes == here.read("ipam.json").size() + here.read("ipam-nic-1.json").size());
    CHECK(here.files() == std::set<std::string>{"ipam.json", "ipam-nic-1.json", "ipam.json.lock"});
    CHECK(fs::status(here.file()).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
    auto const both = pod("a", {"10.0.0.5", "10.1.0.5"});
    CHECK(files.load().assignments.at(0).holdings == both.holdings);
    CHECK(files.load().assignments.size() == 2);
    CHECK(files.load().releases == std::vector{cooling});

    // What a writer killed between the two has left in both is there once.
    files.save({2, {{1, with({pod("a", {"10.0.0.5"})})}}});
    CHECK(files.load().assignments.at(0).holdings.size() == 1);
    // And others' files are nobody's.
    for (auto const* name :
         {"ipam-nic-01.json", "ipam-nic-.json", "ipam-nic-x.json", "ipam.json.new", "other.json"})
        std::ofstream{here.state() / name} << "nothing to read";
    CHECK(files.load().assignments.size() == 2);
    std::ofstream{here.state() / "ipam-nic-2.json"} << "nothing to read";
    CHECK(thrown([&] { files.load(); }).find("ipam-nic-2.json") != std::string::npos);
}

TEST_CASE("upstream's checkpoint is taken over, and what is written is upstream's") {
    directory const here;
    fs::create_directories(here.state());
    fs::copy_file(fs::path{CNIX_CHECKPOINTS} / "v1.15.json", here.file());
    on_disk disk{here.file()};
    node one;
    one.there.node.enis = {eni_of(0, {"10.0.0.16"}), eni_of(1, {"10.0.2.55", "10.0.2.56", "10.0.2.57"})};
    one.pool.restore(disk.load(), one.now);
    one.take();
    CHECK(one.count().assigned == 2);
    one.pool.add({"aws-cni", "8f6d", "eth0"}, ipv4, {}, one.now, one.now,
                 [&](add_outcome got) { one.said["old"] = node::text_of(got); });
    CHECK(one.answer("old") == "10.0.2.55");
    one.ask("new");
    CHECK(disk.write(one)->error.empty());
    CHECK(one.answer("new") == "10.0.2.57"); // of the ENI that is in use
    CHECK(eni::read_checkpoint(here.read("ipam.json"), "x").assignments.size() == 3);
    CHECK(here.read("ipam.json")
              .starts_with(R"({"version":"vpc-cni-ipam/1","allocations":[{"networkName":"aws-cni",)"));
}

TEST_CASE("what only a newer version knows keeps all files from being read, whichever card's it is in") {
    directory const here;
    checkpoint_files files{here.file()};
    files.save({1, {{0, with({pod("a", {"10.0.0.5"})})}, {1, with({pod("b", {"10.1.0.5"})})}}});
    std::string text = here.read("ipam-nic-1.json");
    text.replace(text.find("\"metadata\""), 0, "\"zone\":\"a\",");
    std::ofstream{here.state() / "ipam-nic-1.json"} << text;
    std::string const why = thrown([&] { files.load(); });
    CHECK(why.find("/ipam-nic-1.json: 1:") != why.npos);
    CHECK(why.find("$.allocations[0]: unknown key `zone`; nothing was changed") != why.npos);
    CHECK(here.read("ipam-nic-1.json") == text);
}

TEST_CASE("a second address manager is refused") {
    directory const here;
    checkpoint_files const first{here.file()};
    CHECK(thrown([&] {
              checkpoint_files(here.file(), 20ms);
          }).starts_with("another address manager has the checkpoint " + here.file()));
    CHECK(thrown([] { checkpoint_files{"ipam.json"}; }).find("no absolute path") != std::string::npos);
    CHECK(thrown([] { checkpoint_files{"/tmp/"}; }).find("no absolute path") != std::string::npos);
}

TEST_CASE("a directory that somebody removed is made again") {
    directory const here;
    checkpoint_files files{here.file()};
    files.save({1, {{0, with({pod("a", {"10.0.0.5"})})}}});
    fs::remove_all(here.state());
    files.save({2, {{0, with({pod("a", {"10.0.0.5"})})}}});
    CHECK(here.files() == std::set<std::string>{"ipam.json", "ipam.json.lock"});
    CHECK(files.load().assignments.size() == 1);
}

TEST_CASE("a write killed at any system call has happened or not, in each file; nobody is lost") {
    directory const here;
    std::string const before0 =
        with({pod("a", {"10.0.0.5"}), pod("b", {"10.0.0.6"}), pod("moves", {"10.1.0.7"})});
    std::string const after0 = with({pod("a", {"10.0.0.5"}), pod("c", {"10.0.0.8"})});
    std::string const after1 = with({pod("moves", {"10.1.0.7"})});
    int before = 0, between = 0, after = 0;
    bool killed = true;
    for (int step = 0; killed; ++step) {
        checkpoint_files{here.file()}.save({1, {{1, with({})}, {0, before0}}});
        killed = cnix::test::killed_at(
            step, [&] { checkpoint_files{here.file()}.save({2, {{1, after1}, {0, after0}}}); });
        checkpoint_files files{here.file()}; // the lock is free again
        auto const now = files.load();
        bool const first_done = here.read("ipam-nic-1.json") == after1;
        bool const second_done = here.read("ipam.json") == after0;
        if (!first_done) CHECK(here.read("ipam-nic-1.json") == with({}));
        if (!second_done) CHECK(here.read("ipam.json") == before0);
        CHECK((first_done || !second_done));
        ++(second_done ? after : first_done ? between : before);
        std::set<std::string> containers;
        for (auto const& one : now.assignments) containers.insert(one.key.container);
        CHECK(containers == (second_done ? std::set<std::string>{"a", "c", "moves"}
                                         : std::set<std::string>{"a", "b", "moves"}));
        eni::datastore store;
        store.restore(now); // which refuses an address that two have
    }
    CHECK(before > 10);
    CHECK(between > 10);
    CHECK(after > 1);
}

TEST_CASE("a full disk fails the adds of the commit, which then have nothing, and recovers") {
    directory const here;
    on_file_system(here.state(), "size=16k,nr_inodes=8", [&] {
        node one{{.targets = {.warm_prefix = 12}, .prefixes = true},
                 instance_limits{1, 20, 20, true, {1}}}; // 192 addresses
        one.start();
        on_disk disk{here.file()};
        int good = 0;
        std::string error;
        for (int i = 0; error.empty() && i < 200; ++i) {
            one.ask(std::to_string(i));
            error = disk.write(one)->error;
            good += error.empty();
        }
        std::string const last = one.answer(std::to_string(good));
        bool const fine =
            good > 10 && error.find("No space left on device") != std::string::npos &&
            last.starts_with("unsaved: the checkpoint could not be written, so no address was assigned: ") &&
            disk.load().assignments.size() == static_cast<std::size_t>(good) &&
            one.count().assigned == static_cast<std::uint64_t>(good) && one.count().cooling == 0 &&
            here.files() == std::set<std::string>{"ipam.json", "ipam.json.lock"};
        // A removal stands; when there is room again all is written.
        for (int i = 0; i < good; i += 2)
            one.pool.remove(key(std::to_string(i)), one.now, [](remove_outcome) {});
        one.now += manager::round;
        while (disk.write(one)) one.now += manager::round;
        return fine && one.add("next").empty() == false &&
               disk.load().assignments.size() <= static_cast<std::size_t>(good);
    });
}

TEST_CASE("a read-only disk fails the adds of the commit with its cause") {
    directory const here;
    on_file_system(here.state(), "size=64k", [&] {
        node one;
        one.start();
        on_disk disk{here.file()};
        one.ask("a");
        if (!disk.write(one)->error.empty()) return false;
        if (::mount("cnix", here.state().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64k") != 0)
            return false;
        one.ask("b");
        bool const fails = disk.write(one)->error.find("Read-only file system") != std::string::npos;
        if (::mount("cnix", here.state().c_str(), "tmpfs", MS_REMOUNT, "size=64k") != 0) return false;
        one.ask("c");
        return fails && one.answer("b").find("Read-only file system") != std::string::npos &&
               disk.write(one)->error.empty() && disk.load().assignments.size() == 2;
    });
}

TEST_CASE("a burst is written with few writes") {
    directory const here;
    checkpoint_files files{here.file()};
    std::mutex mutex;
    std::deque<checkpoint_writer::report> came;
    std::condition_variable wakes;
    checkpoint_writer writer{files, [&](checkpoint_writer::report of) {
                                 std::this_thread::sleep_for(5ms); // of a disk
                                 std::lock_guard const guard{mutex};
                                 came.push_back(std::move(of));
                                 wakes.notify_all();
                             }};
    node one{{.targets = {.warm_eni = 0}, .prefixes = true}, instance_limits{1, 20, 20, true, {1}}};
    one.start();
    for (int i = 0; i < 250; ++i) one.ask(std::to_string(i), 60s);
    one.settle(); // growth; its first write is the fixture's
    one.answers.clear();
    for (int i = 0; i < 250; ++i) one.pool.remove(key(std::to_string(i)), one.now, [](remove_outcome) {});
    one.settle();
    one.now += 60s;
    int writes = 0;
    for (int i = 0; i < 250; ++i) one.ask("again" + std::to_string(i), 60s);
    while (one.answers.size() < 250) {
        if (auto next = one.pool.begin_commit(one.now)) {
            ++writes;
            writer.write(std::move(*next));
        }
        std::unique_lock guard{mutex};
        REQUIRE(wakes.wait_for(guard, 10s, [&] { return !came.empty(); }));
        auto const of = std::move(came.front());
        came.pop_front();
        guard.unlock();
        REQUIRE(of.error == "");
        one.pool.committed(of.ticket, one.now);
    }
    CHECK(writes <= 3);
    CHECK(writer.finish(10s));
    CHECK(files.load().assignments.size() == 250);
}

TEST_CASE("what was handed over is written before the writer ends") {
    directory const here;
    checkpoint_files files{here.file()};
    std::vector<std::uint64_t> tickets;
    {
        checkpoint_writer writer{files, [&](checkpoint_writer::report of) { tickets.push_back(of.ticket); }};
        for (std::uint64_t i = 1; i <= 3; ++i)
            writer.write({i, {{0, with({pod(std::to_string(i), {"10.0.0.5"})})}}});
    }
    CHECK(tickets == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(files.load().assignments.at(0).key.container == "3");
}
