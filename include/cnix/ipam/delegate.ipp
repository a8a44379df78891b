#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/error_json.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/cni/read_result.hpp>
#include <cnix/ipam/delegate.hpp>
#include <cnix/prebuilt.hpp>
#include <cnix/sys/child_process.hpp>

#include <cstdio>
#include <exception>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace cnix::ipam {

struct delegate::plugin {
    std::string name;
    std::string file;
    std::string input;
    cni::version version;

    /// What it prints. Throws its error.
    std::string run(cni::verb verb) const {
        sys::outcome done;
        try {
            done = sys::run({.arguments = {file},
                             .environment = sys::environment_with("CNI_COMMAND", cni::text(verb)),
                             .input = input,
                             .max_output = cnix::config::max_size});
        } catch (std::exception const& e) {
            throw cni::error{cni::code::internal, std::string{"could not "} + e.what()};
        }
        if (!done.success()) {
            if (done.out.empty())
                throw cni::error{cni::code::internal,
                                 done.err.empty()
                                     ? "netplugin failed with no error message: " + done.ending() + where()
                                     : "netplugin failed: " + cni::quoted(done.err) + where()};
            throw cni::read_error(done.out);
        }
        std::fwrite(done.err.data(), 1, done.err.size(), stderr);
        return std::move(done.out);
    }

    cni::result result(std::string const& printed) const {
        try {
            return cni::read_result(printed, version);
        } catch (cni::error const& e) {
            throw cni::error{e.code(), e.message() + where(), e.details()};
        }
    }

    /// For what it did not say itself, and the runtime shows as this plugin's.
    std::string where() const { return " (IPAM plugin " + name + ")"; }
};

CNIX_INLINE auto delegate::add(cni::attachment const&, settings<delegate> const& settings,
                               cni::rollback& undo) -> lease {
    plugin const ipam = plugin_of(settings);
    undo.on_failure("release the address with " + ipam.name, [ipam] { ipam.run(cni::verb::del); });
    // Interfaces are the caller's to make, so an index among the IPAM's means nothing.
    lease made = ipam.result(ipam.run(cni::verb::add));
    for (cni::ip& ip : made.ips) ip.interface.reset();
    return made;
}

CNIX_INLINE void delegate::del(cni::attachment const&, settings<delegate> const& settings) {
    std::optional<plugin> ipam;
    try {
        ipam = plugin_of(settings);
    } catch (cni::error const& e) {
        std::fputs(
            cni::one_line("cnix: `ipam`: the address was not released: " + std::string{e.what()}).c_str(),
            stderr);
        return;
    }
    ipam->run(cni::verb::del);
}

CNIX_INLINE auto delegate::find(cni::attachment const&, settings<delegate> const&) -> std::optional<lease> {
    return std::nullopt;
}

CNIX_INLINE void delegate::check(cni::attachment const&, settings<delegate> const& settings,
                                 cni::result const&, findings& found) {
    pass_on(cni::verb::check, settings, found);
}

CNIX_INLINE void delegate::gc(cni::valid_attachments const&, settings<delegate> const& settings,
                              findings& found) {
    pass_on(cni::verb::gc, settings, found);
}

CNIX_INLINE void delegate::status(settings<delegate> const& settings, findings& found) {
    pass_on(cni::verb::status, settings, found);
}

CNIX_INLINE auto delegate::plugin_of(settings<delegate> const& settings) -> plugin {
    auto const refuse = [](std::string message) {
        throw cni::error{cni::code::invalid_network_config, std::move(message)};
    };
    std::string const name{settings.config.type.view()};
    std::vector<std::string> const& path = settings.request.path;
    if (name.empty()) refuse("no plugin name provided");
    if (!settings.config.names_a_file()) refuse("invalid plugin name: " + name);
    if (path.empty()) refuse("no paths provided");
    std::string tried;
    for (std::string const& directory : path) {
        std::string file = directory + '/' + name;
        struct stat status{};
        if (::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
            struct stat own{};
            if (::stat("/proc/self/exe", &own) == 0 && own.st_dev == status.st_dev &&
                own.st_ino == status.st_ino)
                refuse("`ipam.type` is " + cni::quoted(name) +
                       ", which is this plugin itself: name an IPAM plugin");
            return {name, std::move(file), settings.request.config, settings.request.version};
        }
        tried += (tried.empty() ? "" : " ") + directory;
    }
    throw cni::error{cni::code::invalid_network_config,
                     "failed to find plugin " + cni::quoted(name) + " in path [" + tried + "]"};
}

CNIX_INLINE void delegate::pass_on(cni::verb verb, settings<delegate> const& settings, findings& found) {
    if (settings.config.type.empty() || !settings.request.version.allows(verb)) return;
    std::string const name{settings.config.type.view()};
    try {
        plugin_of(settings).run(verb);
    } catch (cni::error const& e) {
        found.push_back(name + ": " + e.message() + (e.details().empty() ? "" : ": " + e.details()));
    }
}

} // namespace cnix::ipam
