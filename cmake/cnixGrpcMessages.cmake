# cnix::system_grpc: nghttp2, and the messages in a library generated from our .proto files by the protoc that is here. Generated
# code fits the one version of protobuf that generated it, so an installed package that brought it would not outlive an upgrade, and
# it would depend on the architecture.
function(_cnix_find_grpc)
  if(TARGET cnix::system_grpc OR NOT CMAKE_CXX_COMPILER_LOADED)
    return()
  endif()
  find_program(CNIX_PROTOC protoc)
  find_path(CNIX_NGHTTP2_INCLUDE_DIR nghttp2/nghttp2.h)
  find_path(CNIX_PROTOBUF_INCLUDE_DIR google/protobuf/message_lite.h)
  find_library(CNIX_NGHTTP2_STATIC libnghttp2.a)
  find_library(CNIX_PROTOBUF_STATIC libprotobuf-lite.a)
  mark_as_advanced(CNIX_PROTOC CNIX_NGHTTP2_INCLUDE_DIR CNIX_PROTOBUF_INCLUDE_DIR CNIX_NGHTTP2_STATIC CNIX_PROTOBUF_STATIC)
  if(NOT CNIX_PROTOC OR NOT CNIX_NGHTTP2_INCLUDE_DIR OR NOT CNIX_PROTOBUF_INCLUDE_DIR)
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
    target_include_directories(cnix_grpc_messages SYSTEM PUBLIC "${generated}" "${CNIX_PROTOBUF_INCLUDE_DIR}")
    target_link_libraries(cnix_grpc_messages PUBLIC
      $<IF:$<BOOL:${CNIX_PROTOBUF_STATIC}>,${CNIX_PROTOBUF_STATIC},protobuf-lite>)
  endif()

  add_library(cnix::system_grpc INTERFACE IMPORTED)
  target_include_directories(cnix::system_grpc SYSTEM INTERFACE "${CNIX_NGHTTP2_INCLUDE_DIR}")
  target_link_libraries(cnix::system_grpc INTERFACE cnix_grpc_messages nghttp2)
  if(NOT CNIX_NGHTTP2_STATIC OR NOT CNIX_PROTOBUF_STATIC)
    set_target_properties(cnix::system_grpc PROPERTIES COMPATIBLE_INTERFACE_BOOL CNIX_SHARED INTERFACE_CNIX_SHARED ON)
  endif()
endfunction()
_cnix_find_grpc()
