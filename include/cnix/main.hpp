#pragma once
#include <cnix/accepts.hpp>
#include <cnix/cni/request.hpp>
#include <cnix/verbs.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace cnix {

/// cnix::plan<Plugin> (cnix/plan.hpp): the text of a file that the plugin accepts, the plugin's type, the file's name, the
/// attachment.
using planner = std::string (*)(std::string_view text, std::string_view type, std::string_view file,
                                cni::request request);

namespace detail {

/// What main() calls of a plugin.
struct program_parts {
    void (*run)(cni::request const&);
    std::vector<config::fault> (*faults)(std::string_view text, std::string_view type, file_form form);
    planner plan;
    bool ipam_only;
};
int main(int argc, char** argv, program_parts const& plugin);

} // namespace detail

/// A plugin's main(): one verb of the CNI protocol, from environment and standard input to standard output.
/// Exit status 0, or 1 with the error object on standard output; on standard error if it cannot be written there.
/// With options, for a person: --help, --version, --check FILE... and, given a `plan`, --plan FILE.
template <class Plugin> int main(int argc, char** argv, planner plan = nullptr) {
    // What is wrong with a composition has been said by its class.
    if constexpr (Plugin::well_formed) {
        constexpr bool ipam_only = requires { requires Plugin::ipam_only; };
        return detail::main(argc, argv, {run<Plugin>, configuration<Plugin>::faults, plan, ipam_only});
    }
    return 1;
}

} // namespace cnix

#ifndef CNIX_PREBUILT
#include <cnix/main.ipp>
#endif
