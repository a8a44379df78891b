#pragma once
#include <cnix/config/read.hpp>
#include <cnix/ipam/host_local.hpp>
#include <cnix/ipam/host_local/lease_index.hpp>
#include <cnix/sys/directory.hpp>

#include <doctest/doctest.h>

#include "fixture.hpp"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace host_local_test {

using namespace cnix;
using namespace ipam_test;
namespace fs = std::filesystem;

/// A data directory of its own, removed at the end.
struct data_directory {
    data_directory() {
        std::string name = (fs::temp_directory_path() / "cnix-host-local-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        root = name;
    }
    data_directory(data_directory const&) = delete;
    data_directory& operator=(data_directory const&) = delete;
    ~data_directory() { fs::remove_all(root); }

    fs::path leases() const { return root / "net"; }
    fs::path index() const { return root / ".cnix" / "net"; }
    fs::path file(std::string_view address) const { return leases() / address; }
    void write(std::string_view name, std::string_view content) const {
        fs::create_directories(leases());
        std::ofstream{leases() / name, std::ios::binary} << content;
    }
    std::string read(std::string_view name) const {
        std::ifstream in{leases() / name, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    /// The leases, without the lock and the last reserved addresses.
    std::map<std::string, std::string> held() const {
        std::map<std::string, std::string> all;
        if (!fs::exists(leases())) return all;
        for (auto const& entry : fs::directory_iterator{leases()}) {
            std::string const name = entry.path().filename();
            if (net::address::parse(name)) all[name] = entry.is_regular_file() ? read(name) : "?";
        }
        return all;
    }
    bool sealed() const {
        auto const directory = sys::directory::open(leases());
        auto const data = sys::directory::open(root);
        return directory && data &&
               ipam::lease_index{*data, "net", ipam::lease_index::missing::ignore}.sealed(*directory);
    }

    fs::path root;
};

/// `ipam` is the object's text without dataDir.
inline settings<ipam::host_local> settings_of(data_directory const& data, std::string const& ipam,
                                              std::string_view version = "1.0.0") {
    std::string const text =
        R"({"type": "host-local", "dataDir": ")" + data.root.string() + "\", " + ipam + "}";
    auto const read = config::read<ipam::host_local_config>(text);
    INFO(std::string{config::to_string(read.faults).view()});
    REQUIRE(read.ok());
    settings<ipam::host_local> made;
    made.config = read.value;
    made.request.version = *cni::version::parse(version);
    made.request.network = "net";
    return made;
}

inline void del(cni::attachment const& from, settings<ipam::host_local> const& with) {
    ipam::host_local{}.del(from, with);
}
inline ipam::requested_address asked(std::string_view text) { return *ipam::requested_address::parse(text); }

inline char const* const one_range = R"("subnet": "10.0.0.0/24")";
inline char const* const tiny = R"("subnet": "10.0.0.0/29", "rangeEnd": "10.0.0.4")"; // .2 .3 .4

} // namespace host_local_test
