#pragma once
#include <cnix/backends/recording/journal.hpp>
#include <cnix/backends/recording/names.hpp>
#include <cnix/concepts/ns_policy.hpp>

#include <optional>
#include <string>
#include <utility>

namespace cnix::backends::recording {

/// An ns_policy on the process-wide model: any path is a pod's namespace, until kernel::remove_pod ends it.
/// What is asked of recording backends within run() is journalled as commands for that namespace.
class ns {
  public:
    static ns open(std::string const& path);
    static std::optional<ns> find(std::string const& path);

    /// Good for recording::netlink, not for the system.
    int fd() const noexcept;

    template <class F> auto run(F&& f) -> decltype(f()) {
        way_back const home{*space_};
        return std::forward<F>(f)();
    }

    bool is_current() const;

  private:
    explicit ns(network_namespace& space) noexcept;

    class way_back {
      public:
        explicit way_back(network_namespace& inside);
        way_back(way_back const&) = delete;
        way_back& operator=(way_back const&) = delete;
        ~way_back();

      private:
        journal::prefix prefix_;
        network_namespace& home_;
    };

    network_namespace* space_;
};

static_assert(ns_policy<ns>);

} // namespace cnix::backends::recording

#ifndef CNIX_PREBUILT
#include <cnix/backends/recording/ns.ipp>
#endif
