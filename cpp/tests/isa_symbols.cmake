# SPDX-License-Identifier: Apache-2.0
# cmake -DNM=... -DOBJECTS=a.o,b.o -P isa_symbols.cmake
# A weak symbol in a unit built with wider instructions could be chosen by the linker for the whole program, which
# would then stop with SIGILL on older machines; so these units export their kernel tables and nothing else.
string(REPLACE "," ";" _objects "${OBJECTS}")
list(FILTER _objects INCLUDE REGEX "/isa_[a-z0-9_]+\\.cpp")
if(NOT _objects)
  message(FATAL_ERROR "no isa_*.cpp object among: ${OBJECTS}")
endif()

foreach(_object IN LISTS _objects)
  execute_process(
    COMMAND ${NM} -C --defined-only --extern-only ${_object}
    OUTPUT_VARIABLE _listing
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" _symbols "${_listing}")
  set(_tables 0)
  foreach(_symbol IN LISTS _symbols)
    if(_symbol MATCHES "^[0-9a-f]* [DR] chainrule::kernels::(inference|training)_[a-z0-9]+_(f32|f64)$")
      math(EXPR _tables "${_tables} + 1")
    else()
      message(SEND_ERROR "${_object}: exports '${_symbol}'")
    endif()
  endforeach()
  if(NOT _tables EQUAL 2)
    message(SEND_ERROR "${_object}: exports ${_tables} kernel tables, expected one of each precision")
  endif()
endforeach()
