# The exported package: find_package(graft) then link graft::finetune, graft::importer, ...
include(CMakePackageConfigHelpers)
configure_package_config_file(cmake/graft-config.cmake.in ${PROJECT_BINARY_DIR}/graft-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/graft)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/graft-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/graft-config.cmake ${PROJECT_BINARY_DIR}/graft-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/graft)
install(EXPORT graft-targets NAMESPACE graft:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/graft)
install(FILES cmake/FindOpenCVModules.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/graft)
