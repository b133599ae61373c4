# SPDX-License-Identifier: Apache-2.0
# Runs PROGRAM once per instruction set, which must print the same each time.
execute_process(
  COMMAND ${EMULATOR} ${PROGRAM} list
  OUTPUT_VARIABLE isas
  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" isas "${isas}")
set(expected "")
foreach(isa IN LISTS isas)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env CHAINRULE_ISA=${isa} ${EMULATOR} ${PROGRAM}
    OUTPUT_VARIABLE bits
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  message(STATUS "${isa}:\n${bits}")
  if(NOT bits MATCHES "^(float [0-9a-f]+ double [0-9a-f]+)\n(.*)$" OR NOT CMAKE_MATCH_1 STREQUAL CMAKE_MATCH_2)
    message(FATAL_ERROR "${isa}: the bits depend on the number of threads")
  endif()
  if(expected AND NOT bits STREQUAL expected)
    message(FATAL_ERROR "${isa}: the bits differ from those before")
  endif()
  set(expected "${bits}")
endforeach()
