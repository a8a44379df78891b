#pragma once
// Writes JSON byte for byte as Go's encoding/json does (json.MarshalIndent(v, "", "    ") and json.Marshal,
// Go 1.22 and later): runtimes and tests compare results as text. Keys come in the order they are written.

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::cni {

/// A builder: `w.begin_object().key("code").value(7).end_object(); w.str()`. A value must follow every key,
/// and every begin has its end; the caller sees to both.
class json_writer {
  public:
    enum class layout {
        indented, ///< four spaces a level, one member or element a line, `[]` and `{}` when empty
        compact,  ///< no space at all
    };
    explicit json_writer(layout how = layout::indented) : indented_(how == layout::indented) {}

    json_writer& begin_object() { return begin('{'); }
    json_writer& end_object() { return end('}'); }
    json_writer& begin_array() { return begin('['); }
    json_writer& end_array() { return end(']'); }

    json_writer& key(std::string_view name) {
        separate();
        append_string(name);
        return colon();
    }

    json_writer& value(std::string_view chars) {
        separate();
        append_string(chars);
        return *this;
    }
    json_writer& value(char const* chars) { return value(std::string_view(chars)); }
    json_writer& value(std::same_as<bool> auto truth) { return verbatim(truth ? "true" : "false"); }
    template <std::integral Integer>
        requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>)
    json_writer& value(Integer number) {
        char digits[24];
        auto const written = std::to_chars(digits, digits + sizeof digits, number);
        return verbatim({digits, static_cast<std::size_t>(written.ptr - digits)});
    }
    json_writer& null() { return verbatim("null"); }

    /// `key(name)` and `value(what)` in one.
    json_writer& member(std::string_view name, auto const& what) { return key(name).value(what); }

    /// A value that is JSON already (a slice of what a peer sent, whose syntax has been checked): laid out
    /// anew, otherwise kept.
    json_writer& raw(std::string_view json) {
        for (std::size_t at = 0; at < json.size();) {
            std::size_t const start = at++;
            switch (json[start]) {
            case '{':
                begin_object();
                break;
            case '[':
                begin_array();
                break;
            case '}':
                end_object();
                break;
            case ']':
                end_array();
                break;
            case ':':
                colon();
                break;
            case ',':
            case ' ':
            case '\t':
            case '\r':
            case '\n':
                break;
            case '"':
                while (at < json.size() && json[at] != '"') at += json[at] == '\\' ? 2 : 1;
                at = at < json.size() ? at + 1 : json.size();
                separate();
                append_raw_string(json.substr(start, at - start));
                break;
            default:
                at = json.find_first_of(",]} \t\r\n", start);
                if (at == std::string_view::npos) at = json.size();
                verbatim(json.substr(start, at - start));
            }
        }
        return *this;
    }

    /// Makes room for a text of so many bytes.
    void reserve(std::size_t bytes) { out_.reserve(bytes); }
    std::string const& str() const& { return out_; }
    std::string str() && { return std::move(out_); }

  private:
    json_writer& begin(char bracket) {
        separate();
        out_ += bracket;
        empty_.push_back(true);
        return *this;
    }
    json_writer& end(char bracket) {
        bool const empty = empty_.empty() || empty_.back();
        if (!empty_.empty()) empty_.pop_back();
        if (!empty) new_line();
        out_ += bracket;
        return *this;
    }
    json_writer& colon() {
        out_ += indented_ ? ": " : ":";
        after_key_ = true;
        return *this;
    }
    json_writer& verbatim(std::string_view token) {
        separate();
        out_ += token;
        return *this;
    }

    /// What stands between the value before and the next one.
    void separate() {
        if (std::exchange(after_key_, false) || empty_.empty()) return;
        if (!empty_.back()) out_ += ',';
        empty_.back() = false;
        new_line();
    }
    void new_line() {
        if (!indented_) return;
        out_ += '\n';
        out_.append(4 * empty_.size(), ' ');
    }

    void append_string(std::string_view chars) {
        out_ += '"';
        while (!chars.empty()) {
            auto const plain =
                static_cast<std::size_t>(std::ranges::find_if_not(chars, stands_for_itself) - chars.begin());
            out_ += chars.substr(0, plain);
            chars.remove_prefix(plain);
            if (!chars.empty()) chars.remove_prefix(append_character(chars));
        }
        out_ += '"';
    }
    /// A string with its quotes and escapes: only what Go escapes for HTML is escaped on top.
    void append_raw_string(std::string_view token) {
        while (!token.empty()) {
            std::size_t size = append_for_html(token);
            if (size == 0) {
                out_ += token[0];
                size = 1;
            }
            token.remove_prefix(size);
        }
    }

    static constexpr bool stands_for_itself(char byte) { return plain_[static_cast<unsigned char>(byte)]; }
    /// Appends the first character of `chars`; returns how many bytes it has.
    std::size_t append_character(std::string_view chars) {
        if (std::size_t const size = append_for_html(chars); size != 0) return size;
        unsigned char const byte = static_cast<unsigned char>(chars[0]);
        switch (byte) {
        case '"':
            return out_ += "\\\"", 1;
        case '\\':
            return out_ += "\\\\", 1;
        case '\b':
            return out_ += "\\b", 1;
        case '\f':
            return out_ += "\\f", 1;
        case '\n':
            return out_ += "\\n", 1;
        case '\r':
            return out_ += "\\r", 1;
        case '\t':
            return out_ += "\\t", 1;
        default:
            break;
        }
        if (byte < 0x20) return append_escape(byte), 1;
        std::size_t const size = utf8_size(chars);
        if (size == 0) return out_ += "\\ufffd", 1;
        out_ += chars.substr(0, size);
        return size;
    }
    /// What is escaped so that JSON can stand inside an HTML script; returns 0 for anything else.
    std::size_t append_for_html(std::string_view chars) {
        if (chars[0] == '<' || chars[0] == '>' || chars[0] == '&')
            return append_escape(static_cast<unsigned char>(chars[0])), 1;
        if (chars.substr(0, 3) == "\xE2\x80\xA8") return out_ += "\\u2028", 3;
        if (chars.substr(0, 3) == "\xE2\x80\xA9") return out_ += "\\u2029", 3;
        return 0;
    }
    void append_escape(unsigned char byte) {
        constexpr std::string_view hexadecimal = "0123456789abcdef";
        out_ += "\\u00";
        out_ += hexadecimal[byte >> 4U];
        out_ += hexadecimal[byte & 0xFU];
    }

    /// Length of the UTF-8 sequence that starts `chars`, 0 if it is none (Unicode 15, table 3-7).
    static std::size_t utf8_size(std::string_view chars) {
        auto const byte = [&](std::size_t i) {
            return i < chars.size() ? static_cast<unsigned char>(chars[i]) : 0U;
        };
        unsigned const lead = byte(0);
        if (lead < 0x80) return 1;
        std::size_t const size = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
        unsigned const low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        unsigned const high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (size == 0 || byte(1) < low || byte(1) > high) return 0;
        for (std::size_t i = 2; i < size; ++i)
            if ((byte(i) & 0xC0U) != 0x80) return 0;
        return size;
    }

    /// The characters that stand for themselves in a string.
    static constexpr std::array<bool, 256> plain_ = [] {
        std::array<bool, 256> all{};
        for (unsigned char byte = ' '; byte <= '~'; ++byte)
            all[byte] = std::string_view{"\"\\<>&"}.find(static_cast<char>(byte)) == std::string_view::npos;
        return all;
    }();

    bool indented_;
    bool after_key_ = false;
    std::vector<bool> empty_; // for every open container: nothing written into it yet
    std::string out_;
};

} // namespace cnix::cni
