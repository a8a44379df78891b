#include <ipamd/cloud/http.hpp>

#include <boost/algorithm/string/predicate.hpp>
#include <boost/algorithm/string/trim.hpp>

#include <algorithm>
#include <array>
#include <curl/curl.h>
#include <new>
#include <system_error>

namespace cnix::ipamd {

namespace {

/// What the callbacks of one transfer see.
struct transfer {
    http_reply reply{};
    std::string_view kept{};
    std::size_t limit = 0;
    bool too_large = false;
    std::stop_token stop{};
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& to = *static_cast<transfer*>(user);
    std::size_t const bytes = size * count;
    if (bytes > to.limit - to.reply.body.size()) {
        to.too_large = true;
        return 0;
    }
    to.reply.body.append(data, bytes);
    return bytes;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& to = *static_cast<transfer*>(user);
    std::string_view const line{data, size * count};
    auto const colon = line.find(':');
    if (!to.kept.empty() && colon != std::string_view::npos &&
        boost::algorithm::iequals(line.substr(0, colon), to.kept))
        to.reply.header = boost::algorithm::trim_copy(std::string{line.substr(colon + 1)});
    return size * count;
}

int is_stopped(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<transfer*>(user)->stop.stop_requested() ? 1 : 0;
}

struct free_list {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using list = std::unique_ptr<curl_slist, free_list>;

void append(list& to, std::string const& line) {
    curl_slist* const longer = curl_slist_append(to.get(), line.c_str());
    if (!longer) throw std::bad_alloc{};
    static_cast<void>(to.release());
    to.reset(longer);
}

/// Connections and resolved names stay.
struct reset_at_end {
    CURL* handle;
    ~reset_at_end() { curl_easy_reset(handle); }
};

template <class Value> void set(CURL* handle, CURLoption option, Value value) {
    if (CURLcode const code = curl_easy_setopt(handle, option, value); code != CURLE_OK)
        throw std::runtime_error{"libcurl does not take its option " + std::to_string(option) + ": " +
                                 curl_easy_strerror(code)};
}

} // namespace

http_client::http_client(options o) : options_{std::move(o)}, handle_{nullptr, curl_easy_cleanup} {
    static CURLcode const ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ready == CURLE_OK) handle_.reset(curl_easy_init());
    if (!handle_) throw std::runtime_error{"libcurl cannot be initialised"};
}

http_reply http_client::send(http_request const& request, std::stop_token stop) {
    transfer now{{}, kept_, options_.max_body, false, std::move(stop)};
    if (now.stop.stop_requested()) throw http_failure{trouble::stopped, "stopped"};
    CURL* const h = handle_.get();
    reset_at_end const reset{h}; // the handle keeps pointers to what is on this stack
    std::array<char, CURL_ERROR_SIZE> why{};
    set(h, CURLOPT_ERRORBUFFER, why.data());
    set(h, CURLOPT_NOSIGNAL, 1L);
    set(h, CURLOPT_QUICK_EXIT, 1L); // a name server that does not answer delays no stop
    set(h, CURLOPT_PROTOCOLS_STR, "http,https");
    set(h, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(h, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    set(h, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    if (!options_.proxies) set(h, CURLOPT_PROXY, "");
    if (!options_.ca_bundle.empty()) set(h, CURLOPT_CAINFO, options_.ca_bundle.c_str());
    if (!options_.unix_socket.empty()) set(h, CURLOPT_UNIX_SOCKET_PATH, options_.unix_socket.c_str());
    // As options, not as header fields: libcurl 7.88 signs each field of CURLOPT_HTTPHEADER, and a proxy may change these.
    set(h, CURLOPT_USERAGENT, "cnix-ipamd/" CNIX_VERSION);

    if (!request.repeatable) set(h, CURLOPT_FRESH_CONNECT, 1L);
    set(h, CURLOPT_URL, request.url.c_str());
    list headers;
    for (auto const& line : request.headers) append(headers, line);
    if (request.method == "GET") {
        set(h, CURLOPT_HTTPGET, 1L);
    } else {
        set(h, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        set(h, CURLOPT_POSTFIELDS, request.body.c_str());
        set(h, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    if (request.sign) {
        auto const& sign = *request.sign;
        set(h, CURLOPT_AWS_SIGV4, ("aws:amz:" + sign.region + ':' + sign.service).c_str());
        set(h, CURLOPT_USERNAME, sign.key_id.c_str());
        set(h, CURLOPT_PASSWORD, sign.secret.c_str());
        if (!sign.session_token.empty()) append(headers, "X-Amz-Security-Token: " + sign.session_token);
    }
    set(h, CURLOPT_HTTPHEADER, headers.get());
    set(h, CURLOPT_WRITEFUNCTION, take_body);
    set(h, CURLOPT_WRITEDATA, &now);
    set(h, CURLOPT_HEADERFUNCTION, take_header);
    set(h, CURLOPT_HEADERDATA, &now);
    set(h, CURLOPT_NOPROGRESS, 0L);
    set(h, CURLOPT_XFERINFOFUNCTION, is_stopped);
    set(h, CURLOPT_XFERINFODATA, &now);

    CURLcode const code = curl_easy_perform(h);
    if (code == CURLE_OK) {
        long status = 0;
        curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
        now.reply.status = static_cast<int>(status);
        return std::move(now.reply);
    }
    if (now.too_large)
        throw http_failure{trouble::nonsense,
                           "the reply is longer than " + std::to_string(options_.max_body) + " bytes"};
    if (code == CURLE_ABORTED_BY_CALLBACK) throw http_failure{trouble::stopped, "stopped"};
    std::string text = why[0] ? why.data() : curl_easy_strerror(code);
    if (long error = 0; code == CURLE_COULDNT_CONNECT &&
                        curl_easy_getinfo(h, CURLINFO_OS_ERRNO, &error) == CURLE_OK && error != 0)
        text += ": " + std::system_category().message(static_cast<int>(error));
    switch (code) {
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: // HTTP/0.9
    case CURLE_BAD_CONTENT_ENCODING:
        throw http_failure{trouble::nonsense, "the reply is cut off or no HTTP: " + text};
    default:
        throw http_failure{trouble::unavailable, text};
    }
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (char const c : text) {
        bool const plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '.' || c == '_' || c == '~';
        auto const byte = static_cast<unsigned char>(c);
        if (plain)
            out += c;
        else
            out.append({'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]});
    }
    return out;
}

std::string excerpt(std::string_view text) {
    constexpr std::size_t shown = 80;
    std::string out{"\""};
    for (char const c : text.substr(0, shown)) out += c >= ' ' && c <= '~' ? c : '.';
    out += '"';
    if (text.size() > shown) out += "... (" + std::to_string(text.size()) + " bytes)";
    return text.empty() ? "nothing" : out;
}

} // namespace cnix::ipamd
