# Components: `plugins` for nodes, `dev` for those who build their own. Documents and packages: packaging/.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(CNIX_PLUGIN_DIR /opt/cni/bin CACHE STRING "Where plugins are installed; relative paths are below the prefix")
set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/cnix) # nothing in it depends on the architecture

install(TARGETS cnix EXPORT cnixTargets FILE_SET HEADERS COMPONENT dev FILE_SET bodies COMPONENT dev)
install(TARGETS cnix_laws EXPORT cnixTargets FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cnix-laws COMPONENT dev)
install(EXPORT cnixTargets NAMESPACE cnix:: DESTINATION ${package_dir} COMPONENT dev)
# A file for each backend: cnixConfig.cmake takes those whose system libraries it finds.
foreach(backend libnl nftables libnftables iptables grpc recording)
  if(TARGET cnix_${backend})
    install(TARGETS cnix_${backend} EXPORT cnix-${backend} FILE_SET HEADERS COMPONENT dev FILE_SET bodies COMPONENT dev)
    install(EXPORT cnix-${backend} NAMESPACE cnix:: DESTINATION ${package_dir} COMPONENT dev)
  endif()
endforeach()

# The one file that depends on the architecture, in a directory of its name: cnixConfig.cmake takes that of the program that is
# built. The headers are installed without a build, too.
install(TARGETS cnix_prebuilt ARCHIVE DESTINATION lib/cnix/${CMAKE_CXX_LIBRARY_ARCHITECTURE} COMPONENT dev OPTIONAL)
get_target_property(CNIX_PREBUILT_BACKENDS cnix_prebuilt CNIX_BACKENDS)
list(REMOVE_DUPLICATES CNIX_PREBUILT_BACKENDS)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/cnixConfig.cmake.in ${PROJECT_BINARY_DIR}/package/cnixConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/cnixConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
file(GLOB modules CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/Cnix*)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/backends/grpc/proto DESTINATION ${package_dir} COMPONENT dev)
install(FILES ${modules} ${CMAKE_CURRENT_LIST_DIR}/cnixSystemLibraries.cmake ${CMAKE_CURRENT_LIST_DIR}/cnixGrpcMessages.cmake
              ${PROJECT_BINARY_DIR}/package/cnixConfig.cmake
              ${PROJECT_BINARY_DIR}/package/cnixConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT dev)
configure_file(${CMAKE_CURRENT_LIST_DIR}/cnix-new.in ${PROJECT_BINARY_DIR}/package/cnix-new @ONLY)
install(PROGRAMS ${PROJECT_BINARY_DIR}/package/cnix-new TYPE BIN COMPONENT dev)

find_program(CNIX_GZIP gzip REQUIRED)
mark_as_advanced(CNIX_GZIP)

function(cnix_compress input output)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${input})
  execute_process(COMMAND ${CNIX_GZIP} -9nc ${input} OUTPUT_FILE ${output} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# cnix_install_documents(<package> <component> [EXCLUDE_FROM_ALL] [MANUAL <page>...] [EXAMPLES <file>...])
function(cnix_install_documents package component)
  cmake_parse_arguments(PARSE_ARGV 2 arg "EXCLUDE_FROM_ALL" "" "MANUAL;EXAMPLES")
  set(where COMPONENT ${component})
  if(arg_EXCLUDE_FROM_ALL)
    list(APPEND where EXCLUDE_FROM_ALL)
  endif()
  set(directory ${CMAKE_INSTALL_DATADIR}/doc/${package})
  foreach(page IN LISTS arg_MANUAL) # compressed, as Debian wants them and man takes them everywhere
    string(REGEX MATCH "[1-8]$" section ${page})
    cnix_compress(${PROJECT_SOURCE_DIR}/man/${page} ${PROJECT_BINARY_DIR}/package/${page}.gz)
    install(FILES ${PROJECT_BINARY_DIR}/package/${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} ${where})
  endforeach()
  install(FILES ${PROJECT_SOURCE_DIR}/packaging/debian/${package}.copyright DESTINATION ${directory} RENAME copyright ${where})
  if(arg_EXAMPLES)
    list(TRANSFORM arg_EXAMPLES PREPEND ${PROJECT_SOURCE_DIR}/)
    install(FILES ${arg_EXAMPLES} DESTINATION ${directory}/examples ${where})
  endif()
endfunction()

cnix_install_documents(cnix-dev dev MANUAL cnix-new.1 cnix-cmake.7)
