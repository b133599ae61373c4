# SPDX-License-Identifier: Apache-2.0
# chainrule_add_unit(<target> <name> [IN_SHARED <unit>] [OPTIONS <options>...] SOURCES <files>...)
#
# Adds source files that belong together, named as on the target's include path. With CHAINRULE_UNITY the compiler sees
# them as one file: most of what a small file costs are the headers that it includes. Names local to a file then have to
# differ between the files of a unit; builds of either kind are tested. A shared library is linked as a whole, so there a
# small unit can be part of a later one, which has the same options.
function(chainrule_add_unit target name)
  cmake_parse_arguments(PARSE_ARGV 2 _unit "" "IN_SHARED" "OPTIONS;SOURCES")
  if(CHAINRULE_UNITY AND BUILD_SHARED_LIBS)
    if(_unit_IN_SHARED)
      set_property(DIRECTORY APPEND PROPERTY CHAINRULE_PARTS_OF_${_unit_IN_SHARED} ${_unit_SOURCES})
      return()
    endif()
    get_property(_parts DIRECTORY PROPERTY CHAINRULE_PARTS_OF_${name})
    list(APPEND _unit_SOURCES ${_parts})
  endif()
  if(CHAINRULE_UNITY)
    list(TRANSFORM _unit_SOURCES REPLACE "(.+)" "#include \"\\1\"")
    list(JOIN _unit_SOURCES "\n" _includes)
    set(_unit_SOURCES ${CMAKE_CURRENT_BINARY_DIR}/units/${name}.cpp)
    file(CONFIGURE OUTPUT ${_unit_SOURCES} CONTENT "${_includes}\n" @ONLY)
    # GCC takes what it includes for headers, whose anonymous namespaces it warns of.
    list(APPEND _unit_OPTIONS $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
  target_sources(${target} PRIVATE ${_unit_SOURCES})
  set_source_files_properties(${_unit_SOURCES} PROPERTIES COMPILE_OPTIONS "${_unit_OPTIONS}")
endfunction()
