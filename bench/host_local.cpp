// What an ADD and a DEL of ipam::host_local cost in a directory without leases and in one with 10,000, in
// turns in one run. In one process: the start of a process is the same for both.
#include <cnix/ipam/host_local.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace cnix;
namespace fs = std::filesystem;

struct timings {
    std::vector<double> microseconds;

    void measure(auto const& action) {
        auto const start = std::chrono::steady_clock::now();
        action();
        std::chrono::duration<double, std::micro> const took = std::chrono::steady_clock::now() - start;
        microseconds.push_back(took.count());
    }
    double median() {
        std::ranges::sort(microseconds);
        return microseconds[microseconds.size() / 2];
    }
    void print(std::string_view name) {
        double const middle = median();
        std::printf("%-24.*s min %7.1f  median %7.1f  p99 %7.1f us\n", static_cast<int>(name.size()),
                    name.data(), microseconds.front(), middle, microseconds[microseconds.size() * 99 / 100]);
    }
};

struct subject {
    settings<ipam::host_local> with;
    timings add, del;

    subject(fs::path const& root, int leases) {
        fs::create_directories(root / "net");
        for (int i = 0; i < leases; ++i)
            std::ofstream{root / "net" /
                          ("10.0." + std::to_string(i / 250) + '.' + std::to_string(1 + i % 250))}
                << "other" << i << "\r\neth0";
        with.config.subnet = net::prefix::parse("10.0.0.0/16");
        with.config.rangeStart = net::address::parse("10.0.128.0");
        with.config.dataDir = root.string();
        with.request.version = cni::version::v1_0_0;
    }
    void turn(int number) {
        cni::attachment const attachment{{*cni::network_name::parse("net"),
                                          *cni::container_id::parse("c" + std::to_string(number)),
                                          *net::interface_name::parse("eth0")},
                                         "",
                                         {}};
        ipam::host_local ipam;
        add.measure([&] {
            cni::rollback undo;
            ipam.add(attachment, with, undo);
            undo.commit();
        });
        del.measure([&] { ipam.del(attachment, with); });
    }
};

} // namespace

int main() {
    std::string name = (fs::temp_directory_path() / "cnix-bench-XXXXXX").string();
    if (!::mkdtemp(name.data())) return 1;
    fs::path const root{name};
    {
        subject none{root / "none", 0}, many{root / "many", 10'000};
        for (auto* each : {&none, &many}) { // the first ADD makes the index
            each->turn(0);
            each->add = each->del = {};
        }
        for (int i = 1; i <= 1000; ++i) {
            none.turn(i);
            many.turn(i);
        }
        none.add.print("ADD, no leases");
        many.add.print("ADD, 10,000 leases");
        none.del.print("DEL, no leases");
        many.del.print("DEL, 10,000 leases");
        std::printf("ADD ratio of medians     %.2f\n", many.add.median() / none.add.median());
    }
    fs::remove_all(root);
}
