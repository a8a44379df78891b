#include <ipamd/cloud/query.hpp>
#include <ipamd/cloud/trouble.hpp>

#include <algorithm>

namespace cnix::ipamd {

void query_request::add_each(std::string const& name, std::span<std::string const> values) {
    int number = 0;
    for (auto const& value : values) add(name + '.' + std::to_string(++number), value);
}

void query_request::filter(std::string const& name, std::span<std::string const> values) {
    auto const is_filter = [](auto const& one) {
        return one.first.starts_with("Filter.") && one.first.ends_with(".Name");
    };
    auto const begin = "Filter." + std::to_string(std::ranges::count_if(parameters, is_filter) + 1);
    add(begin + ".Name", name);
    add_each(begin + ".Value", values);
}

std::string body_of(query_request const& request, std::string_view version) {
    std::string body = "Action=" + percent_encoded(request.action) + "&Version=" + std::string{version};
    for (auto const& [name, value] : request.parameters)
        body += '&' + percent_encoded(name) + '=' + percent_encoded(value);
    return body;
}

std::string query::name_of(query_request const& request) const {
    return title_ + "'s " + request.action + (request.object.empty() ? "" : " of " + request.object);
}

bool query::is_refused(cloud_error const& e) { return is_about_credentials(e.code()); }

bool query::is_to_repeat(cloud_error const& e, query_request const& request) {
    bool const unknown = e.kind() == trouble::unavailable || e.kind() == trouble::nonsense;
    return e.kind() == trouble::throttled || (unknown && request.repeatable);
}

void query::wait_before_repeating(query_request const& request, std::chrono::milliseconds time,
                                  std::stop_token const& stop) const {
    if (!wait_for(time, stop))
        throw cloud_error{trouble::stopped, request.action, {}, name_of(request) + ": stopped"};
}

std::string query::once(query_request const& request, std::optional<http_signature> const& sign,
                        std::stop_token const& stop) {
    auto const start = std::chrono::steady_clock::now();
    auto const tell = [&](int status, std::string_view code) {
        if (settings_.called)
            settings_.called(
                {service_, request.action, status, code, std::chrono::steady_clock::now() - start});
    };
    http_reply reply;
    try {
        reply = http_.send({.method = "POST",
                            .url = endpoint_ + '/',
                            .headers = {"Content-Type: application/x-www-form-urlencoded; charset=utf-8"},
                            .body = body_of(request, version_),
                            .repeatable = request.repeatable,
                            .sign = sign},
                           stop);
    } catch (http_failure const& e) {
        tell(0, name(e.kind()));
        throw cloud_error{e.kind(),
                          request.action,
                          {},
                          name_of(request) + " got no answer from " + endpoint_ + ": " + e.what()};
    }
    if (reply.status == 200) {
        tell(200, "");
        return std::move(reply.body);
    }
    auto const error = refusal(request.action, name_of(request), reply.status, reply.body);
    tell(reply.status, error.code());
    throw error;
}

} // namespace cnix::ipamd
