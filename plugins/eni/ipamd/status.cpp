#include <ipamd/cloud/http.hpp>
#include <ipamd/printable.hpp>
#include <ipamd/status.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace cnix::ipamd {

namespace {

constexpr std::size_t longest_reply = 256 << 20; ///< of a pool of a million addresses

std::string url_of(http_address at) {
    if (!at.path.empty()) return "http://localhost";
    if (!at.address) at.address = net::address::parse("127.0.0.1");
    return "http://" + at.text();
}

} // namespace

std::string ask_status(settings const& in_force, std::chrono::milliseconds limit) {
    if (!in_force.serve_introspection)
        throw std::runtime_error{"introspection is disabled, and nothing else tells the daemon's state; set "
                                 "disable-introspection to false "
                                 "and restart the daemon"};
    http_address const& at = in_force.introspection;
    std::string const where = "no answer from the daemon at " + at.text() + ": ";
    try {
        http_client client{
            {.timeout = limit, .max_body = longest_reply, .proxies = false, .unix_socket = at.path}};
        auto reply = client.send({.url = url_of(at) + "/v1/status"}, {});
        if (reply.status == 200) return std::move(reply.body);
        throw http_failure{trouble::nonsense, "it replied " + std::to_string(reply.status)};
    } catch (http_failure const& e) {
        throw std::runtime_error{where + e.what() +
                                 (e.kind() == trouble::unavailable
                                      ? "; is it running (systemctl status cnix-ipamd), and is its "
                                        "introspection-bind-address this one?"
                                      : "; is it cnix-ipamd that listens there?")};
    }
}

int run_status(settings const& in_force, bool json) {
    try {
        auto const reply = ask_status(in_force);
        auto const text = json ? reply + '\n' : status_text(reply);
        bool const ready = says_ready(reply);
        if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
            return ready ? 0 : 3;
        std::fputs("cnix-ipamd: could not write to standard output\n", stderr);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "cnix-ipamd: %s\n", printable(e.what()).c_str());
    }
    return 1;
}

} // namespace cnix::ipamd
