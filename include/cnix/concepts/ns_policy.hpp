#pragma once
#include <concepts>
#include <optional>
#include <string>

namespace cnix {

/// The parts of the concept, each by itself.
namespace detail {
namespace has {
template <class Ns>
concept ns_open = requires(std::string const& path) {
    { Ns::open(path) } -> std::same_as<Ns>;
};
template <class Ns>
concept ns_find = requires(std::string const& path) {
    { Ns::find(path) } -> std::same_as<std::optional<Ns>>;
};
template <class Ns>
concept ns_fd = requires(Ns const& ns) {
    { ns.fd() } -> std::same_as<int>;
};
template <class Ns>
concept ns_run = requires(Ns& ns) {
    {
        ns.run([] { return 1; })
    } -> std::same_as<int>;
    {
        ns.run([] {})
    } -> std::same_as<void>;
};
template <class Ns>
concept ns_is_current = requires(Ns const& ns) {
    { ns.is_current() } -> std::same_as<bool>;
};
} // namespace has
} // namespace detail

/// A pod's network namespace, and how it is entered. An object holds the namespace open.
///
///   open(path)   the namespace at the path (CNI_NETNS). Throws cni::error, code invalid_netns, saying whether the path
///                is missing, not a network namespace, or cannot be opened.
///   find(path)   the same for DEL: nothing if the path is empty, missing, or no network namespace.
///   fd()         its descriptor, for IFLA_NET_NS_FD; valid as long as the object lives.
///   run(f)       calls f with the pod's namespace as the thread's, and returns what f returns. However f ends, the
///                thread is back in its former namespace afterwards (else the process ends: it must not go on in the
///                wrong one).
///   is_current() whether it is the namespace the thread is in.
///
/// Laws (tests/laws/ns_laws.hpp): run enters, and returns to where it was, however f ends and within another run; two objects of
/// a path are one namespace; moving keeps it; what was opened lives on when its path leads nowhere, which find and open tell.
///
/// Minimal model: archetypes::ns.
template <class Ns>
concept ns_policy = std::movable<Ns> && detail::has::ns_open<Ns> && detail::has::ns_find<Ns> &&
                    detail::has::ns_fd<Ns> && detail::has::ns_run<Ns> && detail::has::ns_is_current<Ns>;

namespace archetypes {
/// What a policy may use of an Ns, and no more; declared only, but for a template that callers' own types go into.
struct ns {
    static ns open(std::string const& path);
    static std::optional<ns> find(std::string const& path);
    int fd() const;
    template <class F> auto run(F&& f) -> decltype(f()) { return f(); }
    bool is_current() const;
};
static_assert(ns_policy<ns>);
} // namespace archetypes

} // namespace cnix
