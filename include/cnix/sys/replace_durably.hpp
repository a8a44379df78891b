#pragma once
#include <cnix/sys/directory.hpp>

#include <cstdio>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace cnix::sys {

/// Puts a file in its place: whenever the writer is killed, or the machine loses power, there is what was there before or the new
/// file, whole; after the return the new one. Throws std::system_error: then the former is there and nothing else, unless it was
/// the last step that failed, making the new name durable.
///
/// The bytes are written to `fresh` first, a name that nobody else has. `flags` are renameat2(2)'s: with RENAME_NOREPLACE, a file of
/// that name stays, and EEXIST is thrown.
inline void put_durably(directory const& in, std::string const& fresh, std::string const& name,
                        std::string_view bytes, mode_t mode, unsigned flags = 0) {
    auto const fail = [&](int error, char const* operation, std::string const& what) {
        throw_errno(error, std::string{operation} + " \"" + in.path(what) + '"');
    };
    if (!in.create(fresh, bytes, mode)) fail(EEXIST, "create the file", fresh);
    try {
        fd const file{::openat(in.get(), fresh.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
        if (!file || ::fsync(file.get()) != 0) fail(errno, "write to the disk", fresh);
        if (::renameat2(in.get(), fresh.c_str(), in.get(), name.c_str(), flags) != 0)
            fail(errno, "replace the file", name);
    } catch (...) {
        ::unlinkat(in.get(), fresh.c_str(), 0);
        throw;
    }
    if (::fsync(in.get()) != 0) throw_errno(errno, "write to the disk \"" + in.path() + '"');
}

/// put_durably(), by way of NAME.new. One that a killed writer left is removed; callers of one name must exclude each other.
inline void replace_durably(directory const& in, std::string const& name, std::string_view bytes,
                            mode_t mode) {
    std::string const fresh = name + ".new";
    in.remove(fresh);
    put_durably(in, fresh, name, bytes, mode);
}

} // namespace cnix::sys
