#include <ipamd/cloud/http.hpp>
#include <ipamd/cloud/imds_text.hpp>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>
#include <set>
#include <system_error>

namespace cnix::ipamd::imds_text {

namespace {

[[noreturn]] void refuse(std::string const& path, std::string_view text, std::string_view expected) {
    throw cloud_error{trouble::nonsense,
                      path,
                      {},
                      "the instance metadata's " + path + " is to be " + std::string{expected} +
                          ", and was " + excerpt(text)};
}

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <class Read> auto lines(std::string const& path, std::string_view text, Read read) {
    std::vector<decltype(read(text))> all;
    for (std::size_t at = 0; at <= text.size();) {
        auto const end = std::min(text.find('\n', at), text.size());
        auto line = text.substr(at, end - at);
        if (line.ends_with('\r')) line.remove_suffix(1);
        all.push_back(read(line));
        at = end + 1;
    }
    auto sorted = all;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) != sorted.end())
        refuse(path, text, "a list with nothing in it twice");
    return all;
}

std::string_view family_text(net::family family) { return family == net::family::ipv4 ? "IPv4" : "IPv6"; }

boost::json::object object(std::string const& path, std::string_view text) {
    std::error_code error;
    auto value = boost::json::parse({text.data(), text.size()}, error);
    // What came may hold secrets.
    if (error || !value.is_object())
        throw cloud_error{
            trouble::nonsense,
            path,
            {},
            "the instance metadata's " + path + " is to be a JSON object, and was " +
                (text.empty() ? "empty" : std::to_string(text.size()) + " bytes of something else")};
    return std::move(value.as_object());
}

std::string member(std::string const& path, boost::json::object const& from, std::string_view key) {
    auto const* const found = from.if_contains({key.data(), key.size()});
    if (!found || !found->is_string() || found->as_string().empty())
        throw cloud_error{trouble::nonsense,
                          path,
                          {},
                          "the instance metadata's " + path + " has no text `" + std::string{key} + '`'};
    return std::string{std::string_view{found->as_string()}};
}

} // namespace

std::string id(std::string const& path, std::string_view text, std::string_view begin) {
    auto const rest = text.starts_with(begin) ? text.substr(begin.size()) : std::string_view{};
    if (rest.empty() || text.size() > 64 ||
        !std::ranges::all_of(rest, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; }))
        refuse(path, text, "an ID that begins with \"" + std::string{begin} + '"');
    return std::string{text};
}

std::string word(std::string const& path, std::string_view text) {
    if (text.empty() || text.size() > 64 || !std::ranges::all_of(text, [](char c) {
            return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '.';
        }))
        refuse(path, text, "a word of letters, digits, '-' and '.'");
    return std::string{text};
}

int number(std::string const& path, std::string_view text, int max) {
    int value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > max)
        refuse(path, text, "a number from 0 to " + std::to_string(max));
    return value;
}

net::mac mac(std::string const& path, std::string_view text) {
    auto const value = net::mac::parse(text);
    if (!value || text.size() != 17 || value->is_multicast() || value->is_zero())
        refuse(path, text, "the MAC address of an interface");
    return *value;
}

net::address address(std::string const& path, std::string_view text, net::family family) {
    auto const value = net::address::parse(text);
    if (!value || value->family() != family || value->is_unspecified() || value->is_multicast() ||
        value->is_loopback())
        refuse(path, text, "an " + std::string{family_text(family)} + " address of a host");
    return *value;
}

net::prefix prefix(std::string const& path, std::string_view text, net::family family) {
    auto const value = net::prefix::parse(text);
    if (!value || value->family() != family || value->has_host_bits() || value->length() == 0)
        refuse(path, text, "an " + std::string{family_text(family)} + " prefix");
    return *value;
}

std::vector<net::address> addresses(std::string const& path, std::string_view text, net::family family) {
    return lines(path, text, [&](std::string_view line) { return address(path, line, family); });
}

std::vector<net::prefix> prefixes(std::string const& path, std::string_view text, net::family family) {
    return lines(path, text, [&](std::string_view line) { return prefix(path, line, family); });
}

std::vector<std::string> ids(std::string const& path, std::string_view text, std::string_view begin) {
    return lines(path, text, [&](std::string_view line) { return id(path, line, begin); });
}

std::vector<std::string> names(std::string const& path, std::string_view text) {
    return lines(path, text, [&](std::string_view line) {
        auto const ok = [](char c) { return is_lower(c) || is_digit(c) || c == '-' || c == ':' || c == '/'; };
        if (line.empty() || line.size() > 64 || !std::ranges::all_of(line, ok))
            refuse(path, text, "a list of names");
        return std::string{line};
    });
}

identity document(std::string const& path, std::string_view text) {
    auto const from = object(path, text);
    return {id(path, member(path, from, "instanceId"), "i-"), word(path, member(path, from, "instanceType")),
            word(path, member(path, from, "region")), word(path, member(path, from, "availabilityZone"))};
}

std::string role_name(std::string const& path, std::string_view text) {
    auto const ok = [](char c) {
        return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c) ||
               std::string_view{"+=,.@_-"}.find(c) != std::string_view::npos;
    };
    if (text.empty() || text.size() > 128 || !std::ranges::all_of(text, ok))
        refuse(path, text, "the name of a role");
    return std::string{text};
}

role_credentials credentials(std::string const& path, std::string_view text) {
    auto const from = object(path, text);
    if (auto const code = member(path, from, "Code"); code != "Success")
        throw cloud_error{trouble::unauthorized, path, code,
                          "the instance metadata's " + path + " has no credentials: " + excerpt(code) +
                              "; look at the instance's role"};
    return {member(path, from, "AccessKeyId"), member(path, from, "SecretAccessKey"),
            member(path, from, "Token"), member(path, from, "Expiration")};
}

} // namespace cnix::ipamd::imds_text
