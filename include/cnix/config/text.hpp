#pragma once
// Strings of a configuration. std::string cannot be used in a constant expression by clang with libstdc++ 12,
// std::vector can; nothing else is the reason for `text`.

#include <compare>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace cnix::config {

/// An owning string that works in constant expressions. Holds UTF-8 when it comes from the reader. Its own
/// storage rather than a std::vector's, whose bookkeeping costs ten times the evaluation steps a byte, and
/// compilers bound these.
class text {
  public:
    constexpr text() = default;
    template <class Chars>
        requires(std::convertible_to<Chars const&, std::string_view> && !std::same_as<Chars, text>)
    constexpr text(Chars const& chars) {
        append(std::string_view(chars));
    }
    constexpr text(text const& other) { append(other.view()); }
    constexpr text(text&& other) noexcept
        : bytes_(other.bytes_), size_(other.size_), capacity_(other.capacity_) {
        other.bytes_ = nullptr;
        other.size_ = other.capacity_ = 0;
    }
    constexpr text& operator=(text const& other) { return *this = text(other); }
    constexpr text& operator=(text&& other) noexcept {
        std::swap(bytes_, other.bytes_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    constexpr ~text() { delete[] bytes_; }

    constexpr operator std::string_view() const { return view(); }
    explicit operator std::string() const { return std::string(view()); }
    constexpr std::string_view view() const { return {bytes_, size_}; }
    constexpr bool empty() const { return size_ == 0; }
    constexpr std::size_t size() const { return size_; }

    constexpr text& append(char byte) {
        if (size_ == capacity_) grow(size_ + 1);
        bytes_[size_++] = byte;
        return *this;
    }
    /// `bytes` must not be a part of this text.
    constexpr text& append(std::string_view bytes) {
        std::size_t const count = bytes.size();
        if (capacity_ - size_ < count) grow(size_ + count);
        copy(bytes.data(), bytes_ + size_, count);
        size_ += count;
        return *this;
    }

    template <std::convertible_to<std::string_view> Chars>
    friend constexpr bool operator==(text const& left, Chars const& right) {
        return left.view() == std::string_view(right);
    }
    template <std::convertible_to<std::string_view> Chars>
    friend constexpr std::strong_ordering operator<=>(text const& left, Chars const& right) {
        return left.view() <=> std::string_view(right);
    }

  private:
    constexpr void grow(std::size_t needed) {
        std::size_t const capacity = needed > 2 * capacity_ ? needed : 2 * capacity_;
        char* const bytes = new char[capacity];
        copy(bytes_, bytes, size_);
        delete[] bytes_;
        bytes_ = bytes;
        capacity_ = capacity;
    }
    static constexpr void copy(char const* from, char* to, std::size_t count) {
        for (char* const end = to + count; to != end;) *to++ = *from++;
    }

    char* bytes_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

/// A JSON value as it stands in the source, undecoded: what is passed on (prevResult) or read later by
/// someone else. A slice of the source, which must outlive it. Empty when the key is absent or null.
struct raw {
    std::string_view json;

    constexpr bool empty() const { return json.empty(); }
    friend constexpr bool operator==(raw const&, raw const&) = default;
};

/// One member of a JSON object with free keys. A `std::vector<entry<X>>` is read from such an object.
template <class Value> struct entry {
    text key;
    Value value{};
};

namespace detail {

constexpr void append(text& out, char byte) { out.append(byte); }
constexpr void append(text& out, std::string_view bytes) { out.append(bytes); }
template <std::integral Integer>
    requires(!std::same_as<Integer, char> && !std::same_as<Integer, bool>)
constexpr void append(text& out, Integer number) {
    char digits[std::numeric_limits<Integer>::digits10 + 1]{};
    std::size_t count = 0;
    bool const negative = number < 0;
    do { // digit by digit from the sign's side of zero: the lowest number has no counterpart above it
        int const digit = static_cast<int>(number % 10);
        digits[count++] = static_cast<char>('0' + (digit < 0 ? -digit : digit));
        number = static_cast<Integer>(number / 10);
    } while (number != 0);
    if (negative) out.append('-');
    while (count != 0) out.append(digits[--count]);
}

} // namespace detail

/// Joins strings, characters and integers (in decimal) to one text.
template <class... Parts> constexpr text concat(Parts const&... parts) {
    text out;
    (detail::append(out, parts), ...);
    return out;
}

} // namespace cnix::config
