// The reader against Boost.JSON, on the corpus and on mutations of it: both accept the same texts and decode
// them to the same values.
#include <cnix/config/read.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace json = boost::json;
namespace config = cnix::config;
using config::detail::cursor;

namespace compared {

struct inner {
    bool b = false;
    std::int64_t i = 0;
};
struct outer {
    std::optional<bool> b;
    std::optional<std::int64_t> i;
    std::optional<std::uint8_t> u;
    std::optional<config::text> s;
    std::optional<std::vector<config::text>> l;
    std::vector<config::entry<bool>> m;
    std::optional<inner> o;
};

} // namespace compared
BOOST_HANA_ADAPT_STRUCT(compared::inner, b, i);
BOOST_HANA_ADAPT_STRUCT(compared::outer, b, i, u, s, l, m, o);

namespace {

// Deliberate differences:
// * Boost.JSON refuses escapes of half a surrogate pair; Go and cnix put U+FFFD in their place. It is given
// the text with that
//   replacement made.
// * Boost.JSON refuses strings that are not UTF-8, or by an option leaves them as they are; Go and cnix put
// U+FFFD in the place of each
//   wrong byte. It is given the option, and what it returns is repaired.
// * Boost.JSON refuses exponents beyond its range; these are numbers for Go and cnix, though integers for
// nobody. Left out.
// * Boost.JSON makes an integer that fits no 64 bits a double; for cnix it is out of range.

/// The text with half pairs of surrogates replaced.
std::string paired(std::string_view source) {
    auto const surrogate = [&](std::size_t at, char low,
                               char high) { // is there \uD?xx with ? from low to high?
        if (at + 6 > source.size() || source[at] != '\\' || source[at + 1] != 'u' ||
            (source[at + 2] | 0x20) != 'd')
            return false;
        char const second = static_cast<char>(source[at + 3] >= 'A' ? source[at + 3] | 0x20 : source[at + 3]);
        return second >= low && second <= high && std::isxdigit(static_cast<unsigned char>(second)) != 0 &&
               std::isxdigit(static_cast<unsigned char>(source[at + 4])) != 0 &&
               std::isxdigit(static_cast<unsigned char>(source[at + 5])) != 0;
    };
    std::string out;
    for (std::size_t at = 0; at < source.size();) {
        std::size_t size = source[at] == '\\' ? 2 : 1;
        bool half = false;
        if (surrogate(at, '8', 'b'))
            size = surrogate(at + 6, 'c', 'f') ? 12 : 6, half = size == 6;
        else if (surrogate(at, 'c', 'f'))
            size = 6, half = true;
        out += half ? std::string_view("\\ufffd") : source.substr(at, size);
        at += size;
    }
    return out;
}

json::value parse(std::string_view source, json::error_code& error) {
    json::parse_options how;
    how.allow_invalid_utf8 = true;
    how.max_depth = config::max_depth;
    return json::parse({source.data(), source.size()}, error, {}, how);
}

/// What Go and cnix make of bytes that Boost.JSON leaves as they are. An independent decoder: the table of
/// Unicode 15, 3-7.
std::string repaired(std::string_view bytes) {
    std::string out;
    while (!bytes.empty()) {
        auto const at = [&](std::size_t i) {
            return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
        };
        auto const in = [&](std::size_t i, unsigned low, unsigned high) {
            return at(i) >= low && at(i) <= high;
        };
        auto const tail = [&](std::size_t i) { return in(i, 0x80, 0xBF); };
        std::size_t size = 0;
        if (in(0, 0, 0x7F))
            size = 1;
        else if (in(0, 0xC2, 0xDF) && tail(1))
            size = 2;
        else if (((at(0) == 0xE0 && in(1, 0xA0, 0xBF)) || (in(0, 0xE1, 0xEC) && tail(1)) ||
                  (at(0) == 0xED && in(1, 0x80, 0x9F)) || (in(0, 0xEE, 0xEF) && tail(1))) &&
                 tail(2))
            size = 3;
        else if (((at(0) == 0xF0 && in(1, 0x90, 0xBF)) || (in(0, 0xF1, 0xF3) && tail(1)) ||
                  (at(0) == 0xF4 && in(1, 0x80, 0x8F))) &&
                 tail(2) && tail(3))
            size = 4;
        out += size == 0 ? std::string_view("\uFFFD") : bytes.substr(0, size);
        bytes.remove_prefix(size == 0 ? 1 : size);
    }
    return out;
}

/// Walks both trees at once. Of duplicate keys both keep the last.
bool same(std::string_view source, json::value const& expected) {
    cursor in(source.data(), source.data() + source.size());
    in.space();
    switch (expected.kind()) {
    case json::kind::null:
        return in.skip() == "null";
    case json::kind::bool_:
        return in.skip() == (expected.get_bool() ? "true" : "false");
    case json::kind::int64: {
        auto const one = config::read<std::int64_t>(source);
        return one.ok() && one.value == expected.get_int64();
    }
    case json::kind::uint64: {
        auto const one = config::read<std::uint64_t>(source);
        return one.ok() && one.value == expected.get_uint64();
    }
    case json::kind::double_:
        // -0 is the one number without fraction and exponent that Boost.JSON may keep as a double though it
        // fits
        return !config::read<std::int64_t>(source).ok() || expected.get_double() == 0;
    case json::kind::string: {
        config::text buffer;
        return in.peek() == '"' &&
               in.string(buffer) == repaired({expected.get_string().data(), expected.get_string().size()});
    }
    case json::kind::array: {
        std::size_t index = 0;
        for (; in.next(); in.space(), ++index)
            if (index == expected.get_array().size() || !same(in.skip(), expected.get_array()[index]))
                return false;
        return index == expected.get_array().size();
    }
    case json::kind::object: {
        std::map<std::string, std::string_view> members;
        while (in.next()) {
            config::text buffer;
            std::string const key(in.string(buffer));
            in.colon();
            members[key] = in.skip();
            in.space();
        }
        std::map<std::string, json::value const*> expected_members;
        for (auto const& one : expected.get_object())
            expected_members[repaired({one.key().data(), one.key().size()})] = &one.value();
        // two keys that differ in bytes which are not UTF-8 are one key after repair, and which of them is
        // last is lost
        if (expected_members.size() != expected.get_object().size()) return true;
        if (members.size() != expected_members.size()) return false;
        for (auto const& [key, value] : expected_members)
            if (!members.contains(key) || !same(members[key], *value)) return false;
        return true;
    }
    }
    return false;
}

/// Whether a typed reading agrees with the tree. Leaves out what Go adds on purpose: keys in another case,
/// and duplicates, which the reader merges into one struct.
void compare_typed(std::string_view source, json::object const& object) {
    auto const one = config::read<compared::outer>(source, config::strict);
    for (auto const& fault : one.faults)
        if (fault.kind == config::fault_kind::duplicate_key) return;
    for (auto const& member : object)
        if (member.key().size() != 1 ||
            std::string_view("biuslmo").find(member.key()[0]) == std::string_view::npos)
            return;
    json::value const* member = object.if_contains("b");
    CHECK(one.value.b.has_value() == (member != nullptr && member->is_bool()));
    if (one.value.b) CHECK(*one.value.b == member->get_bool());
    member = object.if_contains("i");
    bool const integer = member != nullptr && member->is_int64();
    CHECK((one.value.i.has_value() == integer || (member != nullptr && member->is_double())));
    if (one.value.i && integer) CHECK(*one.value.i == member->get_int64());
    member = object.if_contains("u");
    bool const byte =
        member != nullptr && member->is_int64() && member->get_int64() >= 0 && member->get_int64() < 256;
    CHECK((one.value.u.has_value() == byte || (member != nullptr && member->is_double())));
    if (one.value.u && byte) CHECK(*one.value.u == member->get_int64());
    member = object.if_contains("s");
    CHECK(one.value.s.has_value() == (member != nullptr && member->is_string()));
    if (one.value.s)
        CHECK(*one.value.s == repaired({member->get_string().data(), member->get_string().size()}));
    member = object.if_contains("l");
    CHECK(one.value.l.has_value() == (member != nullptr && member->is_array()));
    if (one.value.l) CHECK(one.value.l->size() == member->get_array().size());
    member = object.if_contains("o");
    CHECK(one.value.o.has_value() == (member != nullptr && member->is_object()));
}

struct tally {
    std::size_t accepted = 0;
    std::size_t rejected = 0;
    std::size_t deliberate = 0;
};

void compare(std::string const& source, tally& seen) {
    CAPTURE(source);
    auto const fault = config::detail::check_syntax(source);
    json::error_code error;
    std::string const given = paired(source);
    json::value const tree = parse(given, error);
    if (error == json::error::exponent_overflow) return;
    if (given != source) ++seen.deliberate;
    CAPTURE(error.message());
    REQUIRE(!fault == !error);
    if (fault) {
        CHECK(fault->offset <= source.size());
        ++seen.rejected;
        return;
    }
    CHECK(same(source, tree));
    if (tree.is_object()) compare_typed(source, tree.get_object());
    ++seen.accepted;
}

std::vector<std::string> corpus() {
    std::vector<std::string> all;
    for (char const* const part : {"/accept", "/reject"})
        for (auto const& file : std::filesystem::directory_iterator(std::string(CNIX_CORPUS) + part)) {
            std::ifstream in(file.path(), std::ios::binary);
            all.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>{});
        }
    std::sort(all.begin(),
              all.end()); // directory order is not the same everywhere, the seed's meaning should be
    return all;
}

} // namespace

TEST_CASE("the corpus") {
    tally seen;
    for (std::string const& source : corpus()) compare(source, seen);
    CHECK(seen.accepted > 25);
    CHECK(seen.rejected > 50);
    CHECK(seen.deliberate == 1); // lone_surrogates.json
}

TEST_CASE("mutations of the corpus") {
    constexpr std::string_view pieces[]{
        "{",       "}",       "[",      "]",      ",",      ":",      "\"",     "\\",   "\\u00",
        "\\ud83d", "\\ude00", "null",   "true",   "-",      "0",      "1e3",    ".5",   " ",
        "\n",      "\"b\":",  "\"i\":", "\"u\":", "\"s\":", "\"l\":", "\"o\":", "\xc3", "\xff"};
    std::vector<std::string> const seeds = corpus();
    std::mt19937 random(1081);
    auto const below = [&](std::size_t bound) { return bound == 0 ? 0 : random() % bound; };
    tally seen;
    for (int i = 0; i < 60000; ++i) {
        std::string source = seeds[below(seeds.size())];
        if (source.size() > 1000) source.resize(below(1000));
        for (std::size_t edits = 1 + below(3); edits != 0; --edits) {
            std::size_t const at = below(source.size() + 1);
            std::size_t const size = below(std::min<std::size_t>(8, source.size() - at + 1));
            std::string const part = source.substr(at, size);
            switch (below(5)) {
            case 0:
                source.insert(at, pieces[below(std::size(pieces))]);
                break;
            case 1:
                source.erase(at, size);
                break;
            case 2:
                source.insert(below(source.size() + 1), part);
                break;
            case 3:
                source.replace(at, size, pieces[below(std::size(pieces))]);
                break;
            default:
                if (at < source.size()) source[at] = static_cast<char>(below(256));
            }
        }
        compare(source, seen);
    }
    // the mutations reach both sides
    CHECK(seen.accepted > 3000);
    CHECK(seen.rejected > 5000);
    CHECK(seen.deliberate > 10);
}
