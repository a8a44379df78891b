#pragma once
#include <cnix/net/address.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::ipt {

/// The tables that cnix has rules in.
enum class table : std::uint8_t { nat, mangle, filter };

/// As `iptables -t` takes it.
constexpr std::string_view text(table of) noexcept {
    switch (of) {
    case table::mangle:
        return "mangle";
    case table::filter:
        return "filter";
    case table::nat:
        break;
    }
    return "nat";
}

/// The programs' name for the family's rules.
constexpr std::string_view program(net::family family) noexcept {
    return family == net::family::ipv4 ? "iptables" : "ip6tables";
}

} // namespace cnix::ipt

namespace cnix {

/// What drives a table of iptables and ip6tables. A handle for the network namespace that is current when it
/// is used.
///
///   restore    commands as `iptables -t TABLE` takes them, one a line ("-A POSTROUTING ..."): all of them are
///              done, or nothing. One process. Throws cni::error with the program's own words.
///   test       the same without a change, as far as the program can tell.
///   save       the lines of `iptables-save -t TABLE`: chains (":NAME ...") and rules ("-A NAME ..."). One
///              process, and it grows with the table. A rule's line, with -D for -A, deletes it.
///   may_have   whether the family has a chain of that name in the table. "No" is certain; "yes" may be said
///              for not knowing. Starts no process.
///   sha512     of the text, as 128 lower-case hex digits.
///
/// Laws (tests/laws/iptables_backend_laws.hpp): what was made is saved, rules in their order; a saved rule
/// deletes it; a chain that is there is not made again; one with rules, or that rules lead to, is not deleted;
/// a refused restore, and a test, change nothing; families and tables are separate; may_have says no for no chain that
/// save gives.
///
/// Minimal model: archetypes::iptables.
template <class Iptables>
concept iptables_backend =
    std::default_initializable<Iptables> && requires(Iptables iptables, net::family family, ipt::table table,
                                                     std::string_view commands, std::string_view chain) {
        { iptables.restore(family, table, commands) } -> std::same_as<void>;
        { iptables.test(family, table, commands) } -> std::same_as<void>;
        { iptables.save(family, table) } -> std::same_as<std::vector<std::string>>;
        { iptables.may_have(family, table, chain) } -> std::same_as<bool>;
        { Iptables::sha512(chain) } -> std::same_as<std::string>;
    };

namespace detail {
template <class Iptables> auto explain_iptables() {
    static_assert(iptables_backend<Iptables>,
                  "cnix: the backend `Iptables` does not model cnix::iptables_backend; write what the notes "
                  "below miss as "
                  "cnix::archetypes::iptables has it; docs/writing-a-policy.md#backends");
}

/// Stands in for a policy of the library whose backend is none, and says so. (By a function: clang has no use any more for a class
/// with a failed assertion, and would say so.)
template <class Iptables> struct no_iptables {
    using is_refused = decltype(explain_iptables<Iptables>());
};
} // namespace detail

namespace archetypes {
/// What a policy may use of an iptables backend, and no more; declared only.
struct iptables {
    void restore(net::family, ipt::table, std::string_view commands);
    void test(net::family, ipt::table, std::string_view commands);
    std::vector<std::string> save(net::family, ipt::table);
    bool may_have(net::family, ipt::table, std::string_view chain);
    static std::string sha512(std::string_view);
};
static_assert(iptables_backend<iptables>);
} // namespace archetypes

} // namespace cnix
