#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::ipamd {

/// A line of the file: `key = value`.
struct file_item {
    std::string key{};
    std::string value{};  ///< without quotes; of an array, its texts with commas between them
    std::size_t line = 0; ///< from 1
};

/// Reads the file's text, a part of TOML: keys without tables; values of one line that are true or false, whole numbers, texts in
/// double or single quotes, or arrays of texts in double quotes; comments. CLI11's own reader is not asked, since it knows no
/// lines, and ends a quoted text at `#`. `faults` gets a line for each that is wrong, which begins with `path` and its number.
std::vector<file_item> read_file_items(std::string_view text, std::string const& path,
                                       std::vector<std::string>& faults);

/// A text in quotes, as read_file_items() reads it.
std::string quoted_item(std::string_view text);

} // namespace cnix::ipamd
