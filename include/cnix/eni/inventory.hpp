#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/config/read.hpp>
#include <cnix/eni/inventory_file.hpp>
#include <cnix/eni/network_interface.hpp>
#include <cnix/sys/read_file.hpp>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

/// The node's ENIs as a user lists them in a file, where no daemon finds them out; docs/eni-pool.md.
namespace cnix::eni {

/// Reads the text of an inventory. Throws cni::error with all faults; `path` is for the message.
inline std::vector<network_interface> read_inventory(std::string_view text, std::string const& path) {
    auto const reading = config::read<inventory_file::document>(text, config::strict);
    if (!reading.ok())
        throw cni::error{cni::code::invalid_network_config,
                         "invalid inventory of ENIs " + path + ": " +
                             std::string{config::to_string(reading.faults).view()}};
    std::vector<network_interface> all;
    for (inventory_file::eni const& one : reading.value.enis) all.push_back(one.made());
    return all;
}

/// Reads the file. Throws cni::error, or std::system_error if the file cannot be read. `named` is how a user names another file.
inline std::vector<network_interface> load_inventory(std::string const& path,
                                                     std::string const& named = "in `ipam.inventory`") {
    std::string text;
    try {
        text = sys::read_file(path, config::max_size, " (the inventory of ENIs)");
    } catch (std::system_error const& e) {
        if (e.code().value() != ENOENT) throw;
        throw cni::error{cni::code::try_again_later,
                         "there is no inventory of ENIs " + path + ": write it, or name the file " + named};
    }
    return read_inventory(text, path);
}

} // namespace cnix::eni
