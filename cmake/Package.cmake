# What `cmake --install` gives: a program that starts from its prefix, with the libraries that no package manager has
# beside it, and a package that find_package(graft) and pkg-config find.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/graft)
configure_package_config_file(cmake/graft-config.cmake.in ${PROJECT_BINARY_DIR}/graft-config.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/graft-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/graft-config.cmake ${PROJECT_BINARY_DIR}/graft-config-version.cmake
        DESTINATION ${package_folder})
install(EXPORT graft-targets NAMESPACE graft:: DESTINATION ${package_folder})
install(FILES cmake/FindOpenCVModules.cmake cmake/FindPictureCodecs.cmake DESTINATION ${package_folder})
install(DIRECTORY include/graft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# oneDNN goes along where it is not the system's own: Debian's is too old.
if(NOT GRAFT_ONEDNN_FOLDER MATCHES "^/usr/lib")
  install(DIRECTORY ${GRAFT_ONEDNN_FOLDER}/ DESTINATION ${CMAKE_INSTALL_LIBDIR}/graft FILES_MATCHING PATTERN "libdnnl.so*" PATTERN cmake EXCLUDE)
endif()

# Static libraries, those that use others first, and what they stand on.
set(libraries finetune importer onnx_proto models)
set(GRAFT_PC_DEPENDENCIES "-lprotobuf -llbfgs -lpthread -ldl")
if(GRAFT_WITH_OPENCV)
  list(PREPEND libraries graft augment)
  string(PREPEND GRAFT_PC_DEPENDENCIES "-lopencv_imgproc -lopencv_core -ljpeg -lspng -lwebpdemux -lwebp -lgif -llcms2 ")
endif()
list(APPEND libraries runtime core)
set(GRAFT_PC_LIBS "")
foreach(library ${libraries})
  if(library STREQUAL graft)
    string(APPEND GRAFT_PC_LIBS "-lgraft ")
  else()
    string(APPEND GRAFT_PC_LIBS "-lgraft_${library} ")
  endif()
endforeach()
file(RELATIVE_PATH GRAFT_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/graft.pc.in ${PROJECT_BINARY_DIR}/graft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/graft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# scripts/package: a Debian package by CPack, whose dependencies follow from the program's libraries.
set(CPACK_PACKAGE_NAME graft)
set(CPACK_PACKAGE_CONTACT "The graft developers <graft@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Fine-tunes, runs, explains and serves pretrained image networks")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${GRAFT_ONEDNN_FOLDER})
# Opened when they are first needed.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libmicrohttpd12, libcurl4, libheif1, libtiff6, libssl3, libgeos-c1v5")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/graft RENAME copyright)
include(CPack)
