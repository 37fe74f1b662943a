# GRAFT_BUILD_IDENTITY: what the program and a plugin that it loads must have in common, since C++ objects cross between them: the version,
# the headers that declare those objects, compiler, standard and sanitizers. What the preprocessor alone knows is added by
# runtime/cuda/build_identity.h.
file(GLOB border_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/runtime/core/*.h ${PROJECT_SOURCE_DIR}/runtime/ops/*.h)
list(APPEND border_headers ${PROJECT_SOURCE_DIR}/runtime/cuda/plugin.h)
list(SORT border_headers)
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${border_headers})
set(border_hashes "")
foreach(header ${border_headers})
  file(SHA256 ${header} header_hash)
  string(APPEND border_hashes ${header_hash})
endforeach()
string(SHA256 border_hash "${border_hashes}")
string(SUBSTRING ${border_hash} 0 16 border_hash)
set(border_sanitizers "${GRAFT_SANITIZE}")
if(NOT border_sanitizers)
  set(border_sanitizers none)
endif()
set(GRAFT_BUILD_IDENTITY "graft ${PROJECT_VERSION}, headers ${border_hash}, ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, C++${CMAKE_CXX_STANDARD}, sanitizers ${border_sanitizers}")
