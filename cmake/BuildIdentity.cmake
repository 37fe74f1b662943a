# GRAFT_BUILD_IDENTITY: what the program and a plugin that it loads must have in common, since C++ objects cross between them: the version,
# the headers that declare those objects, compiler, standard and sanitizers. What the preprocessor alone knows is added by
# runtime/cuda/build_identity.h.
file(GLOB interface_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/runtime/core/*.h ${PROJECT_SOURCE_DIR}/runtime/ops/*.h)
list(APPEND interface_headers ${PROJECT_SOURCE_DIR}/runtime/cuda/plugin.h ${PROJECT_SOURCE_DIR}/include/graft/error.h
     ${PROJECT_SOURCE_DIR}/include/graft/choice.h)
list(SORT interface_headers)
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${interface_headers})
set(interface_hashes "")
foreach(header ${interface_headers})
  file(SHA256 ${header} header_hash)
  string(APPEND interface_hashes ${header_hash})
endforeach()
string(SHA256 interface_hash "${interface_hashes}")
string(SUBSTRING ${interface_hash} 0 16 interface_hash)
set(sanitizers "${GRAFT_SANITIZE}")
if(NOT sanitizers)
  set(sanitizers none)
endif()
set(GRAFT_BUILD_IDENTITY "graft ${PROJECT_VERSION}, headers ${interface_hash}, ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, C++${CMAKE_CXX_STANDARD}, sanitizers ${sanitizers}")
