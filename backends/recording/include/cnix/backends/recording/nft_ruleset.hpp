#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/concepts/nft_backend.hpp>
#include <cnix/net/prefix.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::backends::recording {

/// Tables in memory that understand the commands cnix writes, one a line, and refuse what the kernel refuses:
/// to create what exists, to delete what does not or what something leads to, to lead to what does not exist.
class nft_ruleset {
  public:
    /// Throws cni::error at the first command that is refused, with the commands before it done: apply it to
    /// a copy.
    void apply(std::string_view script) {
        while (!script.empty()) {
            auto const line = script.substr(0, script.find('\n'));
            script.remove_prefix(std::min(script.size(), line.size() + 1));
            if (!line.empty()) command(line);
        }
    }

    /// Whether the table, if it is there, has no chain and no set.
    bool is_empty(cnix::nft::table_id const& id) const {
        auto const* table = find(tables_, key_of(id));
        return !table || (table->chains.empty() && table->sets.empty());
    }
    std::optional<cnix::nft::chain> find_chain(cnix::nft::table_id const& id, std::string_view name) const {
        auto const* table = find(tables_, key_of(id));
        auto const* chain = table ? find(table->chains, name) : nullptr;
        if (!chain) return std::nullopt;
        auto found = chain->hook;
        found.references = references(*table, name);
        return found;
    }
    std::vector<cnix::nft::rule> rules(cnix::nft::table_id const& id, std::string_view name) const {
        auto const* table = find(tables_, key_of(id));
        auto const* chain = table ? find(table->chains, name) : nullptr;
        return chain ? chain->rules : std::vector<cnix::nft::rule>{};
    }
    std::optional<cnix::nft::element> find_element(cnix::nft::set_id const& id,
                                                   cnix::nft::key const& key) const {
        for (auto const& element : elements(id))
            if (covers(element, key)) return element;
        return std::nullopt;
    }
    std::vector<cnix::nft::element> elements(cnix::nft::set_id const& id) const {
        auto const* table = find(tables_, key_of(id.table));
        auto const* set = table ? find(table->sets, id.name) : nullptr;
        return set ? set->elements : std::vector<cnix::nft::element>{};
    }

    /// nft's commands that make of this what `former` is.
    std::vector<std::string> commands_to(nft_ruleset const& former) const {
        std::vector<std::string> commands;
        for (auto const& [name, table] : tables_)
            if (!former.tables_.contains(name)) commands.push_back("delete table " + name);
        for (auto const& [name, wanted] : former.tables_) {
            auto const* const here = find(tables_, name);
            if (!here) commands.push_back("add table " + name);
            append_commands(commands, name, here ? *here : table_state{}, wanted);
        }
        return commands;
    }

    /// All of it, in an order that does not depend on how it came about.
    std::string text() const {
        std::string out;
        for (auto const& [name, table] : tables_) {
            out += "table " + name + " {\n";
            for (auto const& [set_name, set] : table.sets) {
                out += "  " + set.kind + ' ' + set_name + ' ' + set.definition + '\n';
                std::vector<std::string> lines;
                for (auto const& element : set.elements) lines.push_back("    " + show(element) + '\n');
                std::ranges::sort(lines);
                for (auto const& line : lines) out += line;
            }
            for (auto const& [chain_name, chain] : table.chains) {
                out +=
                    "  chain " + chain_name + (chain.definition.empty() ? "" : " " + chain.definition) + '\n';
                for (auto const& rule : chain.rules) out += "    " + show(rule) + '\n';
            }
            out += "}\n";
        }
        return out;
    }

  private:
    struct set_state {
        std::string kind; ///< "set" or "map"
        std::string definition;
        std::vector<cnix::nft::element> elements;
    };
    struct chain_state {
        std::string definition;
        cnix::nft::chain hook;
        std::vector<cnix::nft::rule> rules;
    };
    struct table_state {
        std::map<std::string, set_state, std::less<>> sets;
        std::map<std::string, chain_state, std::less<>> chains;
        std::uint64_t next_handle = 1;
    };

    /// The elements that `from` does not have. A transaction changes a few of many, which stay in their order.
    static std::vector<cnix::nft::element const*> missing(std::vector<cnix::nft::element> const& all,
                                                          set_state const* from) {
        static std::vector<cnix::nft::element> const none;
        auto const& others = from ? from->elements : none;
        auto const [first, other_first] = std::ranges::mismatch(all, others);
        auto const [last, other_last] =
            std::ranges::mismatch(std::ranges::subrange(first, all.end()) | std::views::reverse,
                                  std::ranges::subrange(other_first, others.end()) | std::views::reverse);
        std::vector<cnix::nft::element const*> found;
        for (auto one = first; one != last.base(); ++one)
            if (std::find(other_first, other_last.base(), *one) == other_last.base()) found.push_back(&*one);
        return found;
    }

    /// What leads to a chain or set goes before it, and comes back after it.
    static void append_commands(std::vector<std::string>& commands, std::string const& table,
                                table_state const& here, table_state const& wanted) {
        auto const elements_missing = [&](std::string const& verb, table_state const& all,
                                          table_state const& from) {
            for (auto const& [name, set] : all.sets)
                for (auto const* element : missing(set.elements, find(from.sets, name)))
                    commands.push_back(verb + " element " + table + ' ' + name + " { " + show(*element) +
                                       " }");
        };
        auto const same_rules = [](table_state const& one, table_state const& other,
                                   std::string const& chain) {
            auto const* const first = find(one.chains, chain);
            auto const* const second = find(other.chains, chain);
            auto const same = [](cnix::nft::rule const& a, cnix::nft::rule const& b) {
                return a.text == b.text && a.comment == b.comment;
            };
            if (!first || !second) return first == second;
            return std::ranges::equal(first->rules, second->rules, same);
        };
        elements_missing("delete", here, wanted);
        for (auto const& [name, chain] : here.chains)
            if (!chain.rules.empty() && !same_rules(here, wanted, name))
                commands.push_back("flush chain " + table + ' ' + name);
        for (auto const& [name, chain] : here.chains)
            if (!wanted.chains.contains(name)) commands.push_back("delete chain " + table + ' ' + name);
        for (auto const& [name, set] : here.sets)
            if (!wanted.sets.contains(name))
                commands.push_back("delete " + set.kind + ' ' + table + ' ' + name);
        for (auto const& [name, set] : wanted.sets)
            if (!here.sets.contains(name))
                commands.push_back("add " + set.kind + ' ' + table + ' ' + name + ' ' + set.definition);
        for (auto const& [name, chain] : wanted.chains)
            if (!here.chains.contains(name))
                commands.push_back("add chain " + table + ' ' + name +
                                   (chain.definition.empty() ? "" : ' ' + chain.definition));
        for (auto const& [name, chain] : wanted.chains)
            if (!same_rules(here, wanted, name))
                for (auto const& rule : chain.rules)
                    commands.push_back("add rule " + table + ' ' + name + ' ' + show(rule));
        elements_missing("add", wanted, here);
    }

    /// The words of a command, taken from its front.
    class words {
      public:
        explicit words(std::string_view line) : line_{line}, rest_{line} {}
        std::string_view next() {
            auto const word = rest_.substr(0, rest_.find(' '));
            rest_.remove_prefix(std::min(rest_.size(), word.size() + 1));
            return word;
        }
        std::string_view rest() const { return rest_; }
        std::string_view line() const { return line_; }

      private:
        std::string_view line_;
        std::string_view rest_;
    };

    [[noreturn]] static void refuse(std::string_view line, std::string_view why) {
        throw cni::error{cni::code::internal, "cnix: nftables: Error: Could not process rule: " +
                                                  std::string{why} + ": " + std::string{line}};
    }

    void command(std::string_view line) {
        words in{line};
        auto const verb = in.next();
        auto const object = in.next();
        auto const family = std::string{in.next()};
        auto const table_name = family + ' ' + std::string{in.next()};
        if (object == "table") {
            if (verb == "add")
                tables_.try_emplace(table_name);
            else if (verb != "delete" || tables_.erase(table_name) == 0)
                refuse(line, "No such file or directory");
            return;
        }
        auto* const table = find(tables_, table_name);
        if (!table) refuse(line, "No such file or directory");
        auto const name = std::string{in.next()};
        if (object == "set" || object == "map")
            set_command(verb, object, *table, name, in);
        else if (object == "chain")
            chain_command(verb, *table, name, in);
        else if (object == "rule")
            rule_command(verb, *table, name, in);
        else if (object == "element")
            element_command(verb, *table, name, in);
        else
            refuse(line, "syntax error");
    }

    static void set_command(std::string_view verb, std::string_view kind, table_state& table,
                            std::string const& name, words& in) {
        if (verb == "add") {
            table.sets.try_emplace(name, set_state{std::string{kind}, std::string{in.rest()}, {}});
            return;
        }
        if (verb != "delete") refuse(in.line(), "syntax error");
        for (auto const& [chain_name, chain] : table.chains)
            for (auto const& rule : chain.rules)
                if ((rule.text + ' ').find('@' + name + ' ') != std::string::npos)
                    refuse(in.line(), "Device or resource busy");
        if (table.sets.erase(name) == 0) refuse(in.line(), "No such file or directory");
    }

    static void chain_command(std::string_view verb, table_state& table, std::string const& name, words& in) {
        if (verb == "add") {
            auto const [at, added] = table.chains.try_emplace(name);
            if (added && !in.rest().empty()) {
                at->second.definition = in.rest();
                at->second.hook = hook(in.rest());
            }
            return;
        }
        auto* const chain = find(table.chains, name);
        if (!chain) refuse(in.line(), "No such file or directory");
        if (verb == "flush") {
            chain->rules.clear();
        } else if (verb == "delete") {
            if (references(table, name) != 0) refuse(in.line(), "Device or resource busy");
            table.chains.erase(name);
        } else {
            refuse(in.line(), "syntax error");
        }
    }

    /// "{ type nat hook postrouting priority 100; }"
    static cnix::nft::chain hook(std::string_view definition) {
        cnix::nft::chain found;
        words in{definition};
        for (auto word = in.next(); !word.empty(); word = in.next()) {
            if (word == "type") found.type = in.next();
            if (word == "hook") found.hook = in.next();
            if (word == "priority") {
                auto const number = in.next();
                std::from_chars(number.data(), number.data() + number.size(), found.priority);
            }
        }
        return found;
    }

    static void rule_command(std::string_view verb, table_state& table, std::string const& name, words& in) {
        auto* const chain = find(table.chains, name);
        if (!chain) refuse(in.line(), "No such file or directory");
        if (verb == "add") {
            auto const [text, comment] = split_comment(in.rest(), in.line());
            if (auto const target = goto_target(text); !target.empty() && !find(table.chains, target))
                refuse(in.line(), "No such file or directory");
            for (auto at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
                auto const set = text.substr(at + 1);
                if (!find(table.sets, set.substr(0, set.find(' '))))
                    refuse(in.line(), "No such file or directory");
            }
            chain->rules.push_back({table.next_handle++, std::string{text}, std::string{comment}});
        } else if (verb == "delete" && in.next() == "handle") {
            auto const handle = in.next();
            if (std::erase_if(chain->rules,
                              [&](auto const& rule) { return std::to_string(rule.handle) == handle; }) == 0)
                refuse(in.line(), "No such file or directory");
        } else {
            refuse(in.line(), "syntax error");
        }
    }

    /// What is before ` comment "TEXT"`, and TEXT.
    static std::pair<std::string_view, std::string_view> split_comment(std::string_view text,
                                                                       std::string_view line) {
        constexpr std::string_view begin = " comment \"";
        auto const at = text.find(begin);
        if (at == text.npos) return {text, {}};
        auto const comment = text.substr(at + begin.size());
        if (!comment.ends_with('"')) refuse(line, "syntax error");
        if (comment.size() - 1 > cnix::nft::max_comment) refuse(line, "String exceeds maximum length");
        return {text.substr(0, at), comment.substr(0, comment.size() - 1)};
    }

    /// "{ KEY }", "{ KEY comment "TEXT" }", "{ KEY comment "TEXT" : goto CHAIN }"
    static void element_command(std::string_view verb, table_state& table, std::string const& name,
                                words& in) {
        auto* const set = find(table.sets, name);
        auto const text = in.rest();
        if (!set) refuse(in.line(), "No such file or directory");
        if (!text.starts_with("{ ") || !text.ends_with(" }")) refuse(in.line(), "syntax error");
        auto const element = parse(text.substr(2, text.size() - 4), in.line());
        if (!element.chain.empty() && !find(table.chains, element.chain))
            refuse(in.line(), "No such file or directory");
        auto const same = std::ranges::find(set->elements, element.key, &cnix::nft::element::key);
        bool const exists = same != set->elements.end() && same->last == element.last;
        if (verb == "delete") {
            if (!exists) refuse(in.line(), "No such file or directory");
            set->elements.erase(same);
        } else if (verb == "create" || verb == "add") {
            if (exists && (verb == "create" || same->chain != element.chain))
                refuse(in.line(), "File exists");
            if (!exists) set->elements.push_back(element);
        } else {
            refuse(in.line(), "syntax error");
        }
    }

    static cnix::nft::element parse(std::string_view text, std::string_view line) {
        std::optional<cnix::nft::key> key;
        cnix::nft::element element{net::address{}, std::nullopt, {}, {}};
        constexpr std::string_view verdict = " : goto ";
        if (auto const at = text.rfind(verdict); at != text.npos) {
            element.chain = text.substr(at + verdict.size());
            text = text.substr(0, at);
        }
        auto const [words, comment] = split_comment(text, line);
        text = words;
        element.comment = comment;
        if (auto const prefix = net::prefix::parse(text)) {
            key = prefix->first();
            element.last = prefix->last();
        } else if (auto const address = net::address::parse(text)) {
            key = *address;
        } else if (auto const first = net::address::parse(text.substr(0, text.find('-')))) {
            key = *first;
            element.last = net::address::parse(text.substr(text.find('-') + 1)).value();
        } else if (text.starts_with('"')) {
            auto const end = text.find('"', 1);
            auto const port = net::interface_name::parse(text.substr(1, end - 1));
            auto const rest = text.substr(std::min(text.size(), end + 1));
            auto const mac = rest.starts_with(" . ") ? net::mac::parse(rest.substr(3)) : std::nullopt;
            if (port && rest.empty()) key = *port;
            if (port && mac) key = cnix::nft::port_mac{*port, *mac};
        }
        if (!key) refuse(line, "syntax error");
        element.key = *key;
        return element;
    }

    static std::string show(cnix::nft::rule const& rule) {
        return rule.text + (rule.comment.empty() ? "" : " comment \"" + rule.comment + '"');
    }
    static std::string show(cnix::nft::element const& element) {
        struct {
            std::string operator()(net::address const& address) const { return address.str(); }
            std::string operator()(net::interface_name const& port) const { return '"' + port.str() + '"'; }
            std::string operator()(cnix::nft::port_mac const& pair) const {
                return '"' + pair.port.str() + "\" . " + pair.mac.str();
            }
        } const text;
        auto out = std::visit(text, element.key);
        if (element.last) out += '-' + std::visit(text, *element.last);
        if (!element.comment.empty()) out += " comment \"" + element.comment + '"';
        if (!element.chain.empty()) out += " : goto " + element.chain;
        return out;
    }

    static bool covers(cnix::nft::element const& element, cnix::nft::key const& key) {
        if (!element.last) return element.key == key;
        auto const* first = std::get_if<net::address>(&element.key);
        auto const* last = std::get_if<net::address>(&*element.last);
        auto const* wanted = std::get_if<net::address>(&key);
        return first && last && wanted && *first <= *wanted && *wanted <= *last;
    }

    static std::string_view goto_target(std::string_view rule) {
        for (std::string_view word : {"goto ", "jump "})
            if (auto const at = rule.rfind(word); at != rule.npos) return rule.substr(at + word.size());
        return {};
    }
    static std::uint32_t references(table_state const& table, std::string_view name) {
        std::uint32_t count = 0;
        for (auto const& [set_name, set] : table.sets)
            for (auto const& element : set.elements) count += element.chain == name;
        for (auto const& [chain_name, chain] : table.chains)
            for (auto const& rule : chain.rules) count += goto_target(rule.text) == name;
        return count;
    }

    static std::string key_of(cnix::nft::table_id const& id) {
        return std::string{id.family} + ' ' + std::string{id.name};
    }
    template <class Map> static auto find(Map& map, std::string_view name) -> decltype(&map.begin()->second) {
        auto const at = map.find(name);
        return at == map.end() ? nullptr : &at->second;
    }

    std::map<std::string, table_state, std::less<>> tables_;
};

} // namespace cnix::backends::recording
