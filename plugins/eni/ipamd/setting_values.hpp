#pragma once
#include <cnix/net/prefix.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Texts of settings, as values. All throw std::invalid_argument that says what would be right.
namespace cnix::ipamd::values {

[[noreturn]] void refuse(std::string const& why);
/// Says "write FORM".
[[noreturn]] void write_instead(std::string_view form);

/// UTF-8 without control characters.
bool is_plain(std::string_view text);
bool read_boolean(std::string_view text);
int read_number(std::string_view text, int least, int most, std::string_view form);
/// An absolute one.
std::string read_path(std::string_view text);
/// A path, or as gRPC spells Unix sockets.
std::string read_socket(std::string_view text);
/// Without slashes at its end.
std::string read_url(std::string_view text);
/// With commas between them, and without host bits.
std::vector<net::prefix> read_prefixes(std::string_view text);
std::string text_of(std::vector<net::prefix> const& all);
/// A JSON object; sorted by key.
std::vector<std::pair<std::string, std::string>> read_tags(std::string_view text);
std::string text_of(std::vector<std::pair<std::string, std::string>> const& tags);
/// A word of a list, by its place in it; upper case or lower.
std::size_t read_word(std::string_view text, std::span<std::string_view const> words, std::string_view form);

} // namespace cnix::ipamd::values
