#pragma once
// From JSON that is known to be well formed into typed values, in one pass.

#include <cnix/config/fault.hpp>
#include <cnix/config/path.hpp>
#include <cnix/config/schema.hpp>
#include <cnix/config/suggest.hpp>
#include <cnix/config/syntax.hpp>
#include <cnix/config/text.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace cnix::config {

/// Most elements of one array. Bounds what a small text can make of large element types.
constexpr inline std::size_t max_elements = 65536;
/// Most members of one object with free keys. Keys are compared pairwise.
constexpr inline std::size_t max_entries = 1024;

enum class unknown_keys {
    ignore, ///< at run time: the CNI spec wants keys for others passed over
    fault,  ///< in the user's CI: a key nobody reads is a mistake; then a duplicate is one, too
};

struct options {
    unknown_keys unknown = unknown_keys::ignore;
};

constexpr inline options lenient{unknown_keys::ignore};
constexpr inline options strict{unknown_keys::fault};

namespace detail {

/// For a type that no other branch took. A concept, so that the compilers' notes name the type.
template <class Type>
concept readable = false;

template <class Type> constexpr inline bool is_map = false;
template <class Value> constexpr inline bool is_map<std::vector<entry<Value>>> = true;

template <class Type> constexpr inline bool is_object = adapted_struct<Type> || is_all_of<Type>;
template <class Type> constexpr inline bool is_object<std::optional<Type>> = is_object<Type>;

template <class Type> constexpr inline bool is_list = is_vector<Type> && !is_map<Type>;
template <class Type> constexpr inline bool is_list<std::optional<Type>> = is_list<Type>;

/// References to the structs that an object is read into; an empty optional gets a value.
template <class Type> constexpr auto parts_of(Type& target) {
    if constexpr (is_optional<Type>) {
        if (!target) target.emplace();
        return parts_of(*target);
    } else if constexpr (is_all_of<Type>) {
        return std::apply([](auto&... parts) { return std::tuple_cat(parts_of(parts)...); }, target.parts);
    } else {
        return std::tuple<Type&>(target);
    }
}

template <class Type> constexpr auto& list_of(Type& target) {
    if constexpr (is_optional<Type>)
        return target.emplace();
    else
        return target.clear(), target;
}

/// What an element is read into before it goes to its list: types without a default value start out absent.
template <class Type>
using element_slot = std::conditional_t<std::default_initializable<Type>, Type, std::optional<Type>>;

template <class Type> constexpr void keep(std::vector<Type>& list, element_slot<Type>& element) {
    if constexpr (std::default_initializable<Type>)
        list.push_back(std::move(element));
    else if (element)
        list.push_back(std::move(*element));
}

class reader {
  public:
    constexpr reader(std::string_view source, std::size_t start, options how, std::vector<fault>& faults)
        : source_(source), in_(source.data() + start, source.data() + source.size()),
          strict_(how.unknown == unknown_keys::fault), faults_(faults) {}

    /// Reads the value at the cursor into every target and steps over it. After a fault the targets keep what
    /// they had.
    template <class... Targets> constexpr void value(frame const& here, Targets&... targets) {
        if (in_.peek() == 'n') {
            (absent(targets), ...);
            in_.skip();
        } else if constexpr (sizeof...(Targets) > 1 && (std::same_as<Targets, raw> || ...)) {
            // The others are read together, so that a key of one is not unknown to the next.
            char const* const start = in_.at();
            std::string_view const slice = in_.skip();
            auto const rest = std::tuple_cat(unless_raw(targets, slice)...);
            if constexpr (std::tuple_size_v<decltype(rest)> != 0) {
                in_.go(start);
                std::apply([&](auto&... others) { value(here, others...); }, rest);
            }
        } else if constexpr ((is_object<Targets> && ...)) {
            if (in_.peek() != '{') return mismatch(here, "an object");
            if constexpr (sizeof...(Targets) == 1 && (adapted_struct<Targets> && ...)) // without tuples' cost
                object(here, targets...);
            else
                std::apply([&](auto&... parts) { object(here, parts...); },
                           std::tuple_cat(parts_of(targets)...));
        } else if constexpr ((is_list<Targets> && ...)) {
            if (in_.peek() != '[') return mismatch(here, "an array");
            list(here, list_of(targets)...);
        } else if constexpr (sizeof...(Targets) == 1) {
            (single(here, targets), ...);
        } else {
            char const* const start = in_.at();
            ((in_.go(start), value(here, targets)), ...);
        }
    }

  private:
    /// null: as if the key were not there. Only lists, maps and raw values, which Go can set to nil, forget
    /// an earlier duplicate.
    template <class Target> static constexpr void absent(Target& target) {
        if constexpr (is_vector<Target> || std::same_as<Target, raw>)
            target = {};
        else if constexpr (is_optional<Target>)
            if constexpr (is_vector<typename Target::value_type> ||
                          std::same_as<typename Target::value_type, raw>)
                target.reset();
    }

    template <class Target> static constexpr auto unless_raw(Target& target, std::string_view slice) {
        if constexpr (std::same_as<Target, raw>)
            return target.json = slice, std::tuple<>{};
        else
            return std::tuple<Target&>(target);
    }

    template <class Target> constexpr void single(frame const& here, Target& target) {
        if constexpr (is_optional<Target>)
            optional(here, target);
        else if constexpr (is_map<Target>)
            map(here, target);
        else if constexpr (std::same_as<Target, raw>)
            target.json = in_.skip();
        else if constexpr (std::same_as<Target, bool>)
            boolean(here, target);
        else if constexpr (std::integral<Target>)
            integer(here, target);
        else if constexpr (std::same_as<Target, text>) {
            if (in_.peek() != '"') return mismatch(here, "a string");
            text buffer;
            std::string_view const chars = in_.string(buffer);
            target = own(chars, buffer);
        } else if constexpr (parsed_value<Target>)
            parsed(here, target);
        else if constexpr (worded_enum<Target>)
            worded(here, target);
        else
            static_assert(readable<Target>,
                          "cnix: a configuration struct has a member of a type that the reader cannot read; "
                          "use one of the types of docs/writing-a-policy.md#what-every-policy-has");
    }

    template <class Value> constexpr void optional(frame const& here, std::optional<Value>& target) {
        if constexpr (parsed_value<Value>) { // may have no default value
            parsed(here, target);
        } else {
            Value fresh{};
            std::size_t const before = faults_.size();
            single(here, fresh);
            if (faults_.size() == before) target = std::move(fresh);
        }
    }

    constexpr void boolean(frame const& here, bool& target) {
        if (in_.peek() != 't' && in_.peek() != 'f') return mismatch(here, "a boolean");
        target = in_.peek() == 't';
        in_.skip();
    }

    template <class Integer> constexpr void integer(frame const& here, Integer& target) {
        char const* const start = in_.at();
        if (type_of(in_.peek()) != "a number") return mismatch(here, "an integer");
        std::string_view const literal = in_.skip();
        bool const negative = literal[0] == '-';
        std::uint64_t magnitude = 0;
        bool fits = true;
        for (char const byte : literal.substr(negative ? 1 : 0)) {
            if (byte < '0' || byte > '9')
                return add(fault_kind::type, start, here,
                           concat("expected an integer, found `", shown(literal),
                                  "`, written with a fraction or exponent"));
            std::uint64_t const digit = static_cast<std::uint64_t>(byte - '0');
            if (magnitude > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) fits = false;
            magnitude = magnitude * 10 + digit;
        }
        using bounds = std::numeric_limits<Integer>;
        // the lowest number's magnitude, without overflow on the way
        std::uint64_t const lowest =
            bounds::min() < 0 ? static_cast<std::uint64_t>(-(bounds::min() + 1)) + 1 : 0;
        if (!fits || magnitude > (negative ? lowest : static_cast<std::uint64_t>(bounds::max())))
            return add(fault_kind::value, start, here,
                       concat('`', shown(literal), "` is out of range; it must be from ", bounds::min(),
                              " to ", bounds::max()));
        target = static_cast<Integer>(negative ? 0 - magnitude : magnitude);
    }

    /// What cursor::string returned, as a text. (Not a conditional expression: GCC 12 destroys its temporaries
    /// twice in a constant evaluation.)
    static constexpr text own(std::string_view chars, text& buffer) {
        if (buffer.empty()) return chars;
        return std::move(buffer);
    }

    template <class Target> // a parsed_value, or an optional of one
    constexpr void parsed(frame const& here, Target& target) {
        if (in_.peek() != '"') return mismatch(here, "a string");
        char const* const start = in_.at();
        text buffer;
        std::string_view const chars = in_.string(buffer);
        using value_type = typename decltype([] {
            if constexpr (is_optional<Target>)
                return Target{};
            else
                return std::optional<Target>{};
        }())::value_type;
        if constexpr (is_optional<Target> && empty_is_absent<value_type>)
            if (chars.empty()) return target.reset();
        if (auto made = value_type::parse(chars))
            target = *std::move(made);
        else
            add(fault_kind::value, start, here,
                concat('`', shown(chars), "` is not ", std::string_view(value_type::form)));
    }

    template <class Enum> constexpr void worded(frame const& here, Enum& target) {
        if (in_.peek() != '"') return mismatch(here, "a string");
        char const* const start = in_.at();
        text buffer;
        std::string_view const chars = in_.string(buffer);
        auto const words = json_words(Enum{});
        text message = concat('`', shown(chars), "` is none of");
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (words[i].text == chars) return void(target = words[i].value);
            message.append(concat(i == 0 ? " `" : ", `", words[i].text, '`'));
        }
        add(fault_kind::value, start, here, std::move(message));
    }

    template <class Value> constexpr void map(frame const& here, std::vector<entry<Value>>& target) {
        if (in_.peek() != '{') return mismatch(here, "an object");
        bool full = false;
        while (in_.next()) {
            char const* const key_at = in_.at();
            text buffer;
            std::string_view const chars = in_.string(buffer);
            text const key = own(chars, buffer);
            in_.colon();
            std::size_t at = 0;
            while (at != target.size() && target[at].key != key) ++at;
            if (at != target.size() && strict_) duplicate(here, key_at, key);
            if (at == max_entries) {
                if (!full)
                    add(fault_kind::value, key_at, here, concat("more than ", max_entries, " members"));
                full = true;
                in_.skip();
            } else {
                entry<Value> fresh{key, {}};
                value(frame{&here, key}, fresh.value);
                if (at == target.size())
                    target.push_back(std::move(fresh));
                else
                    target[at] = std::move(fresh);
            }
            in_.space();
        }
    }

    template <class... Values> constexpr void list(frame const& here, std::vector<Values>&... lists) {
        char const* const start = in_.at();
        for (std::size_t index = 0; in_.next(); ++index) {
            if (index == max_elements)
                add(fault_kind::value, start, here, concat("more than ", max_elements, " elements"));
            if (index >= max_elements) {
                in_.skip();
            } else {
                frame const inner{&here, {}, index};
                if constexpr (sizeof...(Values) == 1) { // without tuples' cost
                    (element(inner, lists), ...);
                } else {
                    std::tuple<element_slot<Values>...> elements{};
                    std::apply([&](auto&... slots) { value(inner, slots...); }, elements);
                    std::apply([&](auto&... slots) { (keep(lists, slots), ...); }, elements);
                }
            }
            in_.space();
        }
    }

    template <class Value> constexpr void element(frame const& inner, std::vector<Value>& list) {
        element_slot<Value> slot{};
        value(inner, slot);
        keep(list, slot);
    }

    template <class... Parts> constexpr void object(frame const& here, Parts&... parts) {
        using fields = layout<std::remove_const_t<Parts>...>;
        std::tuple<Parts&...> const targets(parts...);
        bool seen[fields::size + 1]{};
        while (in_.next()) {
            char const* const key_at = in_.at();
            text buffer;
            std::string_view const key = in_.string(buffer);
            in_.colon();
            std::size_t const found = find_key(fields::keys.data(), fields::size, key);
            if (found == fields::size) {
                if (strict_ && (!fields::open || fields::misspelt))
                    unknown(here, key_at, key, fields::keys.data(), fields::size, fields::open);
                in_.skip();
            } else {
                if (strict_ && seen[found]) duplicate(here, key_at, key);
                seen[found] = true;
                member<fields>(here, found, targets, std::make_index_sequence<fields::size>{});
            }
            in_.space();
        }
    }

    template <class Fields, class Targets, std::size_t... Index>
    constexpr void member(frame const& here, std::size_t found, Targets const& targets,
                          std::index_sequence<Index...>) {
        [[maybe_unused]] frame const inner{&here, Fields::keys[found].view()};
        static_cast<void>(((found == Index && (sharers<Fields, Index>(inner, targets), true)) || ...));
    }

    /// Reads the value into every member that has the key of member `First`.
    template <class Fields, std::size_t First, class Targets>
    constexpr void sharers(frame const& inner, Targets const& targets) {
        constexpr auto places = Fields::template shared<First>;
        [&]<std::size_t... Sharer>(std::index_sequence<Sharer...>) {
            if constexpr (sizeof...(Sharer) != 0)
                value(inner, member_at<places[Sharer].part, places[Sharer].member>(targets)...);
        }(std::make_index_sequence<places.size()>{});
    }

    template <std::size_t Part, std::size_t Member, class Targets>
    static constexpr auto& member_at(Targets const& targets) {
        auto& part = std::get<Part>(targets);
        return schema<std::remove_reference_t<decltype(part)>>::template member<Member>(part);
    }

    constexpr void mismatch(frame const& here, std::string_view expected) {
        char const* const start = in_.at();
        in_.skip();
        add(fault_kind::type, start, here, concat("expected ", expected, ", found ", type_of(*start)));
    }
    constexpr void duplicate(frame const& here, char const* at, std::string_view key) {
        add(fault_kind::duplicate_key, at, here, concat("duplicate key `", shown(key), '`'));
    }
    constexpr void unknown(frame const& here, char const* at, std::string_view key, key_name const* names,
                           std::size_t size, bool open) {
        if (faults_.size() >= max_faults) return;
        text message = concat("unknown key `", shown(key), '`');
        std::string_view const meant = nearest(names, size, key);
        if (open && meant.empty()) return;
        if (!meant.empty()) message.append(concat(", did you mean `", meant, "`?"));
        add(fault_kind::unknown_key, at, here, std::move(message));
    }
    constexpr void add(fault_kind kind, char const* at, frame const& here, text message) {
        if (faults_.size() >= max_faults) return;
        std::size_t const offset = static_cast<std::size_t>(at - source_.data());
        for (fault const& one : faults_) // two structs that declare the same key find the same fault
            if (one.offset == offset && one.message == message) return;
        faults_.push_back({kind, offset, {}, path_of(here), std::move(message)});
    }

    std::string_view source_;
    cursor in_;
    bool strict_;
    std::vector<fault>& faults_;
};

#ifdef CNIX_PREBUILT // these are not compiled again for each composition
extern template void reader::integer(frame const&, int&);
extern template void reader::integer(frame const&, unsigned&);
extern template void reader::integer(frame const&, long&);
extern template void reader::integer(frame const&, unsigned char&);
extern template void reader::map(frame const&, std::vector<entry<bool>>&);
extern template void reader::map(frame const&, std::vector<entry<text>>&);
extern template void reader::list(frame const&, std::vector<text>&);
#endif

} // namespace detail
} // namespace cnix::config
