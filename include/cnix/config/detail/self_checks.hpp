#pragma once
// Calls check() of every struct in a value that has been read.

#include <cnix/config/checker.hpp>
#include <cnix/config/detail/reader.hpp>

#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace cnix::config::detail {

template <class Type> constexpr inline bool holds_structs = adapted_struct<Type> || is_all_of<Type>;
template <class Value> constexpr inline bool holds_structs<std::optional<Value>> = holds_structs<Value>;
template <class Value> constexpr inline bool holds_structs<std::vector<Value>> = holds_structs<Value>;
template <class Value> constexpr inline bool holds_structs<entry<Value>> = holds_structs<Value>;

/// Runs the checks over a tree.
class self_checks {
  public:
    constexpr self_checks(std::string_view source, std::vector<fault>& faults)
        : source_(source), faults_(faults) {}

    template <class Type> constexpr void run(frame const& here, Type const& value) {
        if constexpr (is_optional<Type>) {
            if (value) run(here, *value);
        } else if constexpr (is_map<Type>) {
            for (auto const& one : value) run(frame{&here, one.key}, one.value);
        } else if constexpr (is_list<Type>) {
            for (std::size_t i = 0; i < value.size(); ++i) run(frame{&here, {}, i}, value[i]);
        } else if constexpr (is_all_of<Type>) {
            std::apply([&](auto const&... parts) { (run(here, parts), ...); }, value.parts);
        } else if constexpr (adapted_struct<Type>) {
            [&]<std::size_t... Member>(std::index_sequence<Member...>) {
                (member<Member>(here, value), ...);
            }(std::make_index_sequence<schema<Type>::size>{});
            if constexpr (self_checking<Type>) {
                checker found(source_, here, faults_);
                value.check(found);
            }
        }
    }

  private:
    template <std::size_t Index, class Struct>
    constexpr void member(frame const& here, Struct const& object) {
        auto const& value = schema<Struct>::template member<Index>(object);
        if constexpr (holds_structs<std::remove_cvref_t<decltype(value)>>)
            run(frame{&here, schema<Struct>::keys[Index].view()}, value);
    }

    std::string_view source_;
    std::vector<fault>& faults_;
};

} // namespace cnix::config::detail
