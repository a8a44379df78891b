#include <ipamd/printable.hpp>
#include <ipamd/status.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <vector>

namespace cnix::ipamd {

namespace json = boost::json;

namespace {

using row = std::vector<std::string>;

std::string text_of(json::object const& in, std::string_view key) {
    auto const* const value = in.if_contains(key);
    return value && value->is_string() ? printable(value->get_string()) : "";
}
std::uint64_t number_of(json::object const& in, std::string_view key) {
    auto const* const value = in.if_contains(key);
    if (!value) return 0;
    json::error_code error;
    auto const number = value->to_number<std::uint64_t>(error);
    return error ? 0 : number;
}
bool flag_of(json::object const& in, std::string_view key) {
    auto const* const value = in.if_contains(key);
    return value && value->is_bool() && value->get_bool();
}
json::array const& list_of(json::object const& in, std::string_view key) {
    static json::array const none;
    auto const* const value = in.if_contains(key);
    return value && value->is_array() ? value->get_array() : none;
}
json::object const& object_of(json::value const& of) {
    static json::object const none;
    return of.is_object() ? of.get_object() : none;
}
json::object const& object_of(json::object const& in, std::string_view key) {
    static json::value const nothing;
    auto const* const value = in.if_contains(key);
    return object_of(value ? *value : nothing);
}

/// Of "2023-11-14T22:13:20.5Z"; 0 if it is none.
std::int64_t seconds_of(std::string const& time) {
    std::tm parts{};
    char const* const end = ::strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    return end ? ::timegm(&parts) : 0;
}

/// "35 s", "4 min", "3 h", "12 days".
std::string span(std::int64_t seconds) {
    if (seconds < 0) seconds = 0;
    if (seconds < 100) return std::to_string(seconds) + " s";
    if (seconds < 100 * 60) return std::to_string(seconds / 60) + " min";
    if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + " h";
    return std::to_string(seconds / 86'400) + " days";
}

/// What one has or is, since or until when.
class printer {
  public:
    explicit printer(json::object const& all) : all_{all}, now_{seconds_of(text_of(all, "now"))} {}

    std::string text() {
        head();
        json::array const& enis = list_of(all_, "enis");
        json::array const& quarantined = list_of(all_, "quarantined");
        waiting();
        eni_table(enis);
        address_table(enis, quarantined);
        return std::move(out_);
    }

  private:
    std::string ago(json::object const& of, std::string_view key) const {
        auto const time = text_of(of, key);
        return time.empty() ? "" : span(now_ - seconds_of(time));
    }
    std::string left(json::object const& of, std::string_view key) const {
        auto const time = text_of(of, key);
        return time.empty() ? "" : span(seconds_of(time) - now_) + " more";
    }

    void line(std::string const& text) { out_ += text + '\n'; }

    void head() {
        json::object const& pool = object_of(all_, "pool");
        line(text_of(all_, "program") + ' ' + text_of(all_, "version") + ": " +
             (flag_of(all_, "ready") ? "ready" : "not ready") +
             (now_ ? ", started " + ago(all_, "started") + " ago" : ""));
        for (json::value const& one : list_of(all_, "troubles"))
            if (one.is_string()) line("  trouble: " + printable(one.get_string()));
        if (!flag_of(pool, "known")) line("  the cloud has not told so far what the node has");
        for (std::string const key : {"ipv4", "ipv6"}) {
            json::object const& counts = object_of(pool, key);
            if (number_of(counts, "total") == 0) continue;
            line("  " + std::string{key == "ipv4" ? "IPv4" : "IPv6"} + ": " +
                 std::to_string(number_of(counts, "assigned")) + " of " +
                 std::to_string(number_of(counts, "total")) + " addresses in use, " +
                 std::to_string(number_of(counts, "cooling")) + " cooling, " +
                 std::to_string(number_of(counts, "free")) + " free");
        }
        std::string const most =
            number_of(pool, "most_enis") ? " of at most " + std::to_string(number_of(pool, "most_enis")) : "";
        line("  " + std::to_string(number_of(pool, "pods")) + " pods; " +
             std::to_string(list_of(all_, "enis").size()) + most + " ENIs" +
             (flag_of(pool, "prefixes") ? "; addresses come by prefixes" : ""));
        if (auto const done = text_of(pool, "under_way"); !done.empty()) line("  under way: " + done);
        if (auto const why = text_of(pool, "growth"); !why.empty()) line("  growth: " + why);
        if (pool.contains("paused_until")) line("  growth is paused: " + left(pool, "paused_until"));
        if (auto const why = text_of(pool, "last_error"); !why.empty())
            line("  the last change failed: " + why);
        if (auto const why = text_of(pool, "disk_error"); !why.empty())
            line("  the checkpoint cannot be written: " + why);
        if (auto const count = number_of(all_, "spooled"))
            line("  releases in the spool: " + std::to_string(count));
    }

    static std::string pod_of(json::object const& of) {
        auto const name = text_of(of, "pod"), space = text_of(of, "namespace");
        return name.empty() ? "" : space.empty() ? name : space + '/' + name;
    }

    void waiting() {
        std::vector<row> rows{{"WAITING POD", "CONTAINER", "SINCE", "FOR", "WHY"}};
        for (json::value const& one : list_of(all_, "waiting")) {
            json::object const& of = object_of(one);
            rows.push_back({pod_of(of), text_of(of, "container"), ago(of, "since"), left(of, "until"),
                            text_of(of, "why")});
        }
        table(rows);
        if (auto const all = number_of(object_of(all_, "pool"), "waiting"); all > rows.size() - 1)
            line("and " + std::to_string(all - (rows.size() - 1)) + " more wait");
    }

    void eni_table(json::array const& enis) {
        std::vector<row> rows{
            {"ENI", "DEVICE", "SUBNET", "USE", "ADDRESSES", "IN USE", "COOLING", "FREE", "SINCE"}};
        for (json::value const& one : enis) {
            json::object const& of = object_of(one);
            json::object const& ipv4 = object_of(of, "ipv4");
            json::object const& ipv6 = object_of(of, "ipv6");
            json::object const& counts = number_of(ipv4, "total") > 0 ? ipv4 : ipv6;
            auto const card = number_of(of, "card"), prefixes = number_of(of, "prefixes");
            auto const why = text_of(of, "why");
            std::string device = std::to_string(number_of(of, "device"));
            if (card > 0) device += " of card " + std::to_string(card);
            std::string use = text_of(of, "use");
            if (flag_of(of, "primary")) use += ", primary";
            std::string addresses = std::to_string(number_of(counts, "total"));
            if (prefixes > 0)
                addresses += " in " + std::to_string(prefixes) + (prefixes == 1 ? " prefix" : " prefixes");
            rows.push_back({text_of(of, "id"), device, text_of(of, "subnet"), use, addresses,
                            std::to_string(number_of(counts, "assigned")),
                            std::to_string(number_of(counts, "cooling")),
                            std::to_string(number_of(counts, "free")), ago(of, "since")});
            if (!why.empty()) rows.push_back({"  " + why});
        }
        table(rows);
    }

    void address_table(json::array const& enis, json::array const& quarantined) {
        std::vector<row> rows{{"ADDRESS", "ENI", "STATE", "POD", "CONTAINER", "SINCE"}};
        auto const add = [&](json::value const& one, std::string const& eni) {
            json::object const& of = object_of(one);
            auto const state = text_of(of, "state");
            if (state == "free") return; // remembered only
            rows.push_back({text_of(of, "address"), eni, state, pod_of(of), text_of(of, "container"),
                            state == "cooling" ? left(of, "until") : ago(of, "since")});
        };
        for (json::value const& eni : enis)
            for (json::value const& one : list_of(object_of(eni), "addresses"))
                add(one, text_of(object_of(eni), "id"));
        for (json::value const& one : quarantined) add(one, "");
        table(rows);
    }

    /// Columns as wide as their widest cell; a row of one cell has no columns. Nothing if there is only the head.
    void table(std::vector<row> const& rows) {
        if (rows.size() < 2) return;
        std::vector<std::size_t> widths(rows.front().size());
        for (row const& one : rows)
            for (std::size_t i = 0; one.size() > 1 && i < one.size(); ++i)
                widths[i] = std::max(widths[i], one[i].empty() ? 1 : one[i].size());
        out_ += '\n';
        for (row const& one : rows) {
            std::string text;
            for (std::size_t i = 0; i < one.size(); ++i) {
                std::string cell = one[i].empty() ? "-" : one[i];
                if (i + 1 < one.size()) cell.resize(widths[i] + 2, ' ');
                text += cell;
            }
            line(text);
        }
    }

    json::object const& all_;
    std::int64_t now_;
    std::string out_{};
};

/// What the reply has, which no other program's has.
json::value read(std::string_view reply) {
    json::error_code error;
    auto parsed = json::parse(json::string_view{reply.data(), reply.size()}, error);
    if (error || !parsed.is_object() || !parsed.get_object().contains("program"))
        throw std::runtime_error{"what answers there is not cnix-ipamd, which would tell its state"};
    return parsed;
}

} // namespace

std::string status_text(std::string_view reply) {
    auto const parsed = read(reply);
    return printer{parsed.get_object()}.text();
}

bool says_ready(std::string_view reply) {
    auto const parsed = read(reply);
    return flag_of(parsed.get_object(), "ready");
}

} // namespace cnix::ipamd
