#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/sys/file_lock.hpp>
#include <cnix/sys/writable.hpp>

#include <fstream>
#include <set>
#include <sstream>

namespace site {
namespace cni = cnix::cni;

struct text_file_config {
    cnix::config::text type, file;
    constexpr void check(cnix::config::checker& found) const {
        if (!file.view().starts_with('/')) found.fault("file", "write the absolute path of the addresses");
    }
};

/// Addresses that the site lists in a text file, one a line: ADDRESS/LENGTH [GATEWAY]. In the directory FILE.leases
/// each attachment has a file with the line that it got; they are made under a lock.
class text_file {
  public:
    using config = text_file_config;
    using lease = cni::lease;
    static constexpr std::string_view type = "text-file";

    lease add(cni::attachment const& one, cnix::settings<text_file> const& keys, cni::rollback& undo) {
        auto const leases = cnix::sys::directory::open_or_create(path(keys), 0755);
        cnix::sys::file_lock const lock{leases, "lock"};
        auto const line = free_line(keys);
        if (!leases.create(name(one), line, 0600)) fail(leases.path(name(one)) + " exists; DEL it first");
        undo.on_failure("release " + line, [one, keys] { text_file{}.del(one, keys); });
        return {.ips = {parse(line)}};
    }

    void del(cni::attachment const& one, cnix::settings<text_file> const& keys) {
        if (auto const leases = cnix::sys::directory::open(path(keys))) leases->remove(name(one));
    }

    std::optional<lease> find(cni::attachment const& one, cnix::settings<text_file> const& keys) {
        auto const leases = cnix::sys::directory::open(path(keys));
        auto const line = leases ? leases->read(name(one), 4096).bytes : "";
        return line.empty() ? std::nullopt : std::optional{lease{.ips = {parse(line)}}};
    }

    void check(cni::attachment const& one, cnix::settings<text_file> const& keys, cni::result const& previous,
               cnix::findings& found) {
        auto const now = find(one, keys);
        for (auto const& ip : previous.ips)
            if (now && now->ips[0].address.address() == ip.address.address()) return;
        found.push_back("the address of the result is not leased; delete and recreate the container");
    }

    void gc(cni::valid_attachments const& valid, cnix::settings<text_file> const& keys, cnix::findings&) {
        auto const network = valid.network().str() + '~';
        if (auto const leases = cnix::sys::directory::open(path(keys)))
            for (auto const& file : leases->names())
                if (file.starts_with(network) && !valid.contains_digest(file.substr(network.size())))
                    leases->remove(file);
    }

    void status(cnix::settings<text_file> const& keys, cnix::findings& found) {
        if (auto const why = cnix::sys::why_not_writable(path(keys))) found.push_back(*why);
        free_line(keys); // or throws: a finding, too
    }

  private:
    static std::string path(auto const& keys) { return std::string{keys.config.file} + ".leases"; }
    static std::string name(cni::attachment const& one) { return one.network.str() + '~' + one.digest(); }
    [[noreturn]] static void fail(std::string const& why) { throw cni::error{cni::code::internal, why}; }
    static cni::ip parse(std::string const& line) {
        std::string address, gateway;
        std::istringstream{line} >> address >> gateway;
        auto const ip = cnix::net::prefix::parse(address);
        auto const via = cnix::net::address::parse(gateway);
        if (!ip || via.has_value() == gateway.empty()) fail("not ADDRESS/LENGTH [GATEWAY]: `" + line + '`');
        return {*ip, via};
    }

    static std::string free_line(cnix::settings<text_file> const& keys) {
        std::set<cnix::net::address> taken;
        if (auto const leases = cnix::sys::directory::open(path(keys)))
            for (auto const& file : leases->names()) // the lock and what a killed ADD left are empty
                if (auto const line = leases->read(file, 4096).bytes; !line.empty())
                    taken.insert(parse(line).address.address());
        std::ifstream all{std::string{keys.config.file}};
        for (std::string line; std::getline(all, line);)
            if (!line.empty() && !taken.contains(parse(line).address.address())) return line;
        throw cni::error{cni::code::try_again_later, path(keys) + " has every line; add some to the list"};
    }
};

} // namespace site

BOOST_HANA_ADAPT_STRUCT(site::text_file_config, type, file);
static_assert(cnix::ipam_policy<site::text_file>);
