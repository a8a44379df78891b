#pragma once
// What is wrong with a configuration, and where.

#include <cnix/config/text.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace cnix::config {

/// Faults kept of one document. A document with more is wrong beyond repair by list; the bound keeps hostile
/// input cheap.
constexpr inline std::size_t max_faults = 64;

/// What a fault is one of.
enum class fault_kind {
    syntax,        ///< not JSON, longer than max_size, or nested deeper than max_depth
    type,          ///< another JSON type than the key takes
    value,         ///< right type, but out of range or unparsable
    check,         ///< read, but refused by a check of its struct or of the composition
    unknown_key,   ///< a key that no struct declares (strict reading only)
    duplicate_key, ///< a key given twice in one object (strict reading only)
};

/// A place in a text: both count from 1; columns are code points, so they are those an editor shows.
struct position {
    std::size_t line = 1;
    std::size_t column = 1;
    friend constexpr bool operator==(position, position) = default;
};

/// What is wrong with a document, at one place of it.
struct fault {
    fault_kind kind = fault_kind::value;
    std::size_t offset = 0; ///< bytes into the source
    position at;            ///< the same place as line and column
    text path;    ///< of the value, from `$`; of the enclosing object for a key; empty for a syntax fault
    text message; ///< without place and path
};

/// Moves `from`, which is the position of `begin`, on to `offset`.
constexpr position advance(position from, std::string_view source, std::size_t begin, std::size_t offset) {
    char const* const stop = source.data() + (offset < source.size() ? offset : source.size());
    for (char const* at = source.data() + begin; at < stop; ++at) // one statement a byte: see syntax.hpp
        *at == '\n' ? (++from.line, from.column = 1)
                    : from.column += (static_cast<unsigned char>(*at) & 0xC0U) != 0x80U;
    return from;
}

/// Line and column of a byte; of the end for an offset beyond it.
constexpr position position_of(std::string_view source, std::size_t offset) {
    return advance({}, source, 0, offset);
}

namespace detail {
/// A byte of the document's own as a terminal may have it: '?' for a control character.
constexpr char printable(char byte) {
    unsigned char const code = static_cast<unsigned char>(byte);
    return code < 0x20 || code == 0x7F ? '?' : byte;
}
} // namespace detail

/// `8:7: $.plugins[0]: unknown key `isGatway`, did you mean `isGateway`?`
constexpr text to_string(fault const& one) {
    text out = concat(one.at.line, ':', one.at.column, ": ");
    for (char const byte : one.path.view()) out.append(detail::printable(byte));
    if (!one.path.empty()) out.append(": ");
    return out.append(one.message.view());
}

/// All faults, one a line, no newline at the end.
constexpr text to_string(std::vector<fault> const& faults) {
    text out;
    for (fault const& one : faults) {
        if (!out.empty()) out.append('\n');
        out.append(to_string(one));
    }
    return out;
}

namespace detail {

/// Orders faults by their place and fills in line and column, in one walk over the source.
constexpr void place(std::vector<fault>& faults, std::string_view source) {
    for (std::size_t i = 1; i < faults.size();
         ++i) // std::stable_sort is not constexpr; there are at most max_faults
        for (std::size_t j = i; j != 0 && faults[j].offset < faults[j - 1].offset; --j)
            std::swap(faults[j], faults[j - 1]);
    position at;
    std::size_t offset = 0;
    for (fault& one : faults) {
        at = advance(at, source, offset, one.offset);
        offset = one.offset;
        one.at = at;
    }
}

/// A part of the source as shown in a message: cut at 48 bytes, control characters replaced.
constexpr text shown(std::string_view bytes) {
    constexpr std::size_t limit = 48;
    text out;
    std::size_t size = bytes.size();
    if (size > limit) {
        size = limit;
        while (size != 0 && (static_cast<unsigned char>(bytes[size]) & 0xC0U) == 0x80U) --size;
    }
    for (char const byte : bytes.substr(0, size)) out.append(printable(byte));
    if (size != bytes.size()) out.append("...");
    return out;
}

} // namespace detail
} // namespace cnix::config
