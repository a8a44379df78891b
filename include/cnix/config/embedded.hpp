#pragma once
// A configuration judged by the compiler: a fault becomes a compile error that carries its own text.
//
//     constexpr auto verdict = cnix::config::judge<schema>(text, "dbnet.conflist");
//     static_assert(cnix::config::accepted<verdict>);
//
// prints, on one line, `embedded_config_rejected` and `cnix: dbnet.conflist:8:7: $.plugins[0]: unknown key
// ...`. Until static_assert takes computed text (C++26), each compiler prints a string in one place only: GCC
// as the argument of an incomplete class, clang as the argument of a concept that a static_assert names.

#include <cnix/config/fault.hpp>
#include <cnix/config/read.hpp>
#include <cnix/config/text.hpp>

#include <concepts>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::config {

/// What the compiler found. A constant of it must have static storage to be given to `accepted`.
struct verdict {
    static constexpr std::size_t capacity = 480; ///< bytes of message; faults that do not fit are counted
    std::size_t size = 0;
    char message[capacity]{};

    constexpr bool ok() const { return size == 0; }
    constexpr std::string_view view() const { return {message, size}; }
};

/// Turns faults, of the reader or of anyone with a `checker`, to a verdict. `file` is the name shown before
/// line and column.
constexpr verdict judge(std::vector<fault> const& faults, std::string_view file = {}) {
    verdict result;
    if (faults.empty()) return result;
    constexpr std::size_t spare = 24; // for "; and 63 more faults"
    text message = "cnix: ";
    std::size_t told = 0;
    for (fault const& one : faults) {
        text const next = concat(told == 0 ? "" : "; ", file, file.empty() ? "" : ":", to_string(one));
        if (told != 0 && message.size() + next.size() > verdict::capacity - spare) break;
        message.append(next);
        ++told;
    }
    std::size_t const left = faults.size() - told;
    std::string_view shown = message.view().substr(0, verdict::capacity - spare);
    text whole = shown;
    if (left != 0) whole.append(concat("; and ", left, left == 1 ? " more fault" : " more faults"));
    for (char const byte : whole.view()) { // clang prints a string with any byte outside ASCII as numbers
        unsigned char const code = static_cast<unsigned char>(byte);
        if (code < 0x80)
            result.message[result.size++] = byte;
        else if (code >= 0xC0)
            result.message[result.size++] = '?';
    }
    return result;
}

/// A verdict for each fault, so that the compiler reports them one by one.
struct verdicts {
    std::size_t size = 0;
    verdict each[max_faults]{};

    constexpr bool ok() const { return size == 0; }
};

/// As judge(), for each fault.
constexpr verdicts judge_each(std::vector<fault> const& faults, std::string_view file = {}) {
    verdicts result;
    for (fault const& one : faults) result.each[result.size++] = judge(std::vector<fault>{one}, file);
    return result;
}

/// Reads `source` strictly, as a Type, and judges it.
template <class Type> consteval verdict judge(std::string_view source, std::string_view file = {}) {
    return judge(read<Type>(source, strict).faults, file);
}

namespace detail {

/// A string as a template argument.
template <std::size_t Size> struct fixed_string {
    char value[Size]{};
};

template <auto const& Verdict> consteval auto packed() {
    fixed_string<Verdict.size + 1> all;
    for (std::size_t i = 0; i < Verdict.size; ++i) all.value[i] = Verdict.message[i];
    // Written though it is zero already: clang keeps as many elements as were written, rounded up to a power
    // of two, and prints numbers unless the last of these is the terminator.
    all.value[Verdict.size] = '\0';
    return all;
}

template <auto const& Verdict, bool = Verdict.ok()> struct accept {
    static constexpr bool value = true;
};

#if defined(__cpp_static_assert) && __cpp_static_assert >= 202306L

template <auto const& Verdict> struct accept<Verdict, false> {
    static constexpr bool embedded_config_rejected = true;
    static_assert(!embedded_config_rejected, Verdict.view());
    static constexpr bool value = true;
};

#elif defined(__clang__)

template <fixed_string Why> inline constexpr bool embedded_config_rejected = false;
template <fixed_string Why>
concept embedded_config_accepted = embedded_config_rejected<Why>;
template <auto const& Verdict> struct accept<Verdict, false> {
    static_assert(embedded_config_accepted<packed<Verdict>()>,
                  "cnix: the embedded configuration does not fit the plugin's schema");
    static constexpr bool value = true; // the error above is enough
};

#else

template <fixed_string Why> struct embedded_config_rejected;
template <auto const& Verdict> struct accept<Verdict, false> : embedded_config_rejected<packed<Verdict>()> {
    static constexpr bool value = true; // the error above is enough
};

#endif

template <auto const& Verdicts, std::size_t Index> struct verdict_of {
    static constexpr verdict value = Verdicts.each[Index];
};

template <auto const& Verdicts> consteval bool accept_each() {
    return []<std::size_t... Index>(std::index_sequence<Index...>) {
        return (accept<verdict_of<Verdicts, Index>::value>::value && ...);
    }(std::make_index_sequence<Verdicts.size>{});
}

} // namespace detail

/// True for a verdict without a fault; for another one a compile error with its text, wherever it is named.
template <auto const& Verdict> constexpr inline bool accepted = detail::accept<Verdict>::value;
/// The same, with an error for each of several verdicts.
template <auto const& Verdicts>
    requires std::same_as<decltype(Verdicts), verdicts const&>
constexpr inline bool accepted<Verdicts> = detail::accept_each<Verdicts>();

} // namespace cnix::config
