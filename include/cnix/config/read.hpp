#pragma once
// The reader of network configurations: the same constexpr function for the compiler in the user's CI and the
// plugin on the node. docs/design/config.md has the rules.

#include <cnix/config/checker.hpp>
#include <cnix/config/detail/reader.hpp>
#include <cnix/config/detail/self_checks.hpp>
#include <cnix/config/fault.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace cnix::config {

/// What was read. `value` holds the defaults wherever a fault was found.
template <class Type> struct reading {
    Type value{};
    std::vector<fault> faults; ///< in the order of their places
    bool well_formed = true;   ///< false: not JSON; then `faults` has exactly one, of kind syntax

    constexpr bool ok() const { return faults.empty(); }
};

/// Reads the value at `part`, a slice of `source` (the `json` of a `raw` from an earlier reading of it), so
/// that paths and places are those of the whole text. `base` is the path of `part`, from `$`.
template <class Type>
constexpr reading<Type> read_part(std::string_view source, std::string_view part, std::string_view base,
                                  options how = {}) {
    reading<Type> result;
    if (part.empty()) return result;
    detail::reader in(source, static_cast<std::size_t>(part.data() - source.data()), how, result.faults);
    detail::frame const root{nullptr, base};
    in.value(root, result.value);
    detail::self_checks(source, result.faults).run(root, result.value);
    detail::place(result.faults, source);
    return result;
}

/// Reads `source`, one JSON document. Type is an adapted struct, an `all_of`, or any type a member may have.
/// A member of type `raw` in the result points into `source`. Throws nothing but std::bad_alloc.
template <class Type> constexpr reading<Type> read(std::string_view source, options how = {}) {
    if (std::optional<detail::syntax_fault> const bad = detail::check_syntax(source)) {
        reading<Type> result;
        result.well_formed = false;
        result.faults.push_back(
            {fault_kind::syntax, bad->offset, position_of(source, bad->offset), {}, bad->message});
        return result;
    }
    std::size_t start = 0;
    while (source[start] == ' ' || source[start] == '\n' || source[start] == '\r' || source[start] == '\t')
        ++start;
    return read_part<Type>(source, source.substr(start), "$", how);
}

} // namespace cnix::config
