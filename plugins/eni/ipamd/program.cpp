#include <ipamd/log.hpp>
#include <ipamd/printable.hpp>
#include <ipamd/program.hpp>
#include <ipamd/service/service.hpp>
#include <ipamd/status.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <malloc.h>

namespace cnix::ipamd {

int run(program const& what, std::vector<std::string> const& arguments, make_cloud cloud,
        kernel_port kernel) {
    try {
        auto line = read_command_line(what, arguments, this_environment());
        switch (line.what) {
        case command_line::verb::help:
            std::fputs(help_text(what).c_str(), stdout);
            return 0;
        case command_line::verb::version:
            std::printf("%s %s\n", std::string{what.name}.c_str(), CNIX_VERSION);
            return 0;
        case command_line::verb::print_config:
            std::fputs(config_text(line).c_str(), stdout);
            return 0;
        case command_line::verb::status:
            return run_status(line.values, line.json);
        case command_line::verb::serve:
            break;
        }
        // One heap for all threads, which gives back what a checkpoint's text took: a tenth of what is resident with 5,000 pods.
        ::mallopt(M_ARENA_MAX, 1);
        ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
        std::signal(SIGHUP, SIG_IGN); // until the service hears of it
        // A reader of the log that has gone, or a peer of libcurl's TLS, ends nothing.
        std::signal(SIGPIPE, SIG_IGN);
        start_log(line.values);
        for (auto const& one : line.warnings) log_warn(one);
        service{what, std::move(line), std::move(cloud), std::move(kernel)}.run();
        return 0;
    } catch (settings_error const& e) {
        std::string const faults = printable_lines(e.what()); // a line each
        std::fprintf(stderr, "%s: %s\n", std::string{what.name}.c_str(), faults.c_str());
        return 2; // a service manager need not try again
    } catch (std::exception const& e) {
        std::fprintf(stderr, "%s: %s\n", std::string{what.name}.c_str(), printable(e.what()).c_str());
        return 1;
    }
}

} // namespace cnix::ipamd
