#include <ipamd/setting_values.hpp>
#include <cnix/concepts/rpc_endpoint.hpp>

#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/trim.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace cnix::ipamd::values {

void refuse(std::string const& why) { throw std::invalid_argument{why}; }
void write_instead(std::string_view form) { refuse("write " + std::string{form}); }

bool is_plain(std::string_view text) {
    if (std::ranges::any_of(text, [](unsigned char byte) { return byte < ' ' || byte == 0x7f; }))
        return false;
    boost::system::error_code error; // its parser refuses what is no UTF-8
    boost::json::parse(boost::json::serialize(boost::json::string_view{text.data(), text.size()}), error);
    return !error;
}

/// As Go's strconv.ParseBool, which upstream reads them with.
bool read_boolean(std::string_view text) {
    for (std::string_view const one : {"1", "t", "T", "TRUE", "true", "True"})
        if (text == one) return true;
    for (std::string_view const one : {"0", "f", "F", "FALSE", "false", "False"})
        if (text == one) return false;
    write_instead("true or false");
}

int read_number(std::string_view text, int least, int most, std::string_view form) {
    int value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most)
        write_instead(form);
    return value;
}

std::string read_path(std::string_view text) {
    if (!text.starts_with('/') || !is_plain(text)) write_instead("an absolute path");
    return std::string{text};
}

std::string read_socket(std::string_view text) {
    auto const read =
        rpc::endpoint::parse(text.starts_with('/') ? "unix:" + std::string{text} : std::string{text});
    if (!read || !read->is_unix() || !is_plain(text)) write_instead("an absolute path of at most 107 bytes");
    return std::string{read->path()};
}

std::string read_url(std::string_view text) {
    std::string_view rest = text;
    if (rest.starts_with("http://"))
        rest.remove_prefix(7);
    else if (rest.starts_with("https://"))
        rest.remove_prefix(8);
    bool const odd = !is_plain(text) || text.find_first_of(" \"<>@#?") != text.npos;
    if (rest.size() == text.size() || rest.empty() || rest.starts_with('/') || rest.starts_with(':') || odd)
        write_instead("an address such as https://ec2.eu-central-1.amazonaws.com or http://127.0.0.1:8080");
    while (text.ends_with('/')) text.remove_suffix(1);
    return std::string{text};
}

std::vector<net::prefix> read_prefixes(std::string_view text) {
    std::vector<net::prefix> all;
    for (std::size_t at = 0; at <= text.size();) {
        std::size_t const comma = std::min(text.find(',', at), text.size());
        auto const one = boost::trim_copy(std::string{text.substr(at, comma - at)});
        at = comma + 1;
        if (one.empty()) continue; // upstream's manifests have lists that end in a comma
        auto const read = net::prefix::parse(one);
        if (!read) refuse('`' + one + "` is none of a list of networks such as 10.1.0.0/16,fd00::/64");
        all.push_back(read->network());
    }
    return all;
}

std::string text_of(std::vector<net::prefix> const& all) {
    std::string text;
    for (net::prefix const& one : all) text += (text.empty() ? "" : ",") + one.str();
    return text;
}

/// What EC2 allows, and upstream: keys with its own prefix are refused, since they say whose an ENI is.
std::vector<std::pair<std::string, std::string>> read_tags(std::string_view text) {
    static constexpr std::string_view form = R"(a JSON object of texts, such as {"team":"web"})";
    boost::system::error_code error;
    auto const read = boost::json::parse(text, error);
    if (error || !read.is_object()) write_instead(form);
    std::vector<std::pair<std::string, std::string>> all;
    for (auto const& [key, value] : read.get_object()) {
        if (!value.is_string()) write_instead(form);
        std::string const name{key}, content{value.get_string()};
        if (name.empty() || name.size() > 128 || content.size() > 256)
            refuse("tag `" + name + "`: the cloud takes keys of 1 to 128 bytes and values of at most 256");
        if (name.starts_with("aws:") || name.find("k8s.amazonaws.com") != name.npos)
            refuse("tag `" + name +
                   "`: keys that begin with aws: or contain k8s.amazonaws.com are the cloud's own");
        all.emplace_back(name, content);
    }
    if (all.size() > 40) refuse("at most 40 tags: the cloud takes 50, and some are the daemon's");
    std::ranges::sort(all);
    return all;
}

std::string text_of(std::vector<std::pair<std::string, std::string>> const& tags) {
    boost::json::object all;
    for (auto const& [key, value] : tags) all[key] = value;
    return boost::json::serialize(all);
}

/// A word of a list, by its place in it.
std::size_t read_word(std::string_view text, std::span<std::string_view const> words, std::string_view form) {
    auto const lower = boost::to_lower_copy(std::string{text});
    auto const found = std::ranges::find(words, lower);
    if (found == words.end()) write_instead(form);
    return static_cast<std::size_t>(found - words.begin());
}

} // namespace cnix::ipamd::values
