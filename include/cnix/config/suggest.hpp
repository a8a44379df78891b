#pragma once
// The nearest of a list of names to a misspelt one.

#include <cnix/config/schema.hpp>

#include <cstddef>
#include <string_view>

namespace cnix::config::detail {

/// Edits (insert, delete, replace, swap neighbours) that turn `left` into `right`, ignoring ASCII case;
/// `limit + 1` when there are more than `limit`. Looks only at the cells of the table within `limit` of the
/// diagonal, and stops when a row has none left within the limit: cheap enough for a constant evaluation.
constexpr std::size_t edit_distance(std::string_view left, std::string_view right, std::size_t limit) {
    constexpr std::size_t longest = 64;
    std::size_t const rows = left.size();
    std::size_t const columns = right.size();
    if (rows > longest || columns > longest || rows > columns + limit || columns > rows + limit)
        return limit + 1;
    char const* const a = left.data();
    char const* const b = right.data();
    std::size_t table[3][longest + 1]{};
    for (std::size_t j = 0; j <= columns; ++j) table[0][j] = j;
    for (std::size_t i = 1; i <= rows; ++i) {
        std::size_t const* const before = table[(i + 1) % 3];
        std::size_t const* const last = table[(i + 2) % 3];
        std::size_t* const row = table[i % 3];
        std::size_t const from = i > limit ? i - limit : 0;
        std::size_t const to = i + limit < columns ? i + limit : columns;
        std::size_t least = limit + 1;
        for (std::size_t j = from; j <= to; ++j) {
            std::size_t best = i; // what the first column holds
            if (j != 0) {
                bool const same = lower(a[i - 1]) == lower(b[j - 1]);
                best = last[j - 1] + (same ? 0U : 1U);
                if (j < i + limit && last[j] + 1 < best)
                    best = last[j] + 1; // the cell above is in its row's band
                if (j != from && row[j - 1] + 1 < best) best = row[j - 1] + 1;
                if (!same && i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                    lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1 < best)
                    best = before[j - 2] + 1;
            }
            row[j] = best;
            if (best < least) least = best;
        }
        if (least > limit) return limit + 1;
    }
    std::size_t const distance = table[rows % 3][columns];
    return distance > limit ? limit + 1 : distance;
}

/// The name that `key` was likely meant to be; empty if none is near: up to 3 edits, and no more than a third
/// of the key.
constexpr std::string_view nearest(key_name const* names, std::size_t size, std::string_view key) {
    std::size_t limit = key.size() < 3 ? 1 : key.size() / 3;
    if (limit > 3) limit = 3;
    std::string_view best;
    for (std::size_t i = 0; i < size; ++i) {
        std::size_t const distance = edit_distance(key, names[i].view(), limit);
        if (distance > limit) continue;
        if (distance == 0) return names[i].view();
        best = names[i].view();
        limit = distance - 1; // only a nearer one replaces it
        if (limit == 0) break;
    }
    return best;
}

} // namespace cnix::config::detail
