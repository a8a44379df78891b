#pragma once
// Paths to values: `$.plugins[0].ipam.ranges[0][1].gateway`, and `$["cni.dev/valid-attachments"]` for keys
// that are not words.

#include <cnix/config/schema.hpp>
#include <cnix/config/syntax.hpp>
#include <cnix/config/text.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <string_view>

namespace cnix::config {

namespace detail {

constexpr bool is_word(std::string_view key) {
    char const* at = key.data();
    char const* const end = at + key.size();
    while (at != end && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                         (*at >= '0' && *at <= '9') || *at == '_' || *at == '-'))
        ++at;
    return at == end && !key.empty();
}

/// `.key` or, without the dot where nothing is before it, `key`; `["k.e.y"]` for one that is not a word.
constexpr void append_key(text& path, std::string_view key, bool dot) {
    if (is_word(key)) {
        if (dot) path.append('.');
        path.append(key);
        return;
    }
    path.append("[\"");
    for (char const byte : key) {
        if (byte == '"' || byte == '\\') path.append('\\');
        path.append(byte);
    }
    path.append("\"]");
}

/// Where the reader is, as a list on the stack: made into a path only when it is needed. At the root,
/// `key` is the whole base path.
struct frame {
    static constexpr std::size_t by_key = static_cast<std::size_t>(-1);
    frame const* parent;
    std::string_view key;
    std::size_t index = by_key; ///< in an array
};

/// The last step: `.key`, `["k.e.y"]`, `[7]`.
constexpr text step_of(frame const& here) {
    if (here.index != frame::by_key) return concat('[', here.index, ']');
    text step;
    append_key(step, here.key, true);
    return step;
}

constexpr text path_of(frame const& here) {
    if (here.parent == nullptr) return here.key;
    text path = path_of(*here.parent);
    path.append(step_of(here));
    return path;
}

/// One step of a path: to a key if `key` is set, else to an index.
struct step {
    std::optional<text> key;
    std::size_t index = 0;
};

/// Takes the first step off a path; a leading `$` and the dot before a key are skipped. Nothing at the end of
/// the path.
constexpr std::optional<step> take_step(std::string_view& path) {
    if (!path.empty() && path[0] == '$') path.remove_prefix(1);
    if (!path.empty() && path[0] == '.') path.remove_prefix(1);
    if (path.empty()) return std::nullopt;
    step one;
    if (path.substr(0, 2) == "[\"") {
        std::size_t at = 2;
        one.key.emplace();
        while (at < path.size() && path[at] != '"') {
            if (path[at] == '\\' && at + 1 < path.size()) ++at;
            one.key->append(path[at++]);
        }
        path.remove_prefix(at + 2 < path.size() ? at + 2 : path.size());
    } else if (path[0] == '[') {
        std::size_t at = 1;
        while (at < path.size() && path[at] >= '0' && path[at] <= '9')
            one.index = one.index * 10 + static_cast<std::size_t>(path[at++] - '0');
        path.remove_prefix(at < path.size() ? at + 1 : at);
    } else {
        std::size_t at = 0;
        while (at < path.size() && path[at] != '.' && path[at] != '[') ++at;
        one.key = path.substr(0, at);
        path.remove_prefix(at);
    }
    return one;
}

/// Whether `inner` is the path of a value in the value at `outer`, or of that itself.
constexpr bool within(std::string_view inner, std::string_view outer) {
    if (!inner.starts_with(outer)) return false;
    return inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[';
}

} // namespace detail

/// A relative path from keys and indices: `path("ranges", 0, 1, "gateway")` is `ranges[0][1].gateway`.
template <class... Steps> constexpr text path(Steps const&... steps) {
    text out;
    [[maybe_unused]] auto const add = [&](auto const& one) {
        if constexpr (std::integral<std::remove_cvref_t<decltype(one)>>)
            out.append(concat('[', one, ']'));
        else
            detail::append_key(out, one, !out.empty());
    };
    (add(steps), ...);
    return out;
}

/// Joins a relative path to a base.
constexpr text join_paths(std::string_view base, std::string_view relative) {
    bool const dot = !base.empty() && !relative.empty() && relative[0] != '[';
    return concat(base, dot ? "." : "", relative);
}

/// Offset of the value at `wanted` in `source`, which is a JSON document. Keys are matched as the reader
/// matches them, and the last duplicate counts. Where the path leads to what is absent: offset of the nearest
/// enclosing value. 0 if `source` is not JSON.
constexpr std::size_t locate(std::string_view source, std::string_view wanted) {
    if (detail::check_syntax(source)) return 0;
    detail::cursor at(source.data(), source.data() + source.size());
    at.space();
    while (std::optional<detail::step> const step = detail::take_step(wanted)) {
        char const* const container = at.at();
        char const* found = container;
        bool absent = true;
        if (at.peek() != (step->key ? '{' : '[')) break;
        for (std::size_t index = 0; at.next(); ++index) {
            bool match = !step->key && index == step->index;
            if (step->key) {
                text buffer;
                std::string_view const key = at.string(buffer);
                match = detail::same_folded(key, {step->key->view().data(), step->key->size()});
                at.colon();
            }
            if (match) {
                found = at.at();
                absent = false;
            }
            at.skip();
            at.space();
        }
        at.go(found);
        if (absent) break;
    }
    return static_cast<std::size_t>(at.at() - source.data());
}

} // namespace cnix::config
