#pragma once
#include <string>
#include <string_view>

namespace cnix::cni {

/// In double quotes, with what is not printable ASCII escaped as in Go's %q: the spelling of values in the
/// messages of containernetworking/cni. Bytes above 0x7f stay.
inline std::string quoted(std::string_view text) {
    static constexpr std::string_view escaped = "\a\b\t\n\v\f\r"; // 7 to 13
    std::string out{'"'};
    for (char const c : text) {
        auto const byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += {'\\', c};
        } else if (auto const at = escaped.find(c); at != escaped.npos) {
            out += {'\\', "abtnvfr"[at]};
        } else if (byte < 0x20 || byte == 0x7f) {
            out += {'\\', 'x', "0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
        } else {
            out += c;
        }
    }
    return out += '"';
}

/// A line for people that no word in it, which may be somebody else's, can end, or use to steer a terminal.
inline std::string one_line(std::string text) {
    for (char& byte : text)
        if (static_cast<unsigned char>(byte) < ' ' || byte == '\x7f') byte = '?';
    return text + '\n';
}

} // namespace cnix::cni
