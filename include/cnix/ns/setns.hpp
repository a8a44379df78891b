#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/ns_policy.hpp>
#include <cnix/sys/fd.hpp>

#include <optional>
#include <string>
#include <utility>

namespace cnix::ns {

/// Enters the pod's network namespace with setns(2), which concerns the calling thread alone.
class setns {
  public:
    static setns open(std::string const& path);

    /// Also nothing if what the path leads to is gone in another way than a missing file, or can be no namespace: a process
    /// that has ended (/proc/PID/ns/net) is ENOENT or ESRCH, a component that is no directory any more ENOTDIR, a socket or a
    /// device without a driver ENXIO or ENODEV.
    static std::optional<setns> find(std::string const& path);

    int fd() const noexcept { return file_.get(); }

    template <class F> auto run(F&& f) -> decltype(f()) {
        way_back const home = enter();
        return std::forward<F>(f)();
    }

    bool is_current() const;

  private:
    /// Of the thread: /proc/self would be the process's main thread.
    static constexpr char const* current_path = "/proc/thread-self/ns/net";

    explicit setns(sys::fd file) noexcept : file_{std::move(file)} {}

    struct probe {
        sys::fd file;
        int error = 0;
        bool is_network_namespace = false;
    };
    static probe look(std::string const& path) noexcept;

    static char const* advice(int error) noexcept;

    static cni::error failure(std::string const& path, std::string reason, char const* advice);

    /// Brings the thread back at the end of a scope.
    class way_back {
      public:
        explicit way_back(sys::fd home) noexcept : home_{std::move(home)} {}
        way_back(way_back const&) = delete;
        way_back& operator=(way_back const&) = delete;
        ~way_back();

      private:
        sys::fd home_;
    };

    way_back enter() const;

    sys::fd file_;
};

static_assert(ns_policy<setns>);

} // namespace cnix::ns

#ifndef CNIX_PREBUILT
#include <cnix/ns/setns.ipp>
#endif
