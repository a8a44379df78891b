#pragma once
// JSON as text: whether a text is a document, and walking over one that is. Accepts what Go's encoding/json
// accepts (RFC 8259 without a byte order mark), within max_size and max_depth.

#include <cnix/config/text.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cnix::config {

/// Longest document read, in bytes. A network configuration has some 1 KB, a prevResult or 10,000 valid
/// attachments up to 1 MB.
constexpr inline std::size_t max_size = std::size_t{4} << 20;
/// Deepest nesting of objects and arrays. The deepest thing CNI defines, a range in a conflist, needs 7.
constexpr inline unsigned max_depth = 32;

namespace detail {

struct syntax_fault {
    std::size_t offset;
    std::string_view message;
};

/// Decides whether a text is one JSON document. No recursion, no allocation; written with few statements a
/// byte, because clang bounds the statements of a constant evaluation (-fconstexpr-steps).
class grammar {
  public:
    constexpr explicit grammar(std::string_view source)
        : begin_(source.data()), at_(source.data()), end_(source.data() + source.size()) {}

    constexpr std::optional<syntax_fault> verdict() {
        if (static_cast<std::size_t>(end_ - begin_) > max_size)
            return syntax_fault{max_size, "the text is longer than 4 MiB"};
        if (end_ - begin_ >= 3 && begin_[0] == '\xef' && begin_[1] == '\xbb' && begin_[2] == '\xbf')
            return syntax_fault{0,
                                "a byte order mark, which JSON has not; save the file as UTF-8 without it"};
        if (document()) return std::nullopt;
        return syntax_fault{static_cast<std::size_t>(at_ - begin_), why_};
    }

  private:
    constexpr bool document() {
        std::uint64_t objects = 0; // bit n: the container n levels up is an object, not an array
        unsigned depth = 0;
        for (;;) { // once for every value
            space();
            if (at_ == end_) return fail("the text ends where a value is expected");
            if (*at_ == '{' || *at_ == '[') {
                if (depth == max_depth) return fail("nested deeper than 32 levels");
                bool const object = *at_++ == '{';
                space();
                if (at_ == end_ || *at_ != (object ? '}' : ']')) {
                    objects = objects << 1U | (object ? 1U : 0U);
                    ++depth;
                    if (object && !key()) return false;
                    continue;
                }
                ++at_;
            } else if (!scalar()) {
                return false;
            }
            for (;;) { // once for every bracket that closes behind the value
                space();
                if (depth == 0) return at_ == end_ || fail("text after the end of the document");
                bool const object = (objects & 1U) != 0;
                if (at_ == end_)
                    return fail(object ? "the text ends inside an object" : "the text ends inside an array");
                if (*at_ == ',') {
                    char const* const comma = at_++;
                    space();
                    if (at_ != end_ && (*at_ == '}' || *at_ == ']'))
                        return at_ = comma, fail("`,` before the closing bracket");
                    if (object && !key()) return false;
                    break;
                }
                if (*at_ != (object ? '}' : ']'))
                    return fail(object ? "expected `,` or `}`" : "expected `,` or `]`");
                ++at_;
                objects >>= 1U;
                --depth;
            }
        }
    }

    constexpr void space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    }

    constexpr bool key() {
        if (at_ == end_) return fail("the text ends inside an object");
        if (*at_ != '"') return fail("expected a key in double quotes");
        if (!string()) return false;
        space();
        if (at_ == end_ || *at_ != ':') return fail("expected `:` after the key");
        ++at_;
        return true;
    }

    constexpr bool scalar() {
        switch (*at_) {
        case '"':
            return string();
        case 't':
            return word("true");
        case 'f':
            return word("false");
        case 'n':
            return word("null");
        default:
            return number();
        }
    }

    constexpr bool string() {
        char const* const open = at_++;
        for (;;) {
            char const* at = at_; // a local one: a member costs an evaluation twice as much
            char const* const end = end_;
            while (at != end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
            at_ = at;
            if (at_ == end_) return at_ = open, fail("the string is not closed");
            if (*at_ == '"') return ++at_, true;
            if (*at_ != '\\') return fail("control character in a string; write it as an escape such as \\n");
            if (!escape()) return false;
        }
    }

    constexpr bool escape() {
        char const* const start = at_++;
        char const code = at_ == end_ ? '\0' : *at_++;
        bool good = code == '"' || code == '\\' || code == '/' || code == 'b' || code == 'f' || code == 'n' ||
                    code == 'r' || code == 't';
        if (code == 'u') {
            int digits = 0;
            while (digits != 4 && at_ != end_ && hexadecimal(*at_)) ++at_, ++digits;
            good = digits == 4;
        }
        if (good) return true;
        at_ = start;
        return fail("no such escape in JSON");
    }

    constexpr bool word(std::string_view expected) {
        std::size_t same = 0;
        while (same != expected.size() && at_ + same != end_ && at_[same] == expected[same]) ++same;
        if (same != expected.size()) return fail("not a JSON value; a string needs double quotes");
        at_ += same;
        return true;
    }

    constexpr bool number() {
        char const* const start = at_;
        if (*at_ == '-') ++at_;
        if (at_ != end_ && *at_ == '0')
            ++at_;
        else if (!digits())
            return at_ = start, fail("not a JSON value; a string needs double quotes");
        if (at_ != end_ && digit(*at_)) return at_ = start, fail("a number with a leading zero");
        if (at_ != end_ && *at_ == '.' && (++at_, !digits()))
            return at_ = start, fail("a number without digits after the `.`");
        if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
            ++at_;
            if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
            if (!digits()) return at_ = start, fail("a number without digits in its exponent");
        }
        return true;
    }

    constexpr bool digits() {
        char const* const start = at_;
        while (at_ != end_ && digit(*at_)) ++at_;
        return at_ != start;
    }

    static constexpr bool digit(char byte) { return byte >= '0' && byte <= '9'; }
    static constexpr bool hexadecimal(char byte) {
        return digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
    }

    constexpr bool fail(std::string_view why) { return why_ = why, false; }

    char const* begin_;
    char const* at_;
    char const* end_;
    std::string_view why_;
};

constexpr std::optional<syntax_fault> check_syntax(std::string_view source) {
    return grammar(source).verdict();
}

/// `an object`, `a string`, ...: the type of the value that starts with this byte.
constexpr std::string_view type_of(char first) {
    switch (first) {
    case '{':
        return "an object";
    case '[':
        return "an array";
    case '"':
        return "a string";
    case 't':
    case 'f':
        return "a boolean";
    case 'n':
        return "null";
    default:
        return "a number";
    }
}

/// Code point at the start of `bytes` and its length, as Go's utf8.DecodeRune: {U+FFFD, 1} for what is not
/// UTF-8.
struct rune {
    std::uint32_t code;
    std::size_t size;
};
constexpr rune decode_rune(std::string_view bytes) {
    auto const byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
    };
    std::uint32_t const lead = byte(0);
    std::size_t const size = lead < 0x80                   ? 1
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
    if (size == 0 || size > bytes.size()) return {0xFFFD, 1};
    std::uint32_t code = size == 1 ? lead : lead & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) return {0xFFFD, 1};
        code = code << 6U | (byte(i) & 0x3FU);
    }
    bool const overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    if (overlong || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF) return {0xFFFD, 1};
    return {code, size};
}

constexpr void append_rune(text& out, std::uint32_t code) {
    auto const put = [&](std::uint32_t byte) {
        out.append(static_cast<char>(static_cast<unsigned char>(byte)));
    };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
        put(0xC0U | code >> 6U);
    } else {
        if (code < 0x10000) {
            put(0xE0U | code >> 12U);
        } else {
            put(0xF0U | code >> 18U);
            put(0x80U | (code >> 12U & 0x3FU));
        }
        put(0x80U | (code >> 6U & 0x3FU));
    }
    put(0x80U | (code & 0x3FU));
}

/// Walks over a text that `check_syntax` has accepted; so nothing here can meet the end of the text or a
/// wrong byte.
class cursor {
  public:
    /// `end` is the source's: a number may be the whole text, and then nothing behind it ends it.
    constexpr cursor(char const* at, char const* end) : at_(at), end_(end) {}

    constexpr char peek() const { return *at_; }
    constexpr char const* at() const { return at_; }
    constexpr void go(char const* at) { at_ = at; }

    constexpr void space() {
        while (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t') ++at_;
    }

    /// Steps over `{` or `[` or, between two members, `,`; false at the closing bracket, which is stepped
    /// over.
    constexpr bool next() {
        if (*at_ == ',' || *at_ == '{' || *at_ == '[') {
            ++at_;
            space();
        }
        if (*at_ != '}' && *at_ != ']') return true;
        ++at_;
        return false;
    }

    constexpr void colon() {
        space();
        ++at_;
        space();
    }

    /// Steps over a string and returns what it decodes to: a slice of the source where it can, else in
    /// `buffer`.
    constexpr std::string_view string(text& buffer) {
        char const* const start = at_ + 1;
        char const* at = start;
        while (*at != '"' && *at != '\\' && static_cast<unsigned char>(*at) < 0x80) ++at;
        at_ = at;
        if (*at == '"') return ++at_, std::string_view{start, static_cast<std::size_t>(at - start)};
        buffer = std::string_view(start, static_cast<std::size_t>(at_ - start));
        char const* stop = at_; // of the run without escapes, for decode_rune
        while (*at_ != '"') {
            if (*at_ == '\\') {
                escape(buffer);
            } else {
                if (stop <= at_)
                    for (stop = at_; *stop != '"' && *stop != '\\';) ++stop;
                rune const one = decode_rune({at_, static_cast<std::size_t>(stop - at_)});
                append_rune(buffer, one.code);
                at_ += one.size;
            }
        }
        ++at_;
        return buffer;
    }

    /// Steps over a value of any type and returns it undecoded.
    constexpr std::string_view skip() {
        char const* const start = at_;
        std::size_t depth = 0;
        do {
            switch (*at_) {
            case '"':
                skip_string();
                break;
            case '{':
            case '[':
                ++depth;
                ++at_;
                break;
            case '}':
            case ']':
                --depth;
                ++at_;
                break;
            default:
                if (depth == 0)
                    skip_word();
                else
                    ++at_;
            }
        } while (depth != 0);
        return {start, static_cast<std::size_t>(at_ - start)};
    }

  private:
    constexpr void skip_string() {
        char const* at = at_ + 1;
        while (*at != '"') at += *at == '\\' ? 2 : 1;
        at_ = at + 1;
    }
    constexpr void skip_word() {
        while (at_ != end_ && (*at_ > ',' || *at_ == '+') && *at_ != ']' && *at_ != '}') ++at_;
    }

    constexpr void escape(text& out) {
        char const code = at_[1];
        at_ += 2;
        switch (code) {
        case 'b':
            return void(out.append('\b'));
        case 'f':
            return void(out.append('\f'));
        case 'n':
            return void(out.append('\n'));
        case 'r':
            return void(out.append('\r'));
        case 't':
            return void(out.append('\t'));
        case 'u':
            break;
        default:
            return void(out.append(code)); // the quote, the backslash and the slash stand for themselves
        }
        std::uint32_t const unit = unicode(at_);
        at_ += 4;
        if (unit < 0xD800 || unit >= 0xE000) return append_rune(out, unit);
        if (unit < 0xDC00 && at_[0] == '\\' && at_[1] == 'u') { // a pair, if a low surrogate follows
            std::uint32_t const low = unicode(at_ + 2);
            if (low >= 0xDC00 && low < 0xE000) {
                at_ += 6;
                return append_rune(out, 0x10000U + ((unit - 0xD800U) << 10U) + (low - 0xDC00U));
            }
        }
        append_rune(out, 0xFFFD);
    }

    static constexpr std::uint32_t unicode(char const* digits) {
        std::uint32_t unit = 0;
        for (int i = 0; i < 4; ++i) {
            std::uint32_t const byte = static_cast<unsigned char>(digits[i]);
            unit = unit << 4U | (byte <= '9' ? byte - '0' : (byte | 0x20U) - 'a' + 10U);
        }
        return unit;
    }

    char const* at_;
    char const* end_;
};

} // namespace detail
} // namespace cnix::config
