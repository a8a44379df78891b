#include <ipamd/settings_file.hpp>

#include <boost/algorithm/string/trim.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace cnix::ipamd {

namespace {

constexpr std::string_view blanks = " \t\r";

bool is_key_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '_';
}

bool is_number(std::string_view text) {
    bool const hexadecimal = text.starts_with("0x");
    if (hexadecimal)
        text.remove_prefix(2);
    else if (text.starts_with('-') || text.starts_with('+'))
        text.remove_prefix(1);
    std::string_view const digits = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
    return !text.empty() && text.find_first_not_of(digits) == text.npos;
}

/// A text or an array of texts at the beginning; takes it away. TOML's and JSON's are alike but for escapes that nobody needs here.
std::optional<std::string> take_json(std::string_view& text) {
    boost::json::stream_parser parser;
    boost::system::error_code error;
    std::size_t const size = parser.write_some(text.data(), text.size(), error);
    if (error || !parser.done()) return std::nullopt;
    text.remove_prefix(size);
    auto const value = parser.release();
    if (value.is_string()) return std::string{value.get_string()};
    std::string joined;
    for (auto const& one : value.as_array()) {
        if (!one.is_string()) return std::nullopt;
        joined += (joined.empty() ? "" : ",") + std::string{one.get_string()};
    }
    return joined;
}

/// The value at the beginning; takes it away. Nothing if there is none.
std::optional<std::string> take_value(std::string_view& text) {
    if (text.starts_with('"') || text.starts_with('[')) return take_json(text);
    if (text.starts_with('\'')) {
        auto const end = text.find('\'', 1);
        if (end == text.npos) return std::nullopt;
        std::string value{text.substr(1, end - 1)};
        text.remove_prefix(end + 1);
        return value;
    }
    std::string value{text.substr(0, text.find_first_of(" \t\r#"))};
    if (value != "true" && value != "false" && !is_number(value)) return std::nullopt;
    text.remove_prefix(value.size());
    return value;
}

} // namespace

std::vector<file_item> read_file_items(std::string_view text, std::string const& path,
                                       std::vector<std::string>& faults) {
    std::vector<file_item> items;
    for (std::size_t line = 1; !text.empty(); ++line) {
        std::size_t const end = std::min(text.find('\n'), text.size());
        std::string_view rest = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        auto const skip_blanks = [&] {
            rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
        };
        auto const fault = [&](std::string const& what) {
            faults.push_back(path + ':' + std::to_string(line) + ": " + what);
        };

        skip_blanks();
        if (rest.empty() || rest.starts_with('#')) continue;
        if (rest.starts_with('[')) {
            fault("there are no tables; leave the line out");
            continue;
        }
        auto const key_end = std::ranges::find_if_not(rest, is_key_byte);
        std::string key{rest.begin(), key_end};
        rest.remove_prefix(key.size());
        skip_blanks();
        if (key.empty() || !rest.starts_with('=')) {
            fault("this is no setting; write `name = value`");
            continue;
        }
        rest.remove_prefix(1);
        skip_blanks();
        auto value = take_value(rest);
        skip_blanks();
        if (!value || !(rest.empty() || rest.starts_with('#'))) {
            fault("`" + key +
                  "` has no value that can be read; write true, false, a number, or a text in quotes");
            continue;
        }
        auto const same = std::ranges::find(items, key, &file_item::key);
        if (same != items.end()) {
            fault("`" + key + "` is in line " + std::to_string(same->line) + ", too; leave one");
            continue;
        }
        items.push_back({std::move(key), std::move(*value), line});
    }
    return items;
}

std::string quoted_item(std::string_view text) {
    bool const escapes = text.find_first_of("\"\\") != text.npos;
    if (escapes && text.find('\'') == text.npos) return '\'' + std::string{text} + '\'';
    return boost::json::serialize(boost::json::string_view{text.data(), text.size()});
}

} // namespace cnix::ipamd
