#pragma once
#include <cnix/config/syntax.hpp>

#include <algorithm>
#include <string>
#include <string_view>

/// Words of others (the cloud's, the kernel's, names of files) as a terminal, the journal and systemd may have them.
namespace cnix::ipamd {

/// The text as UTF-8: U+FFFD stands for each byte that is none, and '?' for DEL, the controls beyond ASCII, and the line and
/// paragraph separators. ASCII's controls stay, for who quotes them.
inline std::string clean(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        auto const [code, size] = config::detail::decode_rune(text);
        bool const is_control = (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
        if (is_control)
            out += '?';
        else if (code == 0xfffd)
            out += "\xef\xbf\xbd";
        else
            out += text.substr(0, size);
        text.remove_prefix(size);
    }
    return out;
}

/// clean(), and '?' for ASCII's controls, too, but for the ends of lines: lines that steer no terminal.
inline std::string printable_lines(std::string_view text) {
    std::string out = clean(text);
    std::ranges::replace_if(out, [](unsigned char byte) { return byte < ' ' && byte != '\n'; }, '?');
    return out;
}

/// printable_lines() as one.
inline std::string printable(std::string_view text) {
    std::string out = printable_lines(text);
    std::ranges::replace(out, '\n', '?');
    return out;
}

/// printable(), but what was on several lines stays legible.
inline std::string one_line(std::string_view text) {
    std::string spaced;
    for (char const byte : text)
        if (byte == '\n')
            spaced += "; ";
        else
            spaced += byte == '\t' ? ' ' : byte;
    return printable(spaced);
}

} // namespace cnix::ipamd
