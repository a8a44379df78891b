// Installs the plugins of a container image on the node that the container runs on, and then a network configuration.
// docs/install.md#kubernetes

#include <cnix/accepts.hpp>
#include <cnix/cni/error_json.hpp>
#include <cnix/cni/read_request.hpp>
#include <cnix/sys/child_process.hpp>
#include <cnix/sys/directory.hpp>
#include <cnix/sys/fd.hpp>

#include <boost/algorithm/string/replace.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace cnix;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Of the node: one that only root can open, and so hold.
constexpr char const* lock_directory = "/run";
constexpr char const* lock_name = "cnix-install.lock";

constexpr char const* usage =
    "Usage: cnix-install [OPTION VALUE]... CONFLIST [PLUGIN]...\n"
    "       cnix-install --stay\n\n"
    "Puts each PLUGIN (all, if none is named) in the node's directory of plugins, and, once their STATUS "
    "says that they\n"
    "can serve it, CONFLIST in its directory of network configurations. Files are written beside and "
    "renamed.\n\n"
    "  --plugins DIR     where the plugins are taken from (/plugins)\n"
    "  --host DIR        the node's root directory (/host); the next two are below it\n"
    "  --bin-dir DIR     /opt/cni/bin\n"
    "  --conf-dir DIR    /etc/cni/net.d\n"
    "  --as NAME         the configuration's name there (CONFLIST's)\n"
    "  --give-up SECONDS how long STATUS may fail (for ever)\n"
    "  --stay            does nothing until it is terminated\n";

struct wanted {
    std::string plugins = "/plugins";
    std::string host = "/host";
    std::string bin_dir = "/opt/cni/bin";
    std::string conf_dir = "/etc/cni/net.d";
    std::string name;
    std::optional<seconds> give_up;
    std::string conflist;
    std::vector<std::string> names;
};

/// A plugin of the list that is installed here, or whose IPAM is.
struct served {
    std::string plugin;
    std::string entry; ///< for its standard input
};

[[noreturn]] void fail(std::string const& text) { throw std::runtime_error{text}; }

void say(std::string const& text) { std::fprintf(stderr, "cnix-install: %s\n", text.c_str()); }

/// SIGTERM and SIGINT, which a container's first process does not get unless it asks for them, end it where it waits.
sigset_t terminating() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGINT);
    return set;
}

/// Whether it was told to end.
bool wait(std::optional<milliseconds> time) {
    sigset_t const set = terminating();
    if (!time) return ::sigwaitinfo(&set, nullptr) > 0;
    auto const whole = std::chrono::duration_cast<seconds>(*time);
    timespec const limit{.tv_sec = whole.count(), .tv_nsec = std::chrono::nanoseconds{*time - whole}.count()};
    return ::sigtimedwait(&set, nullptr, &limit) > 0;
}

wanted read_arguments(int argc, char** argv) {
    wanted out;
    std::map<std::string_view, std::string*> const options{{"--plugins", &out.plugins},
                                                           {"--host", &out.host},
                                                           {"--bin-dir", &out.bin_dir},
                                                           {"--conf-dir", &out.conf_dir},
                                                           {"--as", &out.name}};
    for (int i = 1; i < argc; ++i) {
        std::string_view const word = argv[i];
        auto const value = [&]() -> std::string_view {
            if (i + 1 == argc || argv[i + 1][0] == '\0')
                fail(std::string{word} + " has no value; try --help");
            return argv[++i];
        };
        if (auto const option = options.find(word); option != options.end()) {
            *option->second = value();
        } else if (word == "--give-up") {
            std::string_view const text = value();
            unsigned count = 0;
            auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
            if (error != std::errc{} || end != text.data() + text.size())
                fail("--give-up takes a number of seconds, not `" + std::string{text} + '`');
            out.give_up = seconds{count};
        } else if (word.starts_with('-')) {
            fail("unknown option " + std::string{word} + "; try --help");
        } else if (out.conflist.empty()) {
            out.conflist = word;
        } else if (word.empty() || word.starts_with('.') || word.find('/') != word.npos) {
            fail('`' + std::string{word} + "` is no plugin's name");
        } else {
            out.names.emplace_back(word);
        }
    }
    if (out.conflist.empty()) fail("no network configuration list is named; try --help");
    if (out.name.empty()) out.name = out.conflist.substr(out.conflist.find_last_of('/') + 1);
    if (std::ranges::any_of(out.name, [](unsigned char c) { return c < ' ' || c == 0x7F; }))
        fail("the list's name has a control character; name it NAME.conflist, with --as");
    if (!out.name.ends_with(".conflist") || out.name.find('/') != out.name.npos || out.name.starts_with('.'))
        fail("runtimes would not read a list `" + out.name + "`; name it NAME.conflist, with --as");
    return out;
}

std::string read_conflist(std::string const& path) {
    sys::fd const file = sys::try_open(path, O_RDONLY | O_NONBLOCK); // or a FIFO would stop it here for ever
    if (!file && errno == ENOENT)
        fail("there is no network configuration list " + path +
             "; is the ConfigMap mounted, and has it this key?");
    if (!file) sys::throw_errno("open " + path);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) sys::throw_errno("look at " + path);
    if (!S_ISREG(status.st_mode)) fail(path + " is not a file");
    return cni::read_configuration(file.get(), path);
}

std::map<std::string, std::string> read_plugins(wanted const& want) {
    auto const from = sys::directory::open(want.plugins);
    if (!from) fail("there is no directory of plugins " + want.plugins);
    std::map<std::string, std::string> out;
    for (std::string const& name : want.names.empty() ? from->names() : want.names) {
        if (name.starts_with('.')) continue; // what mounts and editors leave
        struct stat size{};
        if (::fstatat(from->get(), name.c_str(), &size, AT_SYMLINK_NOFOLLOW) != 0) size = {};
        auto const file = from->read(name, static_cast<std::size_t>(size.st_size));
        if (file.why_not) fail(want.plugins + " has no plugin `" + name + '`');
        out[name] = file.bytes;
    }
    return out;
}

/// Whether a runtime would ask for STATUS: it takes the newest version that the list names.
bool has_status(detail::list_keys const& list) {
    auto const has = [](cni::version const& one) { return one.allows(cni::verb::status); };
    if (list.cniVersion && has(*list.cniVersion)) return true;
    return list.cniVersions && std::ranges::any_of(*list.cniVersions, [&](config::text const& one) {
               auto const known = cni::version::parse(one);
               return known && has(*known);
           });
}

/// The entries of the list that these plugins serve, as a runtime sends them for STATUS: with the list's name, and the version that
/// has STATUS, which stand last, where they count. A plugin that they delegate to need not speak that version unless the list does,
/// and is then not asked.
std::vector<served> find_served(std::string const& text, std::map<std::string, std::string> const& plugins,
                                std::string const& path) {
    auto const list = config::read<detail::list_keys>(text);
    if (!list.well_formed) fail(path + ':' + std::string{to_string(list.faults.front())});
    if (!list.value.plugins) fail(path + ": not a list: it has no `plugins`");
    bool const status = has_status(list.value);
    std::vector<served> out;
    for (config::raw const& entry : *list.value.plugins) {
        auto const keys = config::read_part<detail::any_entry>(text, entry.json, "$.plugins").value;
        std::string const type{keys.type}, ipam{keys.ipam ? std::string{keys.ipam->type} : ""};
        std::string const plugin = plugins.contains(type) ? type : plugins.contains(ipam) ? ipam : "";
        if (plugin.empty()) continue;
        std::string_view const open = entry.json.substr(0, entry.json.find_last_of('}'));
        out.push_back({plugin, std::string{open} + R"(,"cniVersion":")" + cni::version::v1_1_0.str() +
                                   R"(","name":")" + std::string{list.value.name} + '"' +
                                   (plugin == any_ipam_plugin && !status ? R"(,"ipam":{"type":""}})" : "}")});
    }
    if (out.empty()) {
        std::string names;
        for (auto const& [name, bytes] : plugins) names += (names.empty() ? "" : ", ") + name;
        fail(path + ": none of its plugins is one that is installed: " + names);
    }
    return out;
}

/// Each plugin reads the list as it would on the node: what was read of it, since a ConfigMap's file may be another by now.
void check(std::vector<served> const& entries, wanted const& want, std::string const& text) {
    std::string const given =
        "/proc/self/fd/0"; // no name that tells the file's form: that is the one on the node
    for (served const& one : entries) {
        auto const done = sys::run({.arguments = {want.plugins + '/' + one.plugin, "--check", given},
                                    .input = text,
                                    .limit = seconds{60}});
        if (!done.success())
            fail(one.plugin + " refuses the network configuration list:\n" +
                 boost::replace_all_copy(done.err + done.out, given, want.conflist));
    }
}

sys::directory open_for_writing(std::string const& path) {
    auto out = sys::directory::open_or_create(path, 0755);
    if (::faccessat(out.get(), ".", W_OK | X_OK, AT_EACCESS) != 0)
        sys::throw_errno("write to the node's directory \"" + path + '"');
    return out;
}

void sync(int file, std::string const& path) {
    if (::fsync(file) != 0) sys::throw_errno("write \"" + path + "\" to the disk");
}

/// Until it is closed, no other run has it. Nothing if it was told to end, before or while it waited.
std::optional<sys::fd> lock() {
    auto const in = sys::directory::open_or_create(lock_directory, 0755);
    std::string const path = in.path(lock_name);
    sys::fd file{::openat(in.get(), lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file) sys::throw_errno("open \"" + path + '"');
    bool told = false;
    for (milliseconds pause{0}; !wait(pause); pause = milliseconds{200}) {
        if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
        if (errno != EWOULDBLOCK && errno != EINTR) sys::throw_errno("lock \"" + path + '"');
        // Another container's, while a DaemonSet is rolled out.
        if (!std::exchange(told, true)) say("waits for the lock \"" + path + "\", which another run holds");
    }
    return std::nullopt;
}

/// Whether it is what install() would put there.
bool is_there(sys::directory const& in, std::string const& name, std::string_view bytes, mode_t mode) {
    struct stat now{};
    if (::fstatat(in.get(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if ((now.st_mode & 07777) != mode || now.st_uid != ::geteuid()) return false;
    auto const there = in.read(name, bytes.size());
    return !there.why_not && there.bytes == bytes;
}

/// Puts a file in the place of whatever has that name, in one step; whoever runs or reads the former goes on with that. Whether
/// anything had to be done. Runtimes pass over the name that it is written under, which is the same in all runs: they exclude
/// each other with lock().
bool install(sys::directory const& in, std::string const& name, std::string_view bytes, mode_t mode) {
    if (is_there(in, name, bytes, mode)) return false;
    std::string const fresh = name + ".cnix-install", path = in.path(fresh);
    in.remove(fresh); // left by a run that was killed
    sys::fd file{
        ::openat(in.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (!file) sys::throw_errno("create \"" + path + '"');
    try {
        while (!bytes.empty()) {
            ssize_t const count = ::write(file.get(), bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) sys::throw_errno("write the file \"" + path + '"');
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
        if (::fchmod(file.get(), mode) != 0) sys::throw_errno("set the mode of \"" + path + '"');
        sync(file.get(), path);
        file.reset(); // a program that is open for writing is not started: ETXTBSY
        if (::renameat(in.get(), fresh.c_str(), in.get(), name.c_str()) != 0)
            sys::throw_errno("replace \"" + in.path(name) + '"');
    } catch (...) {
        ::unlinkat(in.get(), fresh.c_str(), 0);
        throw;
    }
    sync(in.get(), in.path());
    return true;
}

/// Why it cannot serve; empty if it can.
std::string why_not(served const& one, wanted const& want) {
    auto const done = sys::run(
        {.arguments = {want.bin_dir + '/' + one.plugin},
         .environment =
             std::vector<std::string>{"CNI_COMMAND=STATUS", "CNI_PATH=" + want.bin_dir,
                                      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
         .input = one.entry,
         .limit = seconds{30}});
    if (done.success()) return {};
    if (done.out.empty())
        return one.plugin + ": " + done.ending() + (done.err.empty() ? "" : ": " + done.err);
    auto const error = cni::read_error(done.out);
    return one.plugin + ": " + error.message() + (error.details().empty() ? "" : "; " + error.details());
}

/// Waits until all can serve, longer each time. False if it was told to end.
bool wait_until_served(std::vector<served> const& entries, wanted const& want) {
    constexpr seconds longest{60};
    auto const end = std::chrono::steady_clock::now() + want.give_up.value_or(seconds{0});
    std::string told;
    for (seconds pause{1};; pause = std::min(2 * pause, longest)) {
        std::string why;
        for (served const& one : entries)
            if (why.empty()) why = why_not(one, want);
        if (why.empty()) return true;
        if (want.give_up && std::chrono::steady_clock::now() + pause > end)
            fail("STATUS still fails, and the network configuration list is not installed: " + why);
        if (why != told) say("STATUS fails, which is tried again until it succeeds: " + why);
        told = why;
        if (wait(pause)) return false;
    }
}

int run(wanted const& want) {
    ::umask(022);
    // The image's files, before the node's root takes their place.
    std::string const text = read_conflist(want.conflist);
    auto const plugins = read_plugins(want);
    auto const entries = find_served(text, plugins, want.conflist);
    check(entries, want, text);
    if (::chroot(want.host.c_str()) != 0 || ::chdir("/") != 0)
        sys::throw_errno("enter the node's root directory \"" + want.host + "\"; mount it there");

    // From here on as the runtime does: with the node's links, programs and files.
    auto const bin = open_for_writing(want.bin_dir), conf = open_for_writing(want.conf_dir);
    auto const put = [](sys::directory const& in, std::string const& name, std::string_view bytes,
                        mode_t mode) {
        say(in.path(name) + (install(in, name, bytes, mode) ? ": installed" : ": is this one already"));
    };
    auto const ended = [&] {
        say("told to end; " + conf.path(want.name) + " is as it was");
        return 1;
    };
    {
        auto const locked = lock();
        if (!locked) return ended();
        for (auto const& [name, bytes] : plugins) put(bin, name, bytes, 0755);
    }
    // Not locked while it waits, which may be for ever.
    if (!wait_until_served(entries, want)) return ended();
    auto const locked = lock();
    if (!locked) return ended();
    put(conf, want.name, text, 0644);
    return 0;
}

} // namespace

/// Exit status 0 if all is installed, 1 if not, 2 if it was called wrongly.
int main(int argc, char** argv) {
    sigset_t const set = terminating();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    if (argc == 2 && std::string_view{argv[1]} == "--help") return std::fputs(usage, stdout) < 0;
    if (argc == 2 && std::string_view{argv[1]} == "--stay") return wait(std::nullopt) ? 0 : 1;
    wanted want;
    try {
        want = read_arguments(argc, argv);
    } catch (std::exception const& e) {
        say(e.what());
        return 2;
    }
    try {
        return run(want);
    } catch (std::exception const& e) {
        say(e.what());
        return 1;
    }
}
