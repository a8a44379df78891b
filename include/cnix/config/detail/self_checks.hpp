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
                (run(frame{&here, schema<Type>::keys[Member].view()},
                     schema<Type>::template member<Member>(value)),
                 ...);
            }(std::make_index_sequence<schema<Type>::size>{});
            if constexpr (self_checking<Type>) {
                text const base = path_of(here);
                if (misread<Type>(base)) return;
                checker found(source_, base, faults_);
                value.check(found);
            }
        }
    }

  private:
    /// Whether a value of the struct was not read: its checks would then judge a default in place of what was
    /// written.
    template <class Struct> constexpr bool misread(std::string_view base) const {
        for (std::size_t i = 0; i < read_faults_; ++i) {
            fault const& one = faults_[i];
            if (one.kind != fault_kind::type && one.kind != fault_kind::value) continue;
            if (!lies_under(one.path, base)) continue;
            if (one.path.size() == base.size()) return true;
            for (key_name const& key :
                 schema<Struct>::keys) // not a key of another struct that is read from the same object
                if (lies_under(one.path, join_paths(base, path(key.view())))) return true;
        }
        return false;
    }

    std::string_view source_;
    std::vector<fault>& faults_;
    std::size_t read_faults_;
};

} // namespace cnix::config::detail
