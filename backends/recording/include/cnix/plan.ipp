#pragma once
#include <cnix/plan.hpp>
#include <cnix/prebuilt.hpp>

namespace cnix::detail {

CNIX_INLINE void no_plan(std::string const& why) {
    throw cni::error{cni::code::plugin_not_available, "there is no plan: " + why};
}

CNIX_INLINE std::string plan_script(cni::request const& request, std::string_view type,
                                    std::string_view file) {
    std::string script = "#!/bin/sh\n# ADD of the network " + cni::quoted(request.network) + " by " +
                         cni::quoted(type) + ", as " + cni::quoted(file) +
                         " configures it, on a node that has no pod of it yet:\n# container " +
                         cni::quoted(request.container_id) + ", interface " + cni::quoted(request.interface) +
                         ", network namespace " + cni::quoted(request.netns) +
                         ".\n# Below each command is what takes it back. All of that, last first:\n"
                         "#     sed -n 's/^#undo //p' FILE | tac | sh -ex\nset -eu\n";
    for (auto const& [command, undo] : backends::recording::journal::steps()) {
        script += '\n' + command + '\n';
        for (auto line = undo.rbegin(); line != undo.rend(); ++line) script += "#undo " + *line + '\n';
    }
    return script;
}

} // namespace cnix::detail
