# cnix_check_config(<plugin> FILES <file>...)
#
# The compiler checks network configurations against a plugin: the build fails at each fault of a file, with its line and column.
# <plugin> is a target of cnix_add_plugin, whose name in a configuration is its output name. docs/checking.md
include_guard(GLOBAL)
cmake_policy(VERSION 3.25) # for the function below, whatever the caller's

# What cannot be written into a build file, or would be read forever.
function(_cnix_refuse_file call file path)
  string(ASCII 1 first)
  string(ASCII 31 last)
  string(ASCII 127 delete)
  if(path MATCHES "[${first}-${last}${delete};|]|\\$[<(]" OR file MATCHES ":")
    string(REGEX REPLACE "[${first}-${last}${delete}]" "?" shown "${path}")
    message(FATAL_ERROR "${call}: `${shown}` has a control character, `:`, `;`, `|`, `$<` or `$(` in its name, which build files cannot "
      "have; rename it")
  endif()
  # if(EXISTS) is false for a file that cannot be read, and no command of CMake's tells a FIFO from a file.
  foreach(test IN ITEMS "-e:there is no file `${file}` in ${CMAKE_CURRENT_SOURCE_DIR}"
                        "-f:`${file}` is no regular file; a configuration is read from one"
                        "-r:`${file}` cannot be read; change its permissions")
    string(SUBSTRING "${test}" 0 2 operator)
    string(SUBSTRING "${test}" 3 -1 why)
    execute_process(COMMAND test ${operator} "${path}" RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
      message(FATAL_ERROR "${call}: ${why}")
    endif()
  endforeach()
endfunction()

function(cnix_check_config plugin)
  set(call "cnix_check_config(${plugin})")
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FILES")
  if(DEFINED arg_UNPARSED_ARGUMENTS)
    list(JOIN arg_UNPARSED_ARGUMENTS "`, `" words)
    message(FATAL_ERROR "${call}: unknown `${words}`; write cnix_check_config(${plugin} FILES <file>...)")
  endif()
  if(NOT arg_FILES)
    message(FATAL_ERROR "${call}: no files; write cnix_check_config(${plugin} FILES <file>...)")
  endif()
  if(NOT TARGET ${plugin})
    message(FATAL_ERROR "${call}: there is no target `${plugin}`; call cnix_add_plugin(${plugin} ...) before")
  endif()
  get_target_property(aliased ${plugin} ALIASED_TARGET)
  if(NOT "${aliased}" STREQUAL "aliased-NOTFOUND")
    set(plugin "${aliased}")
  endif()
  get_target_property(header ${plugin} CNIX_HEADER)
  get_target_property(composition ${plugin} CNIX_PLUGIN)
  string(REGEX REPLACE "^::" "" composition "${composition}")
  get_target_property(type ${plugin} CNIX_TYPE)
  if("${header}" STREQUAL "header-NOTFOUND") # a target may be called `off` or `NOTFOUND`, which would be false
    message(FATAL_ERROR "${call}: `${plugin}` does not say where its composition is: give cnix_add_plugin its slots, or with SOURCES "
      "also HEADER <file with the composition> PLUGIN <its C++ name>")
  endif()

  get_property(count TARGET ${plugin} PROPERTY CNIX_CHECKS)
  math(EXPR count "0${count} + 1")
  set_property(TARGET ${plugin} PROPERTY CNIX_CHECKS ${count})
  set(check "${plugin}-configurations-${count}")
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/cnix_configurations/${check}")
  set(embed "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/CnixEmbedConfig.cmake")
  set(texts "")
  set(includes "")
  foreach(file IN LISTS arg_FILES)
    get_filename_component(path "${file}" ABSOLUTE)
    _cnix_refuse_file("${call}" "${file}" "${path}")
    list(LENGTH texts index)
    set(text "${directory}/${index}.inc")
    add_custom_command(OUTPUT "${text}" DEPENDS "${path}" "${embed}" VERBATIM
      COMMAND ${CMAKE_COMMAND} "-DFILE=${path}" "-DSHOWN=${file}" "-DOUTPUT=${text}" -DINDEX=${index} "-DPLUGIN=${composition}"
              "-DTYPE=${type}" -P "${embed}"
      COMMENT "Reading ${file} for ${plugin}")
    list(APPEND texts "${text}")
    string(APPEND includes "#include \"${index}.inc\" // ${file}\n")
  endforeach()

  # One source for all: the composition's headers cost more than the checks.
  set(source "${directory}/check.cpp")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT "// Written by @call@.
#include \"@header@\"

#include <cnix/accepts.hpp>

#pragma GCC diagnostic ignored \"-Woverlength-strings\"

@includes@")
  set_source_files_properties("${source}" PROPERTIES OBJECT_DEPENDS "${texts}")
  add_library(${check} OBJECT "${source}")
  target_link_libraries(${check} PRIVATE $<TARGET_PROPERTY:${plugin},LINK_LIBRARIES>)
  target_include_directories(${check} PRIVATE $<TARGET_PROPERTY:${plugin},INCLUDE_DIRECTORIES>)
  target_compile_definitions(${check} PRIVATE $<TARGET_PROPERTY:${plugin},COMPILE_DEFINITIONS>)
  target_compile_options(${check} PRIVATE $<TARGET_PROPERTY:${plugin},COMPILE_OPTIONS>)
  target_compile_features(${check} PRIVATE cxx_std_20 $<TARGET_PROPERTY:${plugin},COMPILE_FEATURES>)
  foreach(property IN ITEMS CXX_STANDARD CXX_EXTENSIONS)
    get_target_property(value ${plugin} ${property})
    if(NOT "${value}" STREQUAL "value-NOTFOUND")
      set_property(TARGET ${check} PROPERTY ${property} "${value}")
    endif()
  endforeach()
  # What texts of 4 MiB may take; the compilers' own limits are for 20 KB. And half a GiB before GCC looks for garbage, which
  # it does by a walk over all the headers' declarations: half of what the check of a long text costs.
  target_compile_options(${check} PRIVATE
    $<$<CXX_COMPILER_ID:Clang,AppleClang>:-fconstexpr-steps=1000000000>
    $<$<CXX_COMPILER_ID:GNU>:-fconstexpr-ops-limit=2000000000 -fconstexpr-loop-limit=100000000 --param=ggc-min-heapsize=524288>)
  add_dependencies(${plugin} ${check})
endfunction()
