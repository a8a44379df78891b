#include <ipamd/cloud/rfc3339.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace cnix::ipamd {

namespace {

/// Digits and separators as in `form`, where '0' stands for a digit.
bool has_form(std::string_view text, std::string_view form) {
    if (text.size() < form.size()) return false;
    for (std::size_t i = 0; i < form.size(); ++i)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) return false;
    return true;
}

int number(std::string_view digits) {
    int value = 0;
    for (char const c : digits) value = value * 10 + (c - '0');
    return value;
}

} // namespace

std::optional<eni::time_point> parse_rfc3339(std::string_view text) {
    using namespace std::chrono;
    constexpr std::string_view form = "0000-00-00T00:00:00";
    if (!has_form(text, form)) return std::nullopt;
    year_month_day const day{year{number(text.substr(0, 4))},
                             month{static_cast<unsigned>(number(text.substr(5, 2)))},
                             std::chrono::day{static_cast<unsigned>(number(text.substr(8, 2)))}};
    int const hour = number(text.substr(11, 2)), minute = number(text.substr(14, 2)),
              second = number(text.substr(17, 2));
    // time_point counts nanoseconds, which last until 2262; Go's zero time is of the year 1.
    bool const counted = day.year() >= year{1970} && day.year() <= year{2261};
    if (!day.ok() || !counted || hour > 23 || minute > 59 || second > 60) return std::nullopt;

    auto zone = text.substr(form.size());
    if (zone.starts_with('.')) {
        auto const end = zone.find_first_not_of("0123456789", 1);
        if (end == 1 || end == std::string_view::npos) return std::nullopt;
        zone.remove_prefix(end);
    }
    minutes offset{};
    if (zone != "Z") {
        if (zone.size() != 6 || !(has_form(zone, "+00:00") || has_form(zone, "-00:00"))) return std::nullopt;
        offset = hours{number(zone.substr(1, 2))} + minutes{number(zone.substr(4, 2))};
        if (zone.front() == '-') offset = -offset;
    }
    return sys_days{day} + hours{hour} + minutes{minute} + seconds{second} - offset;
}

std::string rfc3339(eni::time_point time) {
    std::time_t const seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

} // namespace cnix::ipamd
