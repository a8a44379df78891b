#include <ipamd/settings.hpp>
#include <ipamd/settings_file.hpp>

#include <boost/algorithm/string/replace.hpp>

#include <algorithm>
#include <sstream>

namespace cnix::ipamd {

namespace {

std::string value_in_file(setting const& of, settings const& in) {
    auto const value = of.get(in);
    return of.is == setting::kind::text ? quoted_item(value) : value;
}

/// What stands for the value in the help: in the order of its form's words, the shortest that tell enough.
std::string_view placeholder(setting const& of) {
    if (of.is == setting::kind::number) return "=N";
    if (of.is == setting::kind::boolean) return "[=false]";
    if (of.form.find("path") != of.form.npos && of.form.find("PATH") == of.form.npos) return "=PATH";
    return "=TEXT";
}

/// In lines of at most 79 columns, each set in.
std::string wrapped(std::string const& text) {
    static constexpr std::string_view margin = "      ";
    std::istringstream words{text};
    std::string out, line{margin};
    for (std::string word; words >> word;) {
        if (line.size() + 1 + word.size() > 79 && line.size() > margin.size()) {
            out += line + '\n';
            line = margin;
        }
        line += (line.size() > margin.size() ? " " : "") + word;
    }
    return out + line + '\n';
}

struct group_title {
    std::string_view group;
    std::string_view title;
};
constexpr group_title titles[] = {{"pool", "The pool"},
                                  {"node", "The node"},
                                  {"server", "The server"},
                                  {"cloud", "The cloud"},
                                  {"observation", "What is seen from outside"}};

} // namespace

std::string config_text(command_line const& line) {
    std::string text;
    for (auto const& [group, title] : titles) {
        text.append(text.empty() ? "# " : "\n# ").append(title).append("\n");
        for (setting const& one : settings_table()) {
            if (one.group != group) continue;
            auto const from = line.from.find(one.name);
            std::string entry = std::string{one.name} + " = " + value_in_file(one, line.values);
            entry.resize(std::max<std::size_t>(entry.size(), 48), ' ');
            std::string where = from == line.from.end() ? "built in" : from->second.where;
            std::ranges::replace_if(
                where, [](unsigned char byte) { return byte < ' ' || byte == 0x7f; }, '?');
            text += entry + " # " + where + '\n';
        }
    }
    return text;
}

std::string help_text(program const& which) {
    std::string const name{which.name};
    std::string text =
        "Usage: " + name + " [--config FILE] [SETTING]...\n       " + name + " status [--json]\n       " +
        name +
        " --print-config | --help | --version\n\n"
        "The node's address manager: keeps a pool of addresses for pods, and gives them to the\n"
        "CNI plugin eni. status shows the pool of the one that runs.\n\n"
        "  --config FILE\n" +
        wrapped("Settings, a line for each: `name = value`. Default: " + std::string{which.config} +
                ", if it is there.") +
        "  --print-config\n" + wrapped("Prints what is in force, in that format, and where it is from.") +
        "\nA flag comes before the environment, that before the file.\n";
    settings const built_in;
    for (auto const& [group, title] : titles) {
        text.append("\n").append(title).append("\n");
        for (setting const& one : settings_table()) {
            if (one.group != group) continue;
            text.append("  --").append(one.name).append(placeholder(one)).append("\n");
            auto const value = one.get(built_in);
            std::string facts;
            for (std::string_view const variable : one.variables)
                facts.append(facts.empty() ? "Environment: " : ", ").append(variable);
            if (!facts.empty()) facts += ". ";
            facts += value.empty() ? "" : "Default: " + value + '.';
            text += wrapped(std::string{one.help} + ' ' + facts);
        }
    }
    return text;
}

std::string documentation_table(std::string_view group) {
    settings const built_in;
    std::string text =
        "| setting | environment | value | default | SIGHUP | meaning |\n|---|---|---|---|---|---|\n";
    for (setting const& one : settings_table()) {
        if (one.group != group) continue;
        std::string variables;
        for (std::string_view const variable : one.variables)
            variables.append(variables.empty() ? "`" : ", `").append(variable).append("`");
        auto const value = one.get(built_in);
        std::string const cells[] = {'`' + std::string{one.name} + '`',
                                     variables,
                                     std::string{one.form},
                                     value.empty() ? "" : '`' + value + '`',
                                     one.reloaded ? "reloaded" : "",
                                     std::string{one.help}};
        text += '|';
        for (std::string const& cell : cells) text += ' ' + boost::replace_all_copy(cell, "|", "\\|") + " |";
        text += '\n';
    }
    return text;
}

} // namespace cnix::ipamd
