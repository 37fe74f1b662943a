# graft_library(NAME SOURCES... ): one library of the project, with its warnings, sanitizers and install rules.
# Sources are globbed: a new operator, loss or transform is a new file, and no build file changes.
function(graft_compile_options target)
  target_compile_options(${target} PRIVATE -fopenmp-simd -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${GRAFT_WERROR}>:-Werror>)
  # GCC 12 reports a false -Wrestrict inside std::string's operator+ (GCC bug 105651).
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  # omp simd and ivdep allow vectors: where a build does not optimise, Clang would complain that there are none.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>)
  if(GRAFT_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(GRAFT_SANITIZE)
    # With sanitizers GCC 12 sees uninitialised reads inside std::regex that are not there (GCC bug 105562).
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    # A null pointer is found where it is used, an object too small where it is read beyond. To look at each use takes a
    # quarter of the compilation; what is no longer found is a cast to a wrong class of the same size. Alignment, another
    # quarter, is looked at where bytes from outside are read: in the build for fuzzing.
    target_compile_options(${target} PRIVATE -fsanitize=${GRAFT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
                                             -fno-sanitize=null,vptr,object-size$<$<NOT:$<BOOL:${GRAFT_FUZZ}>>:,alignment>)
    target_compile_definitions(${target} PRIVATE GRAFT_SANITIZED=1)
    # The sanitizers' dlopen looks beside their own library; only the old tag tells it where the program's libraries are.
    target_link_options(${target} PUBLIC -fsanitize=${GRAFT_SANITIZE} LINKER:--disable-new-dtags)
  endif()
endfunction()

# graft_compile_quickly(TARGET): for code whose compile time matters more than its speed.
function(graft_compile_quickly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(GRAFT_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

function(graft_library name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(graft_${name} STATIC ${sources})
  add_library(graft::${name} ALIAS graft_${name})
  set_target_properties(graft_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(graft_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  graft_compile_options(graft_${name})
  if(GRAFT_SANITIZE)
    # What nearly every file includes is parsed once. Optimised builds parse it each time: GCC 12 takes inlined parts of
    # precompiled system headers for the project's, and warns of what it suppresses there.
    target_precompile_headers(graft_${name} PRIVATE <algorithm> <cmath> <cstdint> <functional> <map> <memory> <optional>
                                                    <set> <span> <string> <vector>)
  endif()
  install(TARGETS graft_${name} EXPORT graft-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()
