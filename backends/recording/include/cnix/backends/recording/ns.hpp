#pragma once
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/kernel.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/concepts/ns_policy.hpp>

#include <utility>

namespace cnix::backends::recording {

/// An ns_policy on the process-wide model: any path is a pod's namespace, until kernel::remove_pod ends it.
/// What is asked of recording backends within run() is journalled as commands for that namespace.
class ns {
  public:
    static ns open(std::string const& path) {
        network_namespace* const space = path.empty() ? nullptr : kernel::self().pod(path);
        if (space == nullptr)
            throw cni::error{cni::code::invalid_netns,
                             "failed to open netns \"" + path +
                                 "\": no such file or directory: the sandbox is gone"};
        return ns{*space};
    }
    static std::optional<ns> find(std::string const& path) {
        network_namespace* const space = path.empty() ? nullptr : kernel::self().pod(path);
        if (space == nullptr) return std::nullopt;
        return ns{*space};
    }

    /// Good for recording::netlink, not for the system.
    int fd() const noexcept { return space_->descriptor; }

    template <class F> auto run(F&& f) -> decltype(f()) {
        journal::prefix const inside{enter_command(*space_)};
        way_back const home{kernel::self().enter(*space_)};
        return std::forward<F>(f)();
    }

    bool is_current() const { return &kernel::self().current() == space_; }

  private:
    explicit ns(network_namespace& space) noexcept : space_{&space} {}

    class way_back {
      public:
        explicit way_back(network_namespace& home) noexcept : home_{home} {}
        way_back(way_back const&) = delete;
        way_back& operator=(way_back const&) = delete;
        ~way_back() { kernel::self().enter(home_); }

      private:
        network_namespace& home_;
    };

    network_namespace* space_;
};

static_assert(ns_policy<ns>);

} // namespace cnix::backends::recording
