#pragma once
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/backends/recording/ns.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/prebuilt.hpp>

namespace cnix::backends::recording {

CNIX_INLINE auto ns::open(std::string const& path) -> ns {
    network_namespace* const space = path.empty() ? nullptr : kernel::self().pod(path);
    if (space == nullptr)
        throw cni::error{cni::code::invalid_netns, "failed to open netns \"" + path +
                                                       "\": no such file or directory: the sandbox is gone"};
    return ns{*space};
}

CNIX_INLINE auto ns::find(std::string const& path) -> std::optional<ns> {
    network_namespace* const space = path.empty() ? nullptr : kernel::self().pod(path);
    if (space == nullptr) return std::nullopt;
    return ns{*space};
}

CNIX_INLINE int ns::fd() const noexcept { return space_->descriptor; }

CNIX_INLINE bool ns::is_current() const { return &kernel::self().current() == space_; }

CNIX_INLINE ns::ns(network_namespace& space) noexcept : space_{&space} {}

CNIX_INLINE ns::way_back::way_back(network_namespace& inside)
    : prefix_{enter_command(inside)}, home_{kernel::self().enter(inside)} {}

CNIX_INLINE ns::way_back::~way_back() { kernel::self().enter(home_); }

} // namespace cnix::backends::recording
