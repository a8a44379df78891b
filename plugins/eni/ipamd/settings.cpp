#include <ipamd/setting_values.hpp>
#include <ipamd/settings.hpp>
#include <ipamd/settings_file.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/config/suggest.hpp>
#include <cnix/sys/read_file.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <system_error>
#include <unistd.h>

namespace cnix::ipamd {

namespace {

constexpr std::size_t longest_file = 1 << 20;

setting const* find(std::string_view name) {
    auto const table = settings_table();
    auto const found = std::ranges::find(table, name, &setting::name);
    return found == table.end() ? nullptr : &*found;
}

/// "; did you mean ...?", or nothing.
std::string suggestion(std::string_view name, std::string_view before) {
    std::size_t limit = std::min<std::size_t>(3, name.size() / 3);
    std::string_view best;
    for (setting const& one : settings_table())
        if (auto const far = config::detail::edit_distance(name, one.name, limit); far <= limit) {
            best = one.name;
            if (far == 0) break;
            limit = far - 1;
        }
    return best.empty() ? "" : "; did you mean `" + std::string{before}.append(best) + "`?";
}

/// As much of a value as a message needs.
std::string shown(std::string_view value) {
    constexpr std::size_t most = 80;
    return cni::quoted(value.substr(0, most)) + (value.size() > most ? "..." : "");
}

[[noreturn]] void fail(std::vector<std::string> const& faults) {
    std::string text;
    for (std::string const& one : faults) text += (text.empty() ? "" : "\n") + one;
    throw settings_error{text};
}

/// Upstream's variables that ask for what is not here.
struct foreign {
    char const* variable;
    char const* why;
};
constexpr foreign foreigners[] = {
    {"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
     "custom networking is not supported: pods get addresses of the node's own subnets"},
    {"ENABLE_POD_ENI", "branch ENIs are not supported: pods get addresses of the node's ENIs"},
    {"ANNOTATE_POD_IP", "pods are not annotated: the API server is never asked"},
    {"POD_MTU", "the pods' MTU is `mtu` of the plugin's network configuration"},
    {"DISABLE_POD_V6", "put the plugin tuning in the network configuration list"},
    {"ENABLE_BANDWIDTH_PLUGIN", "put the plugin bandwidth in the network configuration list"},
};

bool is_off(std::string const& value) {
    if (value.empty()) return true;
    try {
        return !values::read_boolean(value);
    } catch (std::invalid_argument const&) {
        return false;
    }
}

/// Reads file, environment and flags, and checks what they make together.
class reading {
  public:
    reading(program const& which, environment const& variables, command_line& into)
        : which_{which}, variables_{variables}, into_{into} {}

    void read() {
        for (file_item const& one : file_items()) {
            std::string const where = *into_.file + ':' + std::to_string(one.line);
            if (setting const* const known = find(one.key))
                take(*known, one.value, {origin::kind::file, where}, where + ": " + one.key);
            else
                faults_.push_back(where + ": there is no setting `" + one.key + '`' +
                                  suggestion(one.key, ""));
        }
        for (setting const& one : settings_table())
            for (std::string_view const name : one.variables) {
                auto const found = variables_.find(std::string{name});
                if (found == variables_.end() || found->second.empty()) continue;
                take(one, found->second, {origin::kind::environment, found->first}, found->first);
                break;
            }
        for (auto const& [name, value] : into_.flags)
            take(*find(name), value, {origin::kind::flag, "--" + name}, "--" + name);
        for (auto const& [name, one] : chosen_) set(*find(name), one);
        finish();
    }

    /// What only together can be wrong.
    void finish() {
        settings& all = into_.values;
        if (!into_.from.contains("enable-ipv4")) all.node.ipv4 = !all.node.ipv6;
        all.node.ipv4Egress = all.v4_egress && all.node.ipv6 && !all.node.ipv4;
        all.node.ipv6Egress = all.v6_egress && all.node.ipv4 && !all.node.ipv6;
        if (all.prefix_delegation && all.warm_prefix_target == 0 && all.warm_ip_target == 0 &&
            all.minimum_ip_target == 0)
            faults_.push_back(
                where("enable-prefix-delegation") +
                " needs one of warm-prefix-target, warm-ip-target and minimum-ip-target that is "
                "not 0");
        check_node();
        look_for_foreigners();
        if (!faults_.empty()) fail(faults_);
    }

  private:
    struct candidate {
        std::string value;
        origin from;
        std::string named; ///< in messages
    };

    std::vector<file_item> file_items() {
        std::string text;
        try {
            text = sys::read_file(*into_.file, longest_file, " (the daemon's settings)");
        } catch (std::system_error const& e) {
            bool const named = *into_.file != which_.config;
            if (!named && e.code() == std::errc::no_such_file_or_directory) return {};
            faults_.push_back(std::string{e.what()} +
                              (named ? "; name one that can be read with --config FILE" : ""));
            return {};
        }
        return read_file_items(text, *into_.file, faults_);
    }

    void take(setting const& of, std::string const& value, origin from, std::string named) {
        chosen_.insert_or_assign(of.name, candidate{value, std::move(from), std::move(named)});
    }

    void set(setting const& of, candidate const& one) {
        try {
            of.set(into_.values, one.value);
            into_.from.insert_or_assign(of.name, one.from);
        } catch (std::invalid_argument const& e) {
            faults_.push_back(one.named + " is " + shown(one.value) + ": " + e.what());
        }
    }

    /// By what name a setting is known to whoever set it.
    std::string where(std::string_view name) const {
        auto const found = chosen_.find(name);
        return found == chosen_.end() ? std::string{name} : found->second.named;
    }

    void check_node() {
        static constexpr std::pair<std::string_view, std::string_view> names[] = {
            {"ipv4", "enable-ipv4"},
            {"mtu", "eni-mtu"},
            {"excludeSNATCIDRs", "exclude-snat-cidrs"},
            {"randomizeSNAT", "randomize-snat"},
            {"connmark", "connmark"},
            {"externalServiceCIDRs", "external-service-cidrs"},
            {"vethPrefix", "veth-prefix"},
        };
        eni::node_config node = into_.values.node;
        node.vpcCIDRs = {net::prefix::any(net::family::ipv4)}; // the metadata says them
        std::vector<config::fault> found;
        config::checker checker{"", "", found};
        node.check(checker);
        for (config::fault const& one : found) {
            std::string_view const path = one.path.view();
            std::string_view const key = path.substr(0, path.find('['));
            auto const* const name =
                std::ranges::find(names, key, &std::pair<std::string_view, std::string_view>::first);
            setting const* const of = name == std::end(names) ? nullptr : find(name->second);
            std::string text = of ? where(of->name) : std::string{path};
            if (of) text += " is " + shown(of->get(into_.values));
            faults_.push_back(text + ": " + std::string{one.message.view()});
        }
    }

    void look_for_foreigners() {
        auto const of = [&](char const* name) {
            auto const found = variables_.find(name);
            return found == variables_.end() ? std::string{} : found->second;
        };
        for (auto const& [variable, why] : foreigners)
            if (auto const value = of(variable); !is_off(value))
                into_.warnings.push_back(std::string{variable} + " is " + shown(value) +
                                         ", and has no effect: " + why);
        if (which_.changes && !is_off(of("ENABLE_IMDS_ONLY_MODE")))
            faults_.push_back("ENABLE_IMDS_ONLY_MODE is " + shown(of("ENABLE_IMDS_ONLY_MODE")) + ": " +
                              std::string{which_.name} + " calls EC2; start cnix-ipamd-imds, which does not");
    }

    program const& which_;
    environment const& variables_;
    command_line& into_;
    std::map<std::string_view, candidate> chosen_{};
    std::vector<std::string> faults_{};
};

} // namespace

environment this_environment() {
    environment all;
    for (char** one = ::environ; one && *one; ++one) {
        std::string_view const text{*one};
        auto const sign = text.find('=');
        if (sign != text.npos) all.emplace(text.substr(0, sign), text.substr(sign + 1));
    }
    return all;
}

command_line read_command_line(program const& which, std::vector<std::string> const& arguments,
                               environment const& variables) {
    command_line line;
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    bool help = false, version = false, print = false, json = false;
    std::string file;
    app.add_flag("-h,--help", help);
    app.add_flag("--version", version);
    app.add_flag("--print-config", print);
    auto* const file_option =
        app.add_option("--config", file)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    std::vector<std::pair<setting const*, CLI::Option*>> options;
    for (setting const& one : settings_table()) {
        std::string const name = "--" + std::string{one.name};
        auto* const option = one.is == setting::kind::boolean ? app.add_flag(name) : app.add_option(name);
        option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll); // said twice, it is a fault of our own
        options.emplace_back(&one, option);
    }
    auto* const status = app.add_subcommand("status")->fallthrough();
    status->add_flag("--json", json);
    try {
        std::vector<std::string> reversed{arguments.rbegin(), arguments.rend()};
        app.parse(reversed);
    } catch (CLI::ParseError const& e) {
        throw settings_error{std::string{e.what()} + "; try --help"};
    }

    std::vector<std::string> faults;
    for (std::string const& one : app.remaining(true)) {
        std::string const name = one.substr(0, one.find('='));
        faults.push_back("there is no " + std::string{one.starts_with("-") ? "flag " : "command "} +
                         shown(one) + (one.starts_with("--") ? suggestion(name.substr(2), "--") : "") +
                         "; try --help");
    }
    for (auto const& [of, option] : options) {
        auto const& values = option->results();
        if (values.size() > 1) faults.push_back("--" + std::string{of->name} + " is given twice; leave one");
        if (values.size() == 1) line.flags.emplace_back(of->name, values.front());
    }
    line.what = help              ? command_line::verb::help
                : version         ? command_line::verb::version
                : print           ? command_line::verb::print_config
                : status->count() ? command_line::verb::status
                                  : command_line::verb::serve;
    line.json = json;
    line.file = *file_option ? file : std::string{which.config};
    if (!faults.empty()) fail(faults);
    if (line.what != command_line::verb::help && line.what != command_line::verb::version)
        reading{which, variables, line}.read();
    return line;
}

command_line reload(program const& which, command_line const& before, environment const& variables) {
    command_line after{.what = before.what, .json = before.json, .flags = before.flags, .file = before.file};
    reading{which, variables, after}.read();
    for (setting const& one : settings_table()) {
        std::string const old = one.get(before.values);
        if (one.reloaded || one.get(after.values) == old) continue;
        after.warnings.push_back('`' + std::string{one.name} + "` stays " + shown(old) + " until a restart");
        one.set(after.values, old);
        after.from.erase(one.name);
        if (auto const from = before.from.find(one.name); from != before.from.end()) after.from.insert(*from);
    }
    auto warnings = std::move(after.warnings);
    reading{which, {}, after}.finish(); // old and new together
    after.warnings = std::move(warnings);
    return after;
}

} // namespace cnix::ipamd
