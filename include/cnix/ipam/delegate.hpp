#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/error_json.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/cni/read_result.hpp>
#include <cnix/cni/verb.hpp>
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/config/schema.hpp>
#include <cnix/sys/child_process.hpp>

#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace cnix::ipam {

/// The `ipam` object, as far as the caller of an IPAM plugin reads it.
struct delegate_config {
    /// File name of the IPAM plugin in CNI_PATH.
    config::text type;

    constexpr bool names_a_file() const {
        for (char const byte : type.view())
            if (byte == '/' || (byte >= 0 && byte < ' ')) return false;
        return !type.empty();
    }
    constexpr void check(config::checker& found) const {
        if (!type.empty() && !names_a_file())
            found.fault("type", config::concat(
                                    "invalid plugin name: ", type.view(),
                                    ", it must be a file name without directory, to be found in CNI_PATH"));
    }
};

/// Any IPAM plugin there is, by running it as the CNI spec says ("Delegated Plugins"): it gets the caller's
/// environment with CNI_COMMAND set, and the very bytes of the configuration. Its errors are passed on with
/// their codes.
///
/// A failed ADD is followed by the plugin's DEL, which is a step of the rollback and so reports what it could
/// not do. For this reason a second add without del does not keep the first lease where the plugin's DEL
/// drops it. What the attachment holds cannot be asked for, so find() never tells.
class delegate {
  public:
    using config = delegate_config;
    using lease = cni::lease;
    static constexpr std::string_view type = ""; // any

    lease add(cni::attachment const&, settings<delegate> const& settings, cni::rollback& undo) {
        plugin const ipam = plugin_of(settings);
        undo.on_failure("release the address with " + ipam.name, [ipam] { ipam.run(cni::verb::del); });
        // Interfaces are the caller's to make, so an index among the IPAM's means nothing.
        lease made = ipam.result(ipam.run(cni::verb::add));
        for (cni::ip& ip : made.ips) ip.interface.reset();
        return made;
    }

    /// Without the plugin there is nothing more that could be done, then or later: a warning on stderr.
    void del(cni::attachment const&, settings<delegate> const& settings) {
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

    std::optional<lease> find(cni::attachment const&, settings<delegate> const&) { return std::nullopt; }

    void check(cni::attachment const&, settings<delegate> const& settings, cni::result const&,
               findings& found) {
        pass_on(cni::verb::check, settings, found);
    }
    void gc(cni::valid_attachments const&, settings<delegate> const& settings, findings& found) {
        pass_on(cni::verb::gc, settings, found);
    }
    void status(settings<delegate> const& settings, findings& found) {
        pass_on(cni::verb::status, settings, found);
    }

  private:
    /// A plugin's file and how to call it.
    struct plugin {
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
                                         ? "netplugin failed with no error message: " + done.ending() +
                                               where()
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

    static plugin plugin_of(settings<delegate> const& settings) {
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

    /// A verb that changes nothing here. One that the configuration's version does not have is not for the
    /// plugin; without a type the attachments are layer 2 only, and there is none.
    static void pass_on(cni::verb verb, settings<delegate> const& settings, findings& found) {
        if (settings.config.type.empty() || !settings.request.version.allows(verb)) return;
        std::string const name{settings.config.type.view()};
        try {
            plugin_of(settings).run(verb);
        } catch (cni::error const& e) {
            found.push_back(name + ": " + e.message() + (e.details().empty() ? "" : ": " + e.details()));
        }
    }
};
static_assert(ipam_policy<delegate>);

} // namespace cnix::ipam

BOOST_HANA_ADAPT_STRUCT(cnix::ipam::delegate_config, type);
