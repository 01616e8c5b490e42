# What `cmake --install` puts where find_package(lama_edge) looks.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/lama_edge)
configure_package_config_file(cmake/lama_edge-config.cmake.in lama_edge-config.cmake
  INSTALL_DESTINATION ${package_folder})
# Until 1.0 a new minor version may change what is public.
write_basic_package_version_file(lama_edge-config-version.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS lama_edge EXPORT lama_edge-targets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT lama_edge-targets NAMESPACE lama_edge:: DESTINATION ${package_folder})
install(DIRECTORY include/lama_edge DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/lama_edge-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/lama_edge-config-version.cmake
  cmake/FindOnnxRuntime.cmake
  DESTINATION ${package_folder})
