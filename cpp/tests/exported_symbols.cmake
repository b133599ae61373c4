# SPDX-License-Identifier: Apache-2.0
# cmake -DNM=... -DLIBRARY=libchainrule.so -DHEADERS=folder -DC_SYMBOLS=symbols.txt -P exported_symbols.cmake
# A shared library exports the C functions of the list, what the C++ headers declare, and nothing else. An archive, whose
# symbols are hidden in what it is linked into, is looked at for the C functions alone.
file(STRINGS "${C_SYMBOLS}" _listed)
file(GLOB _c_headers "${HEADERS}/c/*.h")
set(_header "")
foreach(_file IN LISTS _c_headers)
  file(READ "${_file}" _content)
  string(APPEND _header "${_content}")
endforeach()
# Some declarations have their names on a second line.
string(REGEX MATCHALL "\nCHAINRULE_API [^(;]+\\(" _lines "${_header}")
set(_declared "")
foreach(_line IN LISTS _lines)
  string(REGEX MATCH "chainrule_[a-z_]+\\(" _name "${_line}")
  string(REPLACE "(" "" _name "${_name}")
  list(APPEND _declared ${_name})
endforeach()
list(SORT _declared)
if(NOT _declared STREQUAL _listed)
  message(SEND_ERROR "The headers of c/ declare\n  ${_declared}\nbut ${C_SYMBOLS} lists\n  ${_listed}")
endif()

set(_shared OFF)
set(_which "")
if(LIBRARY MATCHES "\\.so")
  set(_shared ON)
  set(_which --dynamic)
endif()
execute_process(
  COMMAND ${NM} ${_which} --defined-only --extern-only ${LIBRARY}
  OUTPUT_VARIABLE _listing
  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" _lines "${_listing}")
set(_functions "")
set(_exported "")
foreach(_line IN LISTS _lines)
  if(NOT _line MATCHES "^[0-9a-f]+ [A-Za-z] ([^ ]+)$")
    continue()
  endif()
  set(_symbol "${CMAKE_MATCH_1}")
  if(_symbol MATCHES "^chainrule_")
    list(APPEND _functions ${_symbol})
  elseif(_shared)
    list(APPEND _exported ${_symbol})
    if(NOT _symbol MATCHES "^_Z(T[ISV])?NK?9chainrule" OR
       _symbol MATCHES "9chainrule(5c_api|6engine|7kernels|5model|10model_file|12_GLOBAL__N_1)" OR
       _symbol MATCHES "5State")
      message(SEND_ERROR "${LIBRARY} exports '${_symbol}'")
    endif()
  endif()
endforeach()
list(SORT _functions)
if(NOT _functions STREQUAL _listed)
  message(SEND_ERROR "${LIBRARY} defines\n  ${_functions}\nbut ${C_SYMBOLS} lists\n  ${_listed}")
endif()
if(NOT _shared)
  return()
endif()

# What a header declares without CHAINRULE_API would be missing only where a program links the shared library.
set(_text "")
file(GLOB _headers "${HEADERS}/c/*.h" "${HEADERS}/*.hpp")
foreach(_header IN LISTS _headers)
  file(READ "${_header}" _content)
  string(REGEX REPLACE "//[^\n]*" "" _content "${_content}")
  string(APPEND _text "${_content}")
endforeach()
execute_process(
  COMMAND ${NM} --defined-only ${LIBRARY}
  OUTPUT_VARIABLE _listing
  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[tT] _ZNK?9chainrule[1-9][^\n]+" _lines "${_listing}")
if(NOT _lines)
  message(SEND_ERROR "${LIBRARY} has no symbols: was it stripped?")
endif()
# Looking for each symbol's name in the text of all headers would take long.
string(REGEX MATCHALL "(class|struct) [A-Za-z_0-9]+ (final )?(: [a-z]+ [A-Za-z]+ )?{" _classes "${_text}")
list(TRANSFORM _classes REPLACE "^(class|struct) ([A-Za-z_0-9]+) .*" "\\2")
foreach(_line IN LISTS _lines)
  string(SUBSTRING "${_line}" 2 -1 _symbol)
  if(_symbol IN_LIST _exported OR _symbol MATCHES "5State")
    continue()
  endif()
  # A free function, or a member function that is not defined in its class.
  string(REGEX MATCH "9chainrule([1-9][0-9]?)([A-Za-z_0-9]+)" _ "${_symbol}")
  string(SUBSTRING "${CMAKE_MATCH_2}" 0 ${CMAKE_MATCH_1} _name)
  string(SUBSTRING "${CMAKE_MATCH_2}" ${CMAKE_MATCH_1} -1 _rest)
  set(_public OFF)
  if(_rest MATCHES "^[EI]")
    string(FIND "${_text}" "${_name}(" _place)
    if(NOT _place EQUAL -1
       AND _text MATCHES "[ *&]${_name}\\("
       AND NOT _text MATCHES "inline [^(]*${_name}\\("
       AND NOT _text MATCHES "(class|struct) (CHAINRULE_[A-Z]+ )?${_name}[ ;<]")
      set(_public ON)
    endif()
  elseif(_name IN_LIST _classes AND _rest MATCHES "^([1-9][0-9]?)(.+)")
    string(SUBSTRING "${CMAKE_MATCH_2}" 0 ${CMAKE_MATCH_1} _member)
    if(NOT _text MATCHES "[ *&]${_member}\\([^;{]*{")
      set(_public ON)
    endif()
  endif()
  if(_public)
    message(SEND_ERROR "${LIBRARY} does not export '${_symbol}', which a header declares")
  endif()
endforeach()
