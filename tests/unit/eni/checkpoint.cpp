#include <cnix/eni/checkpoint.hpp>
#include <cnix/eni/datastore.hpp>

#include <doctest/doctest.h>

#include "datastore_fixture.hpp"
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

using namespace datastore_test;
namespace fs = std::filesystem;

namespace {

std::string golden(std::string const& name) {
    std::ifstream in{fs::path{CNIX_CHECKPOINTS} / name, std::ios::binary};
    REQUIRE(in);
    return {std::istreambuf_iterator<char>{in}, {}};
}
eni::state read(std::string_view text) { return eni::read_checkpoint(text, "/x/ipam.json"); }
/// The faults, without what stands around them.
std::string faults(std::string_view text) {
    std::string const message = thrown([&] { read(text); });
    std::string_view const before = "failed ipam state recovery due to the checkpoint /x/ipam.json: ";
    std::string_view const behind = "; nothing was changed: repair it, or move it away, delete the pods that "
                                    "are there (DEL succeeds then), "
                                    "and let no others come before these are gone";
    if (!message.starts_with(before) || !message.ends_with(behind)) return "not as expected: " + message;
    return message.substr(before.size(), message.size() - before.size() - behind.size());
}
std::string document(std::string const& members) { return R"({"version":"vpc-cni-ipam/1",)" + members + '}'; }
std::string allocations(std::string const& list) { return document(R"("allocations":[)" + list + ']'); }
eni::time_point const then{std::chrono::nanoseconds{1'700'000'000'000'000'000}};

struct directory {
    directory() {
        std::string name = (fs::temp_directory_path() / "cnix-checkpoint-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path = name;
    }
    directory(directory const&) = delete;
    directory& operator=(directory const&) = delete;
    ~directory() { fs::remove_all(path); }
    fs::path path;
};

} // namespace

TEST_CASE("what every version of upstream wrote is read") {
    eni::pod_metadata const nginx{"default", "nginx", 1};
    auto const has = [](char const* text) { return std::vector{eni::holding{"", {ip(text)}}}; };
    CHECK(read(golden("v1.9.3.json")) ==
          eni::state{{{{"_migrated-from-cri", "0a1b", "unknown"}, {}, eni::time_point{}, has("10.0.1.21")},
                      {{"aws-cni", "8f6d", "eth0"}, {}, eni::time_point{}, has("10.0.2.55")}},
                     {}});
    CHECK(read(golden("v1.15.json")) ==
          eni::state{{{{"aws-cni", "8f6d", "eth0"}, nginx, then, has("10.0.2.55")},
                      {{"aws-cni", "9a77", "eth0"}, {}, {}, has("10.0.2.56")}},
                     {}});
    CHECK(
        read(golden("v1.23-ipv6.json")) ==
        eni::state{
            {{{"aws-cni", "8f6d", "eth0"}, {"kube-system", "coredns-0", 1}, then, has("2600:1f14::1:0:0:7")},
             {{"aws-cni", "9a77", "eth0"},
              {"default", "nginx", 2},
              then + std::chrono::nanoseconds{1},
              has("2600:1f14::1:0:0:8")}},
            {}});
    // As Go's reader takes it: keys in another case, and what is empty is not there.
    CHECK(read(golden("folded.json")) ==
          eni::state{{{{"aws-cni", "8f6d", "eth0"}, nginx, then, has("10.0.2.55")}}, {}});
}

TEST_CASE("what only a newer version knows is refused: the next write would lose it") {
    std::string const before = "failed ipam state recovery due to the checkpoint /x/ipam.json: ";
    std::string const behind = "; nothing was changed: a newer version may have written the unknown keys, "
                               "and what they say would be lost: use the version that wrote the file, or "
                               "remove them";
    auto const message = [](std::string const& text) { return thrown([&] { read(text); }); };
    CHECK(message(golden("newer.json")) == before +
                                               "3:3: $: unknown key `generation`\n"
                                               "12:73: $.allocations[0].metadata: unknown key `k8sPodUID`\n"
                                               "13:7: $.allocations[0]: unknown key `weight`" +
                                               behind);
    // Nothing of it is as good as empty; and where it is a slip of the pen, that is told.
    CHECK(message(document(R"("allocation":[])")) ==
          before + "1:29: $: unknown key `allocation`, did you mean `allocations`?" + behind);
    CHECK(message(document(R"("releases":[{"ipv4":"10.0.0.1","reason":null}])")) ==
          before + "1:60: $.releases[0]: unknown key `reason`" + behind);
    // Beside other faults, and in each of many entries.
    CHECK(message(R"({"version":"vpc-cni-ipam/2","zone":1})") ==
          before +
              "1:12: $.version: unexpected checkpointVersion: `vpc-cni-ipam/2`; it must be `vpc-cni-ipam/1`\n"
              "1:29: $: unknown key `zone`" +
              behind +
              "; repair it, or move it away, delete the pods that are there (DEL succeeds then), and let no "
              "others come before these are gone");
    std::string entries;
    for (int i = 0; i < 100; ++i)
        entries += (i == 0 ? "" : ",") + std::string{R"({"networkName":"n","containerID":"c)"} +
                   std::to_string(i) + R"(","ifName":"i","zone":1,"ipv4":"10.0.0.)" + std::to_string(i) +
                   "\"}";
    std::string const many = message(allocations(entries));
    CHECK(std::ranges::count(many, '\n') == 5);
    CHECK(many.find("$.allocations[4]: unknown key `zone`\nand more" + behind) != many.npos);
}

TEST_CASE("upstream's bytes are written: without anything that cools, they are the same") {
    CHECK(eni::checkpoint_text(read(golden("v1.23-ipv6.json"))) == golden("v1.23-ipv6.json"));
    CHECK(eni::checkpoint_text(read(golden("cnix.json"))) == golden("cnix.json"));
    CHECK(eni::checkpoint_text({}) == "{\"version\":\"vpc-cni-ipam/1\",\"allocations\":[]}\n");
    // As Go's encoder, which escapes for HTML.
    CHECK(
        eni::checkpoint_text({{{{"n", "c", "i"}, {"a<b>&", "\"\n", 1}, {}, {{"", {ip("10.0.0.1")}}}}}, {}}) ==
        R"({"version":"vpc-cni-ipam/1","allocations":[{"networkName":"n","containerID":"c","ifName":"i",)"
        R"("ipv4":"10.0.0.1","allocationTimestamp":0,"metadata":{"k8sPodNamespace":"a\u003cb\u003e\u0026",)"
        R"("k8sPodName":"\"\n","interfacesCount":1}}]})"
        "\n");
}

TEST_CASE("an entry a holding: dual stack is one, of two ENIs they are two") {
    eni::state const all{
        {{{"n", "a", "eth0"}, {"ns", "a", 1}, then, {{"", {ip("10.0.0.1"), ip("2600::1")}}}},
         {{"n", "b", "eth0"}, {"ns", "b", 2}, then, {{"", {ip("10.0.0.2")}}, {"", {ip("10.1.0.2")}}}}},
        {{ip("10.0.0.3"), then}, {ip("2600::3"), then - 5s}}};
    std::string const text = eni::checkpoint_text(all);
    CHECK(text.find(R"("ifName":"eth0","ipv4":"10.0.0.1","ipv6":"2600::1","allocationTimestamp")") !=
          text.npos);
    CHECK(text.find(R"("containerID":"b","ifName":"eth0","ipv4":"10.1.0.2")") != text.npos);
    CHECK(text.find(R"({"ipv6":"2600::3","releaseTimestamp":1699999995000000000}])") != text.npos);
    CHECK(read(text) == all);
}

TEST_CASE("a file for each network card") {
    CHECK(eni::checkpoint_name("ipam.json", 0) == "ipam.json");
    CHECK(eni::checkpoint_name("ipam.json", 1) == "ipam-nic-1.json");
    CHECK(eni::checkpoint_name("state", 2) == "state-nic-2.json");
}

TEST_CASE("every truncated file is refused") {
    std::string const whole = golden("cnix.json");
    for (std::size_t size = 0; size + 1 < whole.size(); ++size)
        CHECK_THROWS_AS(read(std::string_view{whole}.substr(0, size)), cni::error);
    CHECK_NOTHROW(read(whole.substr(0, whole.size() - 1)));
}

TEST_CASE("what is no checkpoint is refused with its place") {
    CHECK(faults("") == "1:1: the text ends where a value is expected");
    CHECK(faults(std::string(4096, '\0')) == "1:1: not a JSON value; a string needs double quotes");
    CHECK(faults(golden("cnix.json") + "x") == "2:1: text after the end of the document");
    CHECK(faults("[]") ==
          "1:1: $: expected an object, found an array\n1:1: $.version: unexpected checkpointVersion: "
          "``; it must be `vpc-cni-ipam/1`");
    for (auto const text : {"null", "{}", R"({"allocations":[]})"})
        CHECK(faults(text).find("unexpected checkpointVersion: ``; it must be `vpc-cni-ipam/1`") !=
              std::string::npos);
    CHECK(faults(R"({"version":"vpc-cni-ipam/2","allocations":7})") ==
          "1:12: $.version: unexpected checkpointVersion: `vpc-cni-ipam/2`; it must be `vpc-cni-ipam/1`\n"
          "1:43: $.allocations: expected an array, found a number");
    CHECK(faults(R"({"version":1})") == "1:12: $.version: expected a string, found a number");
    CHECK(faults(document(R"("allocations":{})")) ==
          "1:43: $.allocations: expected an array, found an object");
    CHECK(faults(document("\"allocations\":" + std::string(40, '['))) ==
          "1:74: nested deeper than 32 levels");
}

TEST_CASE("entries that are not as they must be are refused with their path") {
    std::string const name = R"("networkName":"n","containerID":"c","ifName":"i")";
    CHECK(faults(allocations("7")).find("$.allocations[0]: expected an object, found a number") !=
          std::string::npos);
    CHECK(faults(allocations('{' + name + R"(,"ipv4":"10.0.0.256"})"))
              .find("$.allocations[0].ipv4: `10.0.0.256` is not an IP address") != std::string::npos);
    CHECK(faults(allocations('{' + name + R"(,"ipv4":["10.0.0.2"]})"))
              .find("$.allocations[0].ipv4: expected a string, found an array") != std::string::npos);
    CHECK(faults(allocations('{' + name + R"(,"ipv4":"2600::1"})")) ==
          "1:101: $.allocations[0].ipv4: this is an IPv6 address");
    CHECK(faults(allocations('{' + name + R"(,"ipv6":"10.0.0.1"})")) ==
          "1:101: $.allocations[0].ipv6: this is an IPv4 address");
    CHECK(faults(allocations('{' + name + "}")) ==
          "1:44: $.allocations[0]: there is neither `ipv4` nor `ipv6`");
    CHECK(faults(allocations(R"({"networkName":"n","containerID":"","ifName":"i","ipv4":"10.0.0.1"})")) ==
          "1:44: $.allocations[0]: it needs `networkName`, `containerID` and `ifName`, by which it is "
          "released");
    CHECK(faults(allocations('{' + name + R"(,"ipv4":"10.0.0.1","allocationTimestamp":"now"})"))
              .find("$.allocations[0].allocationTimestamp: expected an integer, found a string") !=
          std::string::npos);
    CHECK(faults(allocations('{' + name + R"(,"ipv4":"10.0.0.1","allocationTimestamp":9223372036854775808})"))
              .find("is out of range") != std::string::npos);
    CHECK(faults(document(R"("allocations":[],"Allocations":[])")) == "1:46: $: duplicate key `Allocations`");
    CHECK(faults(document(R"("releases":[{"releaseTimestamp":1}])")) ==
          "1:41: $.releases[0]: there is neither `ipv4` nor `ipv6`");
}

TEST_CASE("two owners of one address are refused, of one family and across entries of one key") {
    std::string const one = R"({"networkName":"n","containerID":"a","ifName":"i","ipv4":"10.0.0.1"})";
    std::string const other = R"({"networkName":"n","containerID":"b","ifName":"i","ipv4":"10.0.0.1"})";
    std::string const expected =
        "1:170: $.allocations[1].ipv4: datastore: IP already in data store: 10.0.0.1 is also "
        "allocations[0]'s";
    CHECK(faults(allocations(one + ',' + other)) == expected);
    CHECK(faults(allocations(one + ',' + one)) == expected);
}

TEST_CASE("a damaged file is refused, or is as good as one that was written") {
    std::mt19937 random{1};
    int good = 0, bad = 0;
    for (auto const* name : {"cnix.json", "v1.15.json", "v1.23-ipv6.json", "folded.json"}) {
        std::string const whole = golden(name);
        for (int round = 0; round < 3000; ++round) {
            std::string text = whole;
            for (auto left = 1 + random() % 3; left > 0; --left)
                switch (auto& byte = text[random() % text.size()]; random() % 4) {
                case 0:
                    byte = static_cast<char>(random());
                    break;
                case 1:
                    byte = "{}[]\",:0123456789-.nulltrue"[random() % 28];
                    break;
                case 2:
                    text.erase(random() % text.size(), 1 + random() % 20);
                    break;
                default:
                    text.insert(random() % text.size(), text.substr(random() % text.size(), random() % 60));
                }
            CAPTURE(text);
            eni::state all;
            try {
                all = read(text);
                ++good;
            } catch (cni::error const&) {
                ++bad;
                continue;
            }
            CHECK(read(eni::checkpoint_text(all)) == all);
            eni::datastore store;
            CHECK_NOTHROW(store.restore(all)); // nobody has another's address
        }
    }
    CHECK(good > 300);
    CHECK(bad > 6000);
}

TEST_CASE("times at the ends of what fits") {
    for (auto const text : {"-9223372036854775808", "9223372036854775807"}) {
        auto const all = read(
            document(R"("releases":[{"ipv4":"10.0.0.1","releaseTimestamp":)" + std::string{text} + "}]"));
        CHECK(eni::checkpoint_text(all).find(text) != std::string::npos);
        eni::datastore store{30s};
        store.add(eni_of(0, {"10.0.0.1"}));
        store.restore(all);
        // Neither lost nor out of reach for ever.
        CHECK(store.settle(at(0)) == (text[0] != '-'));
        CHECK(assign(store, "a", ipv4, 30) == "eni-0: 10.0.0.1");
    }
}

TEST_CASE("a file is saved and loaded; none is an empty state") {
    directory const here;
    auto const in = *sys::directory::open(here.path);
    eni::checkpoint const file{in, "ipam.json"};
    CHECK(file.path() == here.path / "ipam.json");
    CHECK(file.load() == eni::state{});
    auto const all = read(golden("cnix.json"));
    file.save(all);
    CHECK(file.load() == all);
    CHECK(fs::status(here.path / "ipam.json").permissions() == fs::perms{0600});
    CHECK(std::distance(fs::directory_iterator{here.path}, {}) == 1);

    std::string const before = "failed ipam state recovery due to the checkpoint " + file.path() + ": it ";
    fs::resize_file(here.path / "ipam.json", eni::checkpoint::largest + 1);
    std::string const behind = "; nothing was changed: repair it, or move it away, delete the pods that are "
                               "there (DEL succeeds then), and let no others come before these are gone";
    auto const why = [&] {
        auto const text = thrown([&] { file.load(); });
        fs::remove(here.path / "ipam.json");
        return text;
    };
    CHECK(why() == before + "has more than 4 MiB" + behind);
    fs::create_symlink("elsewhere", here.path / "ipam.json");
    CHECK(why() == before + "is a symbolic link, not a regular file" + behind);
    fs::create_directory(here.path / "ipam.json");
    CHECK(why() == before + "is a directory, not a regular file" + behind);
    REQUIRE(::mkfifo((here.path / "ipam.json").c_str(), 0600) == 0);
    CHECK(why() == before + "is a FIFO, not a regular file" + behind);
}

TEST_CASE("what could not be read again is not written") {
    directory const here;
    auto const in = *sys::directory::open(here.path);
    eni::checkpoint const file{in, "ipam.json"};
    eni::state large{
        {{{"n", std::string(eni::checkpoint::largest, 'c'), "i"}, {}, {}, {{"", {ip("10.0.0.1")}}}}}, {}};
    CHECK(thrown([&] { file.save(large); }) ==
          "the checkpoint " + file.path() + " would have more than 4 MiB");
    CHECK(fs::is_empty(here.path));
}
