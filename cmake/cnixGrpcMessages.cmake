# cnix::system_grpc: grpc++ and what it is made of, and the messages in a library generated from our .proto files by the protoc that
# is here. Generated code fits the one version of protobuf that generated it, so an installed package that brought it would not
# outlive an upgrade, and it would depend on the architecture.
function(_cnix_find_grpc)
  if(TARGET cnix::system_grpc OR NOT CMAKE_CXX_COMPILER_LOADED)
    return()
  endif()
  find_package(PkgConfig QUIET)
  find_program(CNIX_PROTOC protoc)
  mark_as_advanced(CNIX_PROTOC)
  if(NOT PkgConfig_FOUND OR NOT CNIX_PROTOC)
    return()
  endif()
  # Once: pkg-config walks abseil's parts again and again, which takes it a second, and pkg_check_modules asks it twenty times.
  if(NOT DEFINED CNIX_GRPC_LIBRARIES)
    execute_process(COMMAND "${PKG_CONFIG_EXECUTABLE}" --libs grpc++_unsecure protobuf-lite
      OUTPUT_VARIABLE flags ERROR_QUIET RESULT_VARIABLE failed)
    set(libraries "")
    if(NOT failed)
      string(REGEX MATCHALL "(^| )-l[^ \n]+" libraries "${flags}")
      list(TRANSFORM libraries REPLACE "^ ?-l" "")
    endif()
    set(CNIX_GRPC_LIBRARIES "${libraries}" CACHE INTERNAL "What pkg-config says that grpc++ is made of")
  endif()
  if(NOT CNIX_GRPC_LIBRARIES)
    return()
  endif()

  if(NOT TARGET cnix_grpc_messages)
    set(directory "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/proto") # as installed
    if(NOT EXISTS "${directory}")
      set(directory "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../backends/grpc/proto")
    endif()
    set(generated "${CMAKE_CURRENT_BINARY_DIR}/cnix_grpc_messages")
    file(MAKE_DIRECTORY "${generated}")
    set(sources "")
    foreach(name v1_7 v1_10 v1_20 health)
      set(proto "${directory}/cnix_rpc_${name}.proto")
      set(output "${generated}/cnix_rpc_${name}.pb")
      add_custom_command(OUTPUT "${output}.cc" "${output}.h"
        COMMAND "${CNIX_PROTOC}" "--proto_path=${directory}" "--cpp_out=${generated}" "${proto}"
        DEPENDS "${proto}" VERBATIM)
      list(APPEND sources "${output}.cc")
    endforeach()
    add_library(cnix_grpc_messages STATIC EXCLUDE_FROM_ALL ${sources})
    target_compile_features(cnix_grpc_messages PUBLIC cxx_std_17)
    target_compile_options(cnix_grpc_messages PRIVATE -w) # what protoc writes is not ours
    target_include_directories(cnix_grpc_messages SYSTEM PUBLIC "${generated}")
  endif()

  # What grpc_unsecure's pkg-config file leaves out: of its own parts, and of its dependencies.
  set(libraries ${CNIX_GRPC_LIBRARIES} address_sorting upb re2 cares z)
  add_library(cnix::system_grpc INTERFACE IMPORTED)
  target_link_libraries(cnix::system_grpc INTERFACE cnix_grpc_messages ${libraries})
  find_library(CNIX_GRPC_STATIC libgrpc++_unsecure.a)
  mark_as_advanced(CNIX_GRPC_STATIC)
  if(NOT CNIX_GRPC_STATIC)
    set_target_properties(cnix::system_grpc PROPERTIES COMPATIBLE_INTERFACE_BOOL CNIX_SHARED INTERFACE_CNIX_SHARED ON)
  endif()
endfunction()
_cnix_find_grpc()
