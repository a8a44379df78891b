#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/config/schema.hpp>
#include <cnix/net/address.hpp>
#include <cnix/net/mac.hpp>

#include <cctype>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace cnix::cni {

namespace detail {

/// Sets a member from a value of CNI_ARGS; returns why not.
template <class Member> std::string assign_arg(Member& member, std::string_view value) {
    if constexpr (std::same_as<Member, bool>) {
        std::string lower{value};
        for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        bool const yes = lower == "1" || lower == "true";
        if (!yes && lower != "0" && lower != "false")
            return "boolean unmarshal error: invalid input " + lower;
        member = yes;
        return {};
    } else if constexpr (std::same_as<Member, config::text> || std::same_as<Member, std::string>) {
        member = Member{value};
        return {};
    } else if constexpr (config::is_optional<Member>) {
        if constexpr (config::parsed_value<typename Member::value_type>) {
            using value_type = typename Member::value_type;
            if constexpr (config::empty_is_absent<value_type>)
                if (value.empty()) return member.reset(), std::string{};
            if (auto parsed = value_type::parse(value)) {
                member = std::move(parsed);
                return {};
            }
            if constexpr (std::same_as<value_type, net::address>)
                return "invalid IP address " + std::string{value};
            else if constexpr (requires {
                                   { value_type::invalid } -> std::convertible_to<std::string_view>;
                               })
                return std::string{std::string_view{value_type::invalid}}.append(" ").append(value);
            else
                return std::string{value} + " is not " + std::string{std::string_view{value_type::form}};
        } else {
            return assign_arg(member.emplace(), value);
        }
    } else {
        static_assert(config::parsed_value<Member>,
                      "cnix: a member of a cni_args struct is a bool, a config::text, a value "
                      "type with parse() and form, or std::optional of one of these");
        std::optional<Member> parsed;
        std::string fault = assign_arg(parsed, value);
        if (parsed) member = *std::move(parsed);
        return fault;
    }
}

/// Sets the member called `key`, if there is one; nothing if there is none, else why it could not be set.
template <class Struct>
std::optional<std::string> set_arg(Struct& target, std::string_view key, std::string_view value) {
    using schema = config::detail::schema<Struct>;
    std::optional<std::string> outcome;
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
        static_cast<void>(((schema::keys[Index].view() == key &&
                            (outcome = assign_arg(schema::template member<Index>(target), value), true)) ||
                           ...));
    }(std::make_index_sequence<schema::size>{});
    return outcome;
}

} // namespace detail

/// Reads CNI_ARGS, "KEY=VALUE;KEY2=VALUE2", into adapted structs whose members are named exactly as the keys;
/// a key that several have goes to each. IgnoreUnknown=1 (or true) lets keys pass that nobody has.
///
/// Returns what is wrong, in the words of containernetworking/cni; what is not wrong has been read all the
/// same.
template <class... Structs>
[[nodiscard]] std::vector<std::string> read_args(std::string_view args, Structs&... targets) {
    std::vector<std::string> faults;
    if (args.empty()) return faults;
    std::string unknown;
    bool ignore_unknown = false;
    for (std::size_t at = 0; at <= args.size();) {
        std::string_view const pair = args.substr(at, args.find(';', at) - at);
        at += pair.size() + 1;
        std::size_t const equals = pair.find('=');
        if (equals == pair.npos || pair.find('=', equals + 1) != pair.npos) {
            faults.push_back("ARGS: invalid pair " + quoted(pair));
            continue;
        }
        std::string_view const key = pair.substr(0, equals);
        std::string_view const value = pair.substr(equals + 1);
        bool known = false;
        std::string fault;
        auto const outcome = [&](std::optional<std::string> one) {
            known = known || one;
            if (one && fault.empty()) fault = *std::move(one);
        };
        if (key == "IgnoreUnknown") outcome(detail::assign_arg(ignore_unknown, value));
        (outcome(detail::set_arg(targets, key, value)), ...);
        if (!fault.empty())
            faults.push_back("ARGS: error parsing value of pair " + quoted(pair) + ": " + fault);
        if (!known) unknown.append(unknown.empty() ? "" : " ").append(quoted(pair));
    }
    if (!unknown.empty() && !ignore_unknown) faults.push_back("ARGS: unknown args [" + unknown + "]");
    return faults;
}

} // namespace cnix::cni
