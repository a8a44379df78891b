// Any bytes as a configuration: no undefined behaviour, and what the reader and the writer promise holds.
#include <cnix/cni/json_writer.hpp>
#include <cnix/config/read.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unit/config/demo.hpp>

using namespace cnix::config;

namespace {

void require(bool holds, char const* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

bool inside(std::string_view slice, std::string_view source) {
    return slice.empty() ||
           (slice.data() >= source.data() && slice.data() + slice.size() <= source.data() + source.size());
}

template <class Type> reading<Type> read_and_check(std::string_view source, options how) {
    reading<Type> one = read<Type>(source, how);
    require(one.well_formed || (one.faults.size() == 1 && one.faults[0].kind == fault_kind::syntax),
            "one syntax fault");
    require(one.faults.size() <= max_faults, "bounded faults");
    std::size_t last = 0;
    for (fault const& each : one.faults) {
        require(each.offset <= source.size() && each.offset >= last, "places in order and inside the text");
        require(each.at == position_of(source, each.offset), "line and column");
        require(!each.message.empty() && (each.path.empty() == (each.kind == fault_kind::syntax)),
                "message and path");
        require(how.unknown == unknown_keys::fault ||
                    (each.kind != fault_kind::unknown_key && each.kind != fault_kind::duplicate_key),
                "lenient reading takes unknown and duplicate keys");
        if (each.kind == fault_kind::type || each.kind == fault_kind::value || each.kind == fault_kind::check)
            require(locate(source, each.path) <= source.size(), "path leads into the text");
        last = each.offset;
    }
    return one;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const source(reinterpret_cast<char const*>(data), size);
    auto const one = read_and_check<demo::plugin>(source, lenient);
    auto const again = read_and_check<demo::plugin>(source, strict);
    auto const list = read_and_check<demo::conflist>(source, strict);
    require(one.well_formed == again.well_formed && one.well_formed == list.well_formed, "one syntax");
    require(one.faults.size() <= again.faults.size(), "strict reading finds no less");
    demo::bridge const& bridge = get<demo::bridge>(one.value);
    require(inside(bridge.prevResult.json, source), "raw values are slices");
    if (!one.well_formed) return 0;

    // what is laid out anew means the same, and is laid out alike a second time
    using cnix::cni::json_writer;
    std::string const compact = json_writer(json_writer::layout::compact).raw(source).str();
    std::string const indented = json_writer().raw(compact).str();
    require(json_writer(json_writer::layout::compact).raw(indented).str() == compact,
            "layout goes there and back");
    auto const relaid = read_and_check<demo::plugin>(indented, strict);
    require(relaid.faults.size() == again.faults.size(), "layout keeps the meaning");
    require(get<demo::bridge>(relaid.value).bridge == get<demo::bridge>(again.value).bridge,
            "layout keeps strings");

    // any text as a path
    require(locate(R"({"a": [1, {"b": 2}], "c.d": 3})", source) <= 30, "locate stays inside the text");
    return 0;
}
