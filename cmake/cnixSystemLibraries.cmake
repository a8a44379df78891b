# The system libraries behind the backends, looked for where cnix is built and again where its package is used.
cmake_policy(VERSION 3.25)

# Defines the imported target cnix::system_<name> of a header and a library, if both are there. A shared library tells its
# users so (CNIX_SHARED), so that they are not linked with -static.
function(_cnix_find_system name header suffix)
  string(TOUPPER ${name} upper)
  find_path(${upper}_INCLUDE_DIR ${header} PATH_SUFFIXES ${suffix})
  find_library(${upper}_LIBRARY NAMES ${ARGN})
  mark_as_advanced(${upper}_INCLUDE_DIR ${upper}_LIBRARY)
  if(TARGET cnix::system_${name} OR NOT ${upper}_INCLUDE_DIR OR NOT ${upper}_LIBRARY)
    return()
  endif()
  add_library(cnix::system_${name} INTERFACE IMPORTED)
  target_include_directories(cnix::system_${name} SYSTEM INTERFACE ${${upper}_INCLUDE_DIR})
  target_link_libraries(cnix::system_${name} INTERFACE ${${upper}_LIBRARY})
  if(NOT ${upper}_LIBRARY MATCHES "\\.a$")
    set_target_properties(cnix::system_${name} PROPERTIES COMPATIBLE_INTERFACE_BOOL CNIX_SHARED INTERFACE_CNIX_SHARED ON)
  endif()
endfunction()

_cnix_find_system(libnl netlink/netlink.h libnl3 libnl-3.a nl-3) # its core: messages and sockets
_cnix_find_system(nettle nettle/sha2.h "" libnettle.a nettle)
include("${CMAKE_CURRENT_LIST_DIR}/cnixGrpcMessages.cmake")
_cnix_find_system(nftables nftables/libnftables.h "" nftables) # Debian has no static library of it
