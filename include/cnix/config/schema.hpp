#pragma once
// How a C++ type says what JSON it is read from. Structs are adapted with BOOST_HANA_ADAPT_STRUCT (narrow
// headers of Hana).

#include <cnix/config/text.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/adapt_struct.hpp>
#include <boost/hana/at.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/length.hpp>
#include <boost/hana/second.hpp>
#include <boost/hana/string.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/preprocessor/seq/enum.hpp>
#include <boost/preprocessor/seq/transform.hpp>
#include <boost/preprocessor/stringize.hpp>
#include <boost/preprocessor/variadic/to_seq.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// Adapts the members of a struct template, inside it, as BOOST_HANA_ADAPT_STRUCT does outside for a struct:
/// `template <class Ipam> struct slots { std::optional<Ipam> ipam; CNIX_CONFIG_MEMBERS(slots, ipam); };`
#define CNIX_CONFIG_MEMBERS(STRUCT, ...)                                                                     \
    struct hana_accessors_impl {                                                                             \
        static constexpr auto apply() {                                                                      \
            return ::boost::hana::make_tuple(BOOST_PP_SEQ_ENUM(BOOST_PP_SEQ_TRANSFORM(                       \
                CNIX_CONFIG_DETAIL_MEMBER, STRUCT, BOOST_PP_VARIADIC_TO_SEQ(__VA_ARGS__))));                 \
        }                                                                                                    \
    }
#define CNIX_CONFIG_DETAIL_MEMBER(R, STRUCT, NAME)                                                           \
    ::boost::hana::make_pair(BOOST_HANA_STRING(                                                              \
        BOOST_PP_STRINGIZE(NAME)),                                                                           \
        ::boost::hana::struct_detail::member_ptr<decltype(&STRUCT::NAME), &STRUCT::NAME>{})

namespace cnix::config {

/// A JSON key that is not the member's name. A struct lists such members in a static member:
/// `static constexpr std::array json_keys{cnix::config::renamed{"valid_attachments",
/// "cni.dev/valid-attachments"}};`
struct renamed {
    std::string_view member;
    std::string_view key;
};

/// A value of an enum as the JSON string it is read from, in the case given here. An enum lists them in a
/// function beside it: `constexpr auto json_words(backend) { return std::array{cnix::config::word{"nftables",
/// backend::nftables}, ...}; }`
template <class Enum> struct word {
    std::string_view text;
    Enum value;
};
template <class Enum> word(char const*, Enum) -> word<Enum>;

/// Several structs read from one JSON object. A key that two of them declare goes to both; an object under
/// such a key is read into both members in the same way, so that two policies can each declare their part of
/// `runtimeConfig`.
template <class... Structs> struct all_of {
    std::tuple<Structs...> parts;
};

/// The part of that type.
template <class Struct, class... Structs> constexpr Struct& get(all_of<Structs...>& all) {
    return std::get<Struct>(all.parts);
}
/// The part of that type.
template <class Struct, class... Structs> constexpr Struct const& get(all_of<Structs...> const& all) {
    return std::get<Struct>(all.parts);
}

/// Which of the templates a member's type is of.
/// @{
template <class Type> constexpr inline bool is_optional = false;
template <class Value> constexpr inline bool is_optional<std::optional<Value>> = true;
template <class Type> constexpr inline bool is_vector = false;
template <class Value> constexpr inline bool is_vector<std::vector<Value>> = true;
template <class Type> constexpr inline bool is_entry = false;
template <class Value> constexpr inline bool is_entry<entry<Value>> = true;
template <class Type> constexpr inline bool is_all_of = false;
template <class... Structs> constexpr inline bool is_all_of<all_of<Structs...>> = true;
/// @}

/// A struct with adapted members.
template <class Type>
concept adapted_struct = boost::hana::Struct<Type>::value;

/// A value read from a JSON string. `form` completes "... is not": `an IP prefix such as 10.1.0.0/16`.
template <class Type>
concept parsed_value = requires(std::string_view chars) {
    { Type::parse(chars) } -> std::same_as<std::optional<Type>>;
    { Type::form } -> std::convertible_to<std::string_view>;
};

/// A parsed_value of which "" is none at all, where it is optional.
template <class Type>
concept empty_is_absent = parsed_value<Type> && requires { requires Type::empty_is_absent; };

/// An enum with a list of words.
template <class Type>
concept worded_enum = std::is_enum_v<Type> && requires(Type value) {
    { json_words(value)[0].text } -> std::convertible_to<std::string_view>;
    { json_words(value)[0].value } -> std::convertible_to<Type>;
};

namespace detail {

struct key_name {
    char const* data;
    std::size_t size;
    constexpr std::string_view view() const { return {data, size}; }
};

/// Names of the members of an adapted struct.
template <class Accessors, std::size_t... Index> constexpr auto member_names(std::index_sequence<Index...>) {
    [[maybe_unused]] auto const name = []<class Pair>(std::type_identity<Pair>) {
        std::string_view const chars(
            std::remove_cvref_t<decltype(boost::hana::first(std::declval<Pair>()))>::c_str());
        return key_name{chars.data(), chars.size()};
    };
    return std::array<key_name, sizeof...(Index)>{
        name(std::type_identity<
             std::remove_cvref_t<decltype(boost::hana::at_c<Index>(std::declval<Accessors>()))>>{})...};
}

/// Initialises a member of any type; never called. (Defined, for clang warns of a function that is not where the type is one
/// source's own.)
struct any_member {
    template <class Member> operator Member&() const { std::abort(); }
};
template <class Struct, std::size_t... Index> consteval bool initialised_by(std::index_sequence<Index...>) {
    return requires { Struct{(static_cast<void>(Index), any_member{})...}; };
}
/// Whether an aggregate has this many members. (Boost.PFR counts them, which costs more than all else here.)
template <class Struct, std::size_t Count>
constexpr inline bool has_members = initialised_by<Struct>(std::make_index_sequence<Count>{}) &&
                                    !initialised_by<Struct>(std::make_index_sequence<Count + 1>{});
template <class Struct, std::size_t Listed>
concept complete = has_members<Struct, Listed>;

/// A function, since clang has no use any more for a class with a failed assertion, and would say so.
template <class Struct, std::size_t Listed> auto every_member_is_listed() {
    static_assert(complete<Struct, Listed>,
                  "cnix: a member of this struct is missing in its BOOST_HANA_ADAPT_STRUCT (or "
                  "CNIX_CONFIG_MEMBERS), so its key "
                  "would never be read; list every member; docs/design/config.md");
}

/// The one seam to the reflection library: keys, types and members of an adapted struct.
template <adapted_struct Struct> struct schema {
    using accessors = decltype(boost::hana::accessors<Struct>());
    static constexpr std::size_t size = decltype(boost::hana::length(std::declval<accessors>()))::value;
    using checked = decltype(every_member_is_listed<Struct, size>());

    template <std::size_t Index>
    using pair = std::remove_cvref_t<decltype(boost::hana::at_c<Index>(std::declval<accessors>()))>;
    template <std::size_t Index> static constexpr auto& member(Struct& object) {
        return std::remove_cvref_t<decltype(boost::hana::second(std::declval<pair<Index>>()))>{}(object);
    }
    template <std::size_t Index> static constexpr auto const& member(Struct const& object) {
        return std::remove_cvref_t<decltype(boost::hana::second(std::declval<pair<Index>>()))>{}(object);
    }

    static constexpr std::array<key_name, size> names =
        member_names<accessors>(std::make_index_sequence<size>{});
    static constexpr std::array<key_name, size> keys = [] {
        std::array<key_name, size> all = names;
        if constexpr (requires { Struct::json_keys; })
            for (renamed const& one : Struct::json_keys)
                for (std::size_t i = 0; i < size; ++i)
                    if (names[i].view() == one.member) all[i] = {one.key.data(), one.key.size()};
        return all;
    }();
    static_assert(
        [] {
            if constexpr (requires { Struct::json_keys; })
                for (renamed const& one : Struct::json_keys) {
                    bool found = false;
                    for (key_name const& name : names) found = found || name.view() == one.member;
                    if (!found) return false;
                }
            return true;
        }(),
        "cnix: `json_keys` renames a member that this struct does not have; docs/design/config.md");
};

template <class Struct>
concept is_open = requires { requires Struct::open; };
template <class Struct>
concept minds_misspelt = requires { requires Struct::misspelt; };

/// The keys of several structs that are read from one object, first all of the first struct's.
template <class... Structs> struct layout {
    static constexpr std::size_t size = (schema<Structs>::size + ... + 0);

    struct place {
        std::size_t part;
        std::size_t member;
    };
    static constexpr std::array<place, size> places = [] {
        std::array<place, size> all{};
        std::size_t const sizes[]{schema<Structs>::size..., 0};
        std::size_t at = 0;
        for (std::size_t part = 0; part < sizeof...(Structs); ++part)
            for (std::size_t member = 0; member < sizes[part]; ++member) all[at++] = {part, member};
        return all;
    }();
    static constexpr std::array<key_name, size> keys = [] {
        std::array<key_name, size> all{};
        std::size_t at = 0;
        (([&] {
             for (key_name const& key : schema<Structs>::keys) all[at++] = key;
         }()),
         ...);
        return all;
    }();

    /// A struct may accept keys it does not declare also in strict reading: `static constexpr bool open =
    /// true;`
    static constexpr bool open = (is_open<Structs> || ...);

    /// And it may take those of others for what they are, but not one that is nearly its own:
    /// `static constexpr bool misspelt = true;`
    static constexpr bool misspelt = (minds_misspelt<Structs> || ...);

    /// How many members have the key of member `First`; 0 if an earlier member has it, too.
    template <std::size_t First>
    static constexpr std::size_t sharers = [] {
        std::size_t count = 0;
        for (std::size_t i = 0; i < size; ++i)
            if (keys[i].view() == keys[First].view()) {
                if (i < First) return std::size_t{0};
                ++count;
            }
        return count;
    }();
    /// Those members.
    template <std::size_t First>
    static constexpr std::array<place, sharers<First>> shared = [] {
        std::array<place, sharers<First>> all{};
        std::size_t at = 0;
        for (std::size_t i = First; i < size && at < all.size(); ++i)
            if (keys[i].view() == keys[First].view()) all[at++] = places[i];
        return all;
    }();
};

constexpr char lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
}

/// Whether a key of the document names a field, as Go folds case: ASCII letters, and the two characters
/// outside ASCII whose simple folding is an ASCII letter (U+017F for s, U+212A for k).
constexpr bool same_folded(std::string_view key, key_name name) {
    auto const lower = [](char byte) {
        return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
    };
    std::size_t at = 0;
    for (std::size_t i = 0; i < name.size; ++i) {
        char const expected = lower(name.data[i]);
        if (at < key.size() && lower(key[at]) == expected)
            ++at;
        else if (expected == 's' && key.substr(at, 2) == "\xC5\xBF")
            at += 2;
        else if (expected == 'k' && key.substr(at, 3) == "\xE2\x84\xAA")
            at += 3;
        else
            return false;
    }
    return at == key.size();
}

constexpr bool same_bytes(char const* left, char const* right, std::size_t size) {
    std::size_t same = 0;
    while (same != size && left[same] == right[same]) ++same;
    return same == size;
}

/// Index of the first name that a key of the document stands for, `size` if there is none. An exact match is
/// preferred.
constexpr std::size_t find_key(key_name const* names, std::size_t size, std::string_view key) {
    char const* const data = key.data();
    std::size_t const length = key.size();
    std::size_t at = 0;
    while (at != size && (names[at].size != length || !same_bytes(names[at].data, data, length))) ++at;
    if (at != size) return at;
    at = 0;
    while (at != size && !same_folded(key, names[at])) ++at;
    return at;
}

} // namespace detail
} // namespace cnix::config
