#pragma once
// Calls check() of every struct in a value that has been read.

#include <cnix/config/checker.hpp>
#include <cnix/config/detail/reader.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace cnix::config::detail {

/// Whether `path` is `base`, a member of it, or deeper.
constexpr bool lies_under(std::string_view path, std::string_view base) {
    return path.substr(0, base.size()) == base &&
           (path.size() == base.size() || path[base.size()] == '.' || path[base.size()] == '[');
}

/// Whether a value of the struct was not read: its checks would then judge a default in place of what was
/// written.
template <class Struct> constexpr bool misread(std::string_view base, std::vector<fault> const& faults) {
    for (fault const& one : faults) {
        if (one.kind != fault_kind::type && one.kind != fault_kind::value) continue;
        if (!lies_under(one.path, base)) continue;
        if (one.path.size() == base.size()) return true;
        for (key_name const& key :
             schema<Struct>::keys) // not a key of another struct that is read from the same object
            if (lies_under(one.path, join_paths(base, path(key.view())))) return true;
    }
    return false;
}

template <class Type>
constexpr void self_check(std::string_view source, frame const& here, Type const& value,
                          std::vector<fault>& faults) {
    if constexpr (is_optional<Type>) {
        if (value) self_check(source, here, *value, faults);
    } else if constexpr (is_map<Type>) {
        for (auto const& one : value) self_check(source, frame{&here, one.key, 0}, one.value, faults);
    } else if constexpr (is_list<Type>) {
        for (std::size_t i = 0; i < value.size(); ++i)
            self_check(source, frame{&here, {}, i}, value[i], faults);
    } else if constexpr (is_all_of<Type>) {
        std::apply([&](auto const&... parts) { (self_check(source, here, parts, faults), ...); },
                   value.parts);
    } else if constexpr (adapted_struct<Type>) {
        [&]<std::size_t... Member>(std::index_sequence<Member...>) {
            (self_check(source, frame{&here, schema<Type>::keys[Member].view(), 0},
                        schema<Type>::template member<Member>(value), faults),
             ...);
        }(std::make_index_sequence<schema<Type>::size>{});
        if constexpr (self_checking<Type>) {
            text const base = path_of(here);
            if (faults.empty() || !misread<Type>(base, faults)) {
                checker found(source, base, faults);
                value.check(found);
            }
        }
    }
}

} // namespace cnix::config::detail
