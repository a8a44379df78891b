#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/cni/version.hpp>

#include <array>
#include <charconv>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cnix::cni {

namespace detail {

/// A version's numbers, read as loosely as containernetworking/cni reads them where it only compares: "1" and
/// "01.0" are 1.0.0. Throws cni::error of code 6 with its text.
inline std::array<std::int64_t, 3> version_numbers(std::string_view text) {
    static constexpr std::array<char const*, 3> parts{"major", "minor", "micro"};
    std::array<std::int64_t, 3> numbers{};
    std::string_view rest = text;
    for (std::size_t i = 0;; ++i) {
        if (i == numbers.size())
            throw error{code::decoding_failure, "invalid version " + quoted(text) + ": too many parts"};
        std::string_view part = rest.substr(0, rest.find('.'));
        std::string_view const digits = part.substr(part.starts_with('+') && !part.starts_with("+-") ? 1 : 0);
        auto const [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), numbers[i]);
        if (fault != std::errc{} || end != digits.data() + digits.size())
            throw error{
                code::decoding_failure,
                std::string{"failed to convert "} + parts[i] + " version part " + quoted(part) +
                    ": strconv.Atoi: parsing " + quoted(part) + ": " +
                    (fault == std::errc::result_out_of_range ? "value out of range" : "invalid syntax")};
        if (part.size() == rest.size()) return numbers;
        rest.remove_prefix(part.size() + 1);
    }
}

} // namespace detail

/// The version of a configuration whose `cniVersion` is `text`, for a verb. Throws cni::error with the codes
/// and texts of containernetworking/cni.
inline version check_version(std::string_view text, verb v) {
    if (first_with(v) > version::v0_1_0) { // compared as numbers before it must be one of ours
        auto const numbers = detail::version_numbers(text.empty() ? version{}.text() : text);
        std::string const verb_text{cni::text(v)};
        if (numbers < detail::version_numbers(first_with(v)))
            throw error{code::incompatible_version, "config version does not allow " + verb_text};
        if (numbers > detail::version_numbers(version::v1_1_0))
            throw error{code::incompatible_version, "plugin version does not allow " + verb_text};
    }
    if (auto const known = version::parse(text)) return *known;
    throw error{code::incompatible_version, "incompatible CNI versions",
                "config is " + quoted(text) + ", plugin supports " +
                    detail::join_versions("[\"", "\" \"", "\"]")};
}

} // namespace cnix::cni
