#pragma once
#include <cnix/sys/directory.hpp>

#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace cnix::sys {

/// Puts a file in the place of whatever has that name. Whenever the writer is killed, or the machine loses power, there is the
/// old file or the new one, whole; after the return the new one. Throws std::system_error: then the old file is there and
/// nothing else, unless it was the last step that failed, making the new name durable.
///
/// The bytes are written to NAME.new first. One that a killed writer left is removed. Callers of one name must exclude each
/// other.
inline void replace_durably(directory const& in, std::string const& name, std::string_view bytes,
                            mode_t mode) {
    std::string const fresh = name + ".new";
    in.remove(fresh);
    auto const fail = [&](int error, char const* operation, std::string const& what) {
        throw_errno(error, std::string{operation} + " \"" + in.path(what) + '"');
    };
    if (!in.create(fresh, bytes, mode)) fail(EEXIST, "create the file", fresh);
    try {
        fd const file{::openat(in.get(), fresh.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
        if (!file || ::fsync(file.get()) != 0) fail(errno, "write to the disk", fresh);
        if (::renameat(in.get(), fresh.c_str(), in.get(), name.c_str()) != 0)
            fail(errno, "replace the file", name);
    } catch (...) {
        ::unlinkat(in.get(), fresh.c_str(), 0);
        throw;
    }
    if (::fsync(in.get()) != 0) throw_errno(errno, "write to the disk \"" + in.path() + '"');
}

} // namespace cnix::sys
