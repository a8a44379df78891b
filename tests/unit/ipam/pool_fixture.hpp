#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/config/read.hpp>
#include <cnix/eni/checkpoint.hpp>
#include <cnix/ipam/pool.hpp>
#include <cnix/sys/directory.hpp>

#include <doctest/doctest.h>

#include "fixture.hpp"
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <unistd.h>

namespace pool_test {

using namespace cnix;
using namespace ipam_test;
namespace fs = std::filesystem;

/// Two ENIs with five IPv4 addresses each, and an IPv6 prefix.
inline char const* const two_enis = R"({"enis": [
  {"id": "eni-1", "mac": "02:00:00:00:01:01", "deviceNumber": 0, "primaryAddress": "10.0.1.10", "subnet": "10.0.1.0/24",
   "ipv6Subnet": "2600:1f14::/64",
   "addresses": ["10.0.1.11", "10.0.1.12", "10.0.1.13", "10.0.1.14", "10.0.1.15"], "prefixes": ["2600:1f14:0:0:1::/80"]},
  {"id": "eni-2", "mac": "02:00:00:00:02:01", "deviceNumber": 1, "primaryAddress": "10.0.2.10", "subnet": "10.0.2.0/24",
   "gateway": "10.0.2.254", "addresses": ["10.0.2.11", "10.0.2.12", "10.0.2.13", "10.0.2.14", "10.0.2.15"]}
]})";

/// An inventory and a checkpoint in a directory of their own, removed at the end.
struct node {
    explicit node(std::string_view inventory = two_enis) {
        // In memory, where it is to be had: hundreds of files are brought to the disk.
        fs::path const in =
            ::access("/dev/shm", W_OK) == 0 ? fs::path{"/dev/shm"} : fs::temp_directory_path();
        std::string name = (in / "cnix-pool-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        root = name;
        write(root / "eni.json", inventory);
    }
    node(node const&) = delete;
    node& operator=(node const&) = delete;
    ~node() { fs::remove_all(root); }

    fs::path state() const { return root / "state"; }
    fs::path checkpoint() const { return state() / "ipam.json"; }
    static void write(fs::path const& file, std::string_view content) {
        fs::create_directories(file.parent_path());
        std::ofstream{file, std::ios::binary} << content;
    }
    static std::string read(fs::path const& file) {
        std::ifstream in{file, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }

    /// `keys` are members of the `ipam` object beside those that name the files.
    settings<ipam::pool> keys(std::string const& more = "") const {
        std::string const text = R"({"inventory": ")" + (root / "eni.json").string() +
                                 R"(", "checkpoint": ")" + checkpoint().string() + '"' +
                                 (more.empty() ? "" : ", ") + more + '}';
        auto const read = config::read<ipam::pool_config>(text, config::strict);
        INFO(std::string{config::to_string(read.faults).view()});
        REQUIRE(read.ok());
        settings<ipam::pool> made;
        made.config = read.value;
        made.request.network = "net";
        return made;
    }

    /// Who holds what, without what has been given back.
    std::string holders() const {
        std::string text;
        if (auto const in = sys::directory::open(state()))
            for (auto const& one : eni::checkpoint{*in, "ipam.json"}.load().assignments) {
                text += one.key.network + '/' + one.key.container + '/' + one.key.interface + ':';
                for (auto const& part : one.holdings)
                    for (auto const& address : part.addresses) text += ' ' + address.str();
                text += '\n';
            }
        return text;
    }

    fs::path root;
};

inline void del(std::string_view container, settings<ipam::pool> const& with) {
    ipam::pool{}.del(attachment(container), with);
}
/// The code and text of an add that fails.
inline std::string refused(std::string_view container, settings<ipam::pool> const& with) {
    try {
        return "no failure, but " + added(container, with);
    } catch (cni::error const& e) {
        return std::to_string(static_cast<unsigned>(e.code())) + ": " + e.message();
    }
}

} // namespace pool_test
