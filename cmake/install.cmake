# SPDX-License-Identifier: Apache-2.0
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/chainrule)

install(
  TARGETS chainrule
  EXPORT chainruleTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT devel
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          COMPONENT runtime
          NAMELINK_COMPONENT devel
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(
  DIRECTORY cpp/include/chainrule
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT devel)
install(
  EXPORT chainruleTargets
  NAMESPACE chainrule::
  DESTINATION ${_config_dir}
  COMPONENT devel)

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND APPLE)
  set(_cxx_runtime c++)
else()
  set(_cxx_runtime stdc++)
endif()
# A shared library brings what it needs.
get_target_property(_type chainrule TYPE)
if(_type STREQUAL "STATIC_LIBRARY")
  set(_static ON)
  set(_pc_definitions "")
else()
  set(_static OFF)
  set(_pc_definitions " -DCHAINRULE_SHARED")
endif()
set(_pc_libs -lchainrule)
get_target_property(_library_name chainrule OUTPUT_NAME)
if(_library_name)
  # No loader looks into the folders of Python packages by itself.
  set(_pc_libs "-l${_library_name} -Wl,-rpath,\${libdir}")
endif()
configure_package_config_file(cmake/chainruleConfig.cmake.in ${PROJECT_BINARY_DIR}/chainruleConfig.cmake
                              INSTALL_DESTINATION ${_config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/chainruleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/chainruleConfig.cmake ${PROJECT_BINARY_DIR}/chainruleConfigVersion.cmake
  DESTINATION ${_config_dir}
  COMPONENT devel)

# pkg-config knows no C++ standard library or OpenMP: what the archive needs is spelled out.
set(_private_libs "-l${_cxx_runtime}")
if(NOT APPLE)
  string(APPEND _private_libs " -lm -lpthread")
endif()
if(CHAINRULE_HAS_OPENMP)
  string(PREPEND _private_libs "${OpenMP_CXX_FLAGS} ")
endif()
file(RELATIVE_PATH _prefix_from_pc "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" _prefix_from_pc "${_prefix_from_pc}")
configure_file(cmake/chainrule.pc.in ${PROJECT_BINARY_DIR}/chainrule.pc @ONLY)
install(
  FILES ${PROJECT_BINARY_DIR}/chainrule.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT devel)
