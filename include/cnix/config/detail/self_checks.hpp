#pragma once
// Calls check() of every struct in a value that has been read.

#include <cnix/config/checker.hpp>
#include <cnix/config/detail/reader.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace cnix::config::detail {

/// Size of the part of `path` that leads to `here`, nothing if it leads elsewhere. Compares step by step from
/// the root, so that a path to another part of the tree costs little.
constexpr std::optional<std::size_t> leads_to(frame const& here, std::string_view path) {
    if (here.parent == nullptr)
        return path.starts_with(here.key) ? std::optional(here.key.size()) : std::nullopt;
    std::optional<std::size_t> const before = leads_to(*here.parent, path);
    if (!before) return std::nullopt;
    text const step = step_of(here);
    std::size_t const end = *before + step.size();
    if (path.size() < end || !same_bytes(path.data() + *before, step.view().data(), step.size()))
        return std::nullopt;
    if (path.size() > end && path[end] != '.' && path[end] != '[') return std::nullopt;
    return end;
}

template <class Type> constexpr inline bool holds_structs = adapted_struct<Type> || is_all_of<Type>;
template <class Value> constexpr inline bool holds_structs<std::optional<Value>> = holds_structs<Value>;
template <class Value> constexpr inline bool holds_structs<std::vector<Value>> = holds_structs<Value>;
template <class Value> constexpr inline bool holds_structs<entry<Value>> = holds_structs<Value>;

/// Runs the checks over a tree. `faults_` starts with those of the reading.
class self_checks {
  public:
    constexpr self_checks(std::string_view source, std::vector<fault>& faults)
        : source_(source), faults_(faults), read_faults_(faults.size()) {}

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
                if (misread<Type>(here)) return;
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

    /// Whether a value of the struct was not read: its checks would then judge a default in place of what was
    /// written.
    template <class Struct> constexpr bool misread(frame const& here) const {
        for (std::size_t i = 0; i < read_faults_; ++i) {
            fault const& one = faults_[i];
            if (one.kind != fault_kind::type && one.kind != fault_kind::value) continue;
            std::optional<std::size_t> const end = leads_to(here, one.path);
            if (!end) continue;
            if (*end == one.path.size()) return true;
            for (key_name const& key :
                 schema<Struct>::keys) // not a key of another struct that is read from the same object
                if (leads_to(frame{&here, key.view()}, one.path)) return true;
        }
        return false;
    }

    std::string_view source_;
    std::vector<fault>& faults_;
    std::size_t read_faults_;
};

} // namespace cnix::config::detail
