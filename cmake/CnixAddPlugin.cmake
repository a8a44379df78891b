# cnix_add_plugin: an executable that is a CNI plugin, of policies that are named or of a composition in C++. docs/cmake.md
include_guard(GLOBAL)
cmake_policy(VERSION 3.25) # for the functions below, whatever the caller's

# cnix_add_plugin(<target> LINK bridge IPAM host-local|delegate|pool NAT nftables|iptables|none [NS setns]
#                 [SPOOF_CHECK nftables|none] [NFT nftables|libnftables] [BODIES prebuilt|headers] [OUTPUT_NAME <name>] [DYNAMIC])
# cnix_add_plugin(<target> LINK eni-routed IPAM remote|pool NAT nftables|iptables|none [NS setns]
#                 [GENERATION v1.20|v1.10|v1.7] [NFT nftables|libnftables] [BODIES prebuilt|headers] [OUTPUT_NAME <name>] [DYNAMIC])
# cnix_add_plugin(<target> SOURCES <file>... [BACKENDS <backend>...] [HEADER <file> PLUGIN <type>]
#                 [BODIES prebuilt|headers] [OUTPUT_NAME <name>] [DYNAMIC])
function(cnix_add_plugin target)
  set(slots LINK IPAM NAT NS SPOOF_CHECK NFT GENERATION)
  set(hand_written SOURCES BACKENDS HEADER PLUGIN)
  set(keywords ${slots} ${hand_written} BODIES OUTPUT_NAME DYNAMIC)
  cmake_parse_arguments(PARSE_ARGV 1 arg "DYNAMIC" "${slots};HEADER;PLUGIN;BODIES;OUTPUT_NAME" "SOURCES;BACKENDS")
  set(call "cnix_add_plugin(${target})")

  if(arg_UNPARSED_ARGUMENTS)
    list(GET arg_UNPARSED_ARGUMENTS 0 word)
    list(JOIN keywords ", " known)
    message(FATAL_ERROR "${call}: `${word}` is no option, nor the value of one; the options are ${known}. SOURCES and BACKENDS take "
                        "several values, DYNAMIC none, the others one")
  endif()
  set(given_slots "")
  set(given_hand_written "")
  foreach(keyword IN LISTS keywords)
    set(arguments "${ARGN}")
    list(FILTER arguments INCLUDE REGEX "^${keyword}$")
    list(LENGTH arguments count)
    if(count EQUAL 0)
      continue()
    endif()
    if(count GREATER 1)
      message(FATAL_ERROR "${call}: ${keyword} is given ${count} times; leave one")
    endif()
    if(NOT keyword STREQUAL "DYNAMIC" AND "${arg_${keyword}}" STREQUAL "")
      _cnix_values(${keyword} values)
      _cnix_either(words ${values})
      message(FATAL_ERROR "${call}: ${keyword} has no value; write ${words}, or leave ${keyword} out")
    endif()
    if(keyword IN_LIST slots)
      list(APPEND given_slots ${keyword})
    elseif(keyword IN_LIST hand_written)
      list(APPEND given_hand_written ${keyword})
    endif()
  endforeach()

  if(given_slots AND given_hand_written)
    list(JOIN given_slots " " given_slots)
    list(JOIN given_hand_written " " given_hand_written)
    message(FATAL_ERROR "${call}: ${given_slots} generate the composition, ${given_hand_written} describe one that is written by "
                        "hand; leave out the one or the other")
  endif()
  if(NOT given_slots AND NOT given_hand_written)
    message(FATAL_ERROR "${call}: neither policies nor sources; write LINK, IPAM and NAT for a composition that is generated, "
                        "or SOURCES for one that is written by hand")
  endif()
  if(NOT CMAKE_CXX_COMPILER_LOADED)
    message(FATAL_ERROR "${call}: C++ is not enabled; write project(... LANGUAGES CXX)")
  endif()
  set(type "${target}")
  if(arg_OUTPUT_NAME)
    set(type "${arg_OUTPUT_NAME}")
  endif()
  if(NOT type MATCHES "^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
    message(FATAL_ERROR "${call}: `${type}` cannot be a plugin's file name, which is the `type` of network configurations; write "
                        "letters, digits, `_`, `.`, `+` and `-`, as OUTPUT_NAME if the target cannot be named so")
  endif()
  # CMake would say so itself, after files of that name are written.
  if(NOT target MATCHES "^[A-Za-z0-9_.+-]+$")
    message(FATAL_ERROR "${call}: `${target}` cannot be a target's name; write letters, digits, `_`, `.`, `+` and `-`")
  elseif(TARGET ${target})
    message(FATAL_ERROR "${call}: there is a target `${target}` already; give this one another name, and its file's as OUTPUT_NAME")
  endif()

  # Policies and backends of the user's own have their bodies in no library.
  set(bodies headers)
  if(given_slots AND TARGET cnix::prebuilt)
    get_target_property(preferred cnix::prebuilt CNIX_DEFAULT)
    if(preferred)
      set(bodies prebuilt)
    endif()
  endif()
  _cnix_take("${call}" BODIES ${bodies})
  if(given_slots)
    _cnix_generate_plugin("${call}" "${target}")
  else()
    _cnix_check_hand_written("${call}")
    _cnix_require_backends("${call}" ${arg_BACKENDS})
  endif()
  set(library "")
  if(arg_BODIES STREQUAL "prebuilt")
    _cnix_prebuilt(library ${arg_BACKENDS})
    if(NOT library)
      message(STATUS "${call}: there is no library of bodies over these backends; all is compiled from the headers")
    endif()
  endif()

  add_executable(${target} ${arg_SOURCES})
  list(TRANSFORM arg_BACKENDS PREPEND cnix::)
  target_link_libraries(${target} PRIVATE ${library} cnix::cnix ${arg_BACKENDS})
  _cnix_link_statically(${target} "${arg_DYNAMIC}")
  set_target_properties(${target} PROPERTIES OUTPUT_NAME "${type}" CNIX_TYPE "${type}")
  if(arg_HEADER)
    set_target_properties(${target} PROPERTIES CNIX_HEADER "${arg_HEADER}" CNIX_PLUGIN "${arg_PLUGIN}")
  endif()
endfunction()

# What a keyword takes: words, or one phrase for a value of the user's own.
function(_cnix_values keyword result)
  set(LINK bridge eni-routed)
  set(IPAM host-local delegate pool remote)
  set(NAT nftables iptables none)
  set(NS setns)
  set(SPOOF_CHECK nftables none)
  set(NFT nftables libnftables)
  set(GENERATION v1.20 v1.10 v1.7)
  set(BODIES prebuilt headers)
  set(BACKENDS libnl nftables libnftables iptables grpc recording)
  set(SOURCES "the composition's source files")
  set(HEADER "the header that names the composition")
  set(PLUGIN "the composition's name in HEADER, such as site::bridge")
  set(OUTPUT_NAME "the plugin's file name")
  set(${result} "${${keyword}}" PARENT_SCOPE)
endfunction()

# a, b or c
function(_cnix_either result)
  list(POP_BACK ARGN last)
  list(JOIN ARGN ", " text)
  if(text)
    string(APPEND text " or ")
  endif()
  set(${result} "${text}${last}" PARENT_SCOPE)
endfunction()

# Refuses a word that the slot does not take. One that is not given is the default, if there is one.
function(_cnix_take call slot)
  _cnix_values(${slot} values)
  _cnix_either(words ${values})
  if("${arg_${slot}}" STREQUAL "")
    if(NOT ARGN)
      message(FATAL_ERROR "${call}: ${slot} is missing; write ${slot} ${words}")
    endif()
    set(arg_${slot} ${ARGN} PARENT_SCOPE)
  elseif(NOT arg_${slot} IN_LIST values)
    message(FATAL_ERROR "${call}: ${slot} `${arg_${slot}}` is unknown; write ${words}")
  endif()
endfunction()

# Writes the composition's header and source, and sets arg_SOURCES, arg_BACKENDS, arg_HEADER and arg_PLUGIN accordingly.
function(_cnix_generate_plugin call target)
  if(target MATCHES "(.*)\\.verbs$")
    message(FATAL_ERROR "${call}: `${target}.cpp` is what a source of a target `${CMAKE_MATCH_1}` is called; give this one another name, and "
                        "its file's as OUTPUT_NAME")
  endif()
  _cnix_take("${call}" LINK)
  _cnix_take("${call}" IPAM)
  _cnix_take("${call}" NAT)
  _cnix_take("${call}" NS setns)
  # What would be an error of the compiler, minutes later (docs/compose.md#leases).
  if(arg_LINK STREQUAL "eni-routed" AND NOT arg_IPAM MATCHES "^(pool|remote)$")
    message(FATAL_ERROR "${call}: LINK eni-routed must know the ENI of each address, which IPAM ${arg_IPAM} does not tell; write IPAM remote or pool")
  elseif(arg_LINK STREQUAL "bridge" AND arg_IPAM STREQUAL "remote")
    message(FATAL_ERROR "${call}: LINK bridge puts pods on a subnet, and IPAM remote tells addresses without one; write IPAM host-local, "
                        "delegate or pool")
  endif()
  if(arg_LINK STREQUAL "bridge")
    _cnix_take("${call}" SPOOF_CHECK nftables)
  elseif(arg_SPOOF_CHECK)
    message(FATAL_ERROR "${call}: SPOOF_CHECK is a bridge's; leave it out")
  else()
    set(arg_SPOOF_CHECK none)
  endif()
  if(arg_IPAM STREQUAL "remote")
    _cnix_take("${call}" GENERATION v1.20)
  elseif(arg_GENERATION)
    message(FATAL_ERROR "${call}: GENERATION is that of the daemon's protocol, which IPAM ${arg_IPAM} does not speak; leave it out")
  endif()
  if(arg_NFT AND arg_SPOOF_CHECK STREQUAL "none" AND NOT arg_NAT STREQUAL "nftables")
    message(FATAL_ERROR "${call}: NFT says how nftables is driven, which nothing of this plugin uses; leave NFT out")
  endif()
  _cnix_take("${call}" NFT nftables)

  set(backends libnl)
  string(REPLACE "-" "_" link "${arg_LINK}")
  set(headers link/${link} ns/${arg_NS})
  set(link "cnix::link::${link}<cnix::backends::libnl>")
  if(arg_SPOOF_CHECK STREQUAL "nftables")
    list(APPEND backends ${arg_NFT})
    list(APPEND headers link/spoof_check)
    set(link "cnix::link::bridge<cnix::backends::libnl, cnix::link::spoof_check<cnix::backends::${arg_NFT}>>")
  endif()
  string(REPLACE "-" "_" ipam "${arg_IPAM}")
  list(APPEND headers ipam/${ipam} nat/${arg_NAT})
  if(arg_IPAM STREQUAL "remote")
    list(APPEND backends grpc)
    string(REPLACE "." "_" generation "${arg_GENERATION}")
    string(APPEND ipam "<cnix::backends::grpc<cnix::rpc::${generation}>>")
  endif()
  set(nat "cnix::nat::${arg_NAT}")
  if(arg_NAT STREQUAL "nftables")
    list(APPEND backends ${arg_NFT})
    string(APPEND nat "<cnix::backends::${arg_NFT}>")
  elseif(arg_NAT STREQUAL "iptables")
    list(APPEND backends iptables)
    string(APPEND nat "<cnix::backends::iptables>")
  endif()
  list(REMOVE_DUPLICATES backends)
  _cnix_require_backends("${call}" ${backends} recording)

  foreach(backend IN LISTS backends)
    list(APPEND headers backends/${backend})
  endforeach()
  list(APPEND backends recording) # --plan
  list(APPEND headers plugin)
  list(SORT headers)
  list(TRANSFORM headers REPLACE "(.+)" "#include <cnix/\\1.hpp>\n")
  list(JOIN headers "" includes)
  # A target may well be called `default`, `link` or `linux`: a word of C++, of the C library, a macro. None begins so.
  string(MAKE_C_IDENTIFIER "plugin_${target}" name)

  set(directory "${CMAKE_CURRENT_BINARY_DIR}/cnix_plugins")
  file(CONFIGURE OUTPUT "${directory}/${target}.hpp" @ONLY CONTENT "// Written by @call@.
#pragma once
@includes@
using @name@ =
    cnix::plugin<@link@,
                 cnix::ipam::@ipam@,
                 @nat@,
                 cnix::ns::@arg_NS@>;
")
  file(CONFIGURE OUTPUT "${directory}/${target}.cpp" @ONLY CONTENT "// Written by @call@.
#include \"@target@.hpp\"

#include <cnix/main.hpp>
#include <cnix/plan.hpp>

// @target@.verbs.cpp, which is compiled at the same time
extern template void cnix::run<@name@>(cnix::cni::request const&);
extern template std::string cnix::plan<@name@>(std::string_view, std::string_view, std::string_view, cnix::cni::request);

template struct cnix::configuration<@name@>;

int main(int argc, char** argv) { return cnix::main<@name@>(argc, argv, cnix::plan<@name@>); }
")
  file(CONFIGURE OUTPUT "${directory}/${target}.verbs.cpp" @ONLY CONTENT "// Written by @call@.
#include \"@target@.hpp\"

#include <cnix/plan.hpp>
#include <cnix/verbs.hpp>

extern template struct cnix::configuration<@name@>; // @target@.cpp

template void cnix::run<@name@>(cnix::cni::request const&);
template std::string cnix::plan<@name@>(std::string_view, std::string_view, std::string_view, cnix::cni::request);
")
  set(arg_SOURCES "${directory}/${target}.cpp" "${directory}/${target}.verbs.cpp" "${directory}/${target}.hpp" PARENT_SCOPE)
  set(arg_BACKENDS ${backends} PARENT_SCOPE)
  set(arg_HEADER "${directory}/${target}.hpp" PARENT_SCOPE)
  set(arg_PLUGIN "${name}" PARENT_SCOPE)
endfunction()

# Sets arg_HEADER to the absolute path.
function(_cnix_check_hand_written call)
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "${call}: SOURCES is missing; write SOURCES and the composition's source files")
  endif()
  if(NOT arg_HEADER AND NOT arg_PLUGIN)
    return()
  endif()
  if(NOT arg_HEADER OR NOT arg_PLUGIN)
    message(FATAL_ERROR "${call}: HEADER and PLUGIN say together where the composition's type is found; write both, such as "
                        "HEADER composition.hpp PLUGIN site::bridge, or neither")
  endif()
  if(NOT arg_PLUGIN MATCHES "^(::)?[A-Za-z_][A-Za-z0-9_]*(::[A-Za-z_][A-Za-z0-9_]*)*$")
    message(FATAL_ERROR "${call}: PLUGIN `${arg_PLUGIN}` is not the name of a type; write a name such as site::bridge, and "
                        "`using bridge = cnix::plugin<...>;` in ${arg_HEADER}")
  endif()
  get_filename_component(header "${arg_HEADER}" ABSOLUTE)
  execute_process(COMMAND test -f "${header}" RESULT_VARIABLE status) # the compiler would read a FIFO forever
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${call}: HEADER ${header} is no file; write the path of the header that defines ${arg_PLUGIN}, relative to "
                        "${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
  set(arg_HEADER "${header}" PARENT_SCOPE)
endfunction()

function(_cnix_require_backends call)
  _cnix_values(BACKENDS backends)
  foreach(backend IN LISTS ARGN)
    if(NOT backend IN_LIST backends)
      _cnix_either(words ${backends})
      message(FATAL_ERROR "${call}: BACKENDS `${backend}` is unknown; write ${words}. What is not cnix's is linked with "
                          "target_link_libraries()")
    endif()
  endforeach()
  foreach(backend IN LISTS ARGN)
    if(NOT TARGET cnix::${backend})
      set(there "")
      foreach(other IN LISTS backends)
        if(TARGET cnix::${other})
          list(APPEND there ${other})
        endif()
      endforeach()
      list(JOIN there ", " there)
      if(NOT there)
        set(there none)
      endif()
      string(CONCAT why
        "its libraries were not found when cnix was (Debian: libnl-3-dev for libnl and nftables; nettle-dev too for iptables; "
        "libnftables-dev too for libnftables; libnghttp2-dev, libprotobuf-dev and protobuf-compiler for grpc). Install them and configure anew with --fresh")
      if(backend STREQUAL "recording")
        set(why "it needs no libraries, so cnix's package is not whole. Install it anew")
      endif()
      message(FATAL_ERROR "${call}: there is no target cnix::${backend}: ${why}. There are: ${there}")
    endif()
  endforeach()
endfunction()

# Sets result to the library that has the bodies of cnix's functions, and of policies over these backends: nothing if there is none.
function(_cnix_prebuilt result)
  set(${result} "" PARENT_SCOPE)
  if(TARGET cnix::prebuilt)
    get_target_property(there cnix::prebuilt CNIX_BACKENDS)
    list(REMOVE_ITEM ARGN ${there})
    if(NOT ARGN) # else it was compiled where a backend's libraries were missing
      set(${result} cnix::prebuilt PARENT_SCOPE)
    endif()
  endif()
endfunction()

# A process that comes up through the dynamic linker with libstdc++ and libnl needs 1.7 ms before main(), with the C library
# alone a quarter of that, and a static plugin runs on any distribution. Code and constants in one segment make two mappings
# less. The sanitizers' runtime is a shared library, as are some backends' (CNIX_SHARED, cnixSystemLibraries.cmake).
function(_cnix_link_statically target dynamic)
  target_link_options(${target} PRIVATE -Wl,--gc-sections,-z,noseparate-code)
  get_directory_property(directory_options LINK_OPTIONS)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
  set(flags "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}} ${CMAKE_EXE_LINKER_FLAGS} ${directory_options}")
  if(NOT dynamic AND NOT flags MATCHES "-fsanitize=")
    # ld warns of getprotobyname(), which libnl has and nothing calls: static programs need glibc's plugins for it.
    target_link_options(${target} PRIVATE $<$<NOT:$<BOOL:$<TARGET_PROPERTY:CNIX_SHARED>>>:-static;-Wl,--no-warnings>)
  endif()
endfunction()
