# SPDX-License-Identifier: Apache-2.0
# Two translation units per instruction set, for predictions and for training; only these files get its flags, so the
# rest of the library runs anywhere.
set(_kernel_options
    -fno-math-errno
    -fno-trapping-math
    -Wno-psabi
    # Fuzzers are after the reader of model files; these units would take most of their build.
    $<$<BOOL:${CHAINRULE_BUILD_FUZZERS}>:-fno-sanitize=all>)

# Kernels call nothing that throws.
set(_no_unwinding -fno-exceptions -fno-asynchronous-unwind-tables)

set(_known portable avx2 avx512 neon)
foreach(_isa IN LISTS CHAINRULE_ISAS)
  if(NOT _isa IN_LIST _known)
    message(FATAL_ERROR "CHAINRULE_ISAS names '${_isa}'; valid: ${_known}")
  endif()
endforeach()

# The optimisation of release builds, then flags.
function(chainrule_add_isa name optimisation)
  if(CHAINRULE_ISAS AND NOT name STREQUAL "portable" AND NOT name IN_LIST CHAINRULE_ISAS)
    return()
  endif()
  set(_files kernels/isa_${name}_inference.cpp kernels/isa_${name}_training.cpp)
  target_sources(chainrule PRIVATE ${_files})
  # The kernels' headers would be analysed once more for each instruction set.
  set_source_files_properties(${_files} PROPERTIES COMPILE_OPTIONS
                                                  "$<IF:$<CONFIG:Debug>,-O1,${optimisation}>;${_kernel_options};${_no_unwinding};${ARGN}"
                                                  SKIP_LINTING ON)
  string(TOUPPER ${name} _upper)
  set_property(
    SOURCE kernels/dispatch.cpp kernels/training_dispatch.cpp
    APPEND
    PROPERTY COMPILE_DEFINITIONS CHAINRULE_HAVE_${_upper})
endfunction()

# The compiler knows its target better than CMAKE_SYSTEM_PROCESSOR does in a cross or universal build.
check_cxx_source_compiles("#ifndef __x86_64__\n#error\n#endif\nint main() {}" CHAINRULE_TARGET_X86_64)
check_cxx_source_compiles("#ifndef __aarch64__\n#error\n#endif\nint main() {}" CHAINRULE_TARGET_AARCH64)

if(CHAINRULE_NATIVE)
  target_compile_options(chainrule PRIVATE $<IF:$<BOOL:${CHAINRULE_TARGET_AARCH64}>,-mcpu=native,-march=native>)
  list(APPEND _kernel_options -mtune=native)
endif()

# The portable kernels have to be right. They have to be fast only where there are no others; most of their time goes into
# emulated multiply-adds.
if(CHAINRULE_TARGET_X86_64 OR CHAINRULE_TARGET_AARCH64)
  set(_portable -Os)
else()
  set(_portable -O3)
endif()

# What works with dual numbers has kernels too, of the portable vectors. GCC takes what it includes for headers, whose
# anonymous namespaces it warns of, and Clang warns of functions that only other instantiations need.
if(CHAINRULE_TARGET_X86_64)
  set(_dual_base -march=x86-64)
endif()
target_sources(chainrule PRIVATE engine/dual_numbers.cpp)
set_source_files_properties(
  engine/dual_numbers.cpp
  PROPERTIES
    COMPILE_OPTIONS
    "$<IF:$<CONFIG:Debug>,-O1,-Os>;${_kernel_options};${_dual_base};$<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>;$<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-unneeded-internal-declaration>"
    SKIP_LINTING ON)

if(CHAINRULE_TARGET_X86_64)
  # Old assemblers lack it.
  check_cxx_source_compiles("int main() { asm(\"{vex} vpdpbusd %ymm0, %ymm1, %ymm2\"); }" CHAINRULE_HAVE_AVX_VNNI)
  if(CHAINRULE_HAVE_AVX_VNNI)
    list(APPEND _kernel_options -DCHAINRULE_HAVE_AVX_VNNI)
  endif()
  # An explicit base keeps each unit to its name, whatever -march the surrounding build uses.
  list(APPEND _kernel_options -march=x86-64)
  # No flag here without its check in dispatch.cpp.
  chainrule_add_isa(portable ${_portable})
  chainrule_add_isa(avx2 -O3 -mavx2 -mfma -mbmi -mpopcnt)
  chainrule_add_isa(
    avx512
    -O3
    -mavx2
    -mfma
    -mbmi
    -mbmi2
    -mpopcnt
    -mavx512f
    -mavx512bw
    -mavx512cd
    -mavx512dq
    -mavx512vl
    -mprefer-vector-width=512
    # GCC's own AVX-512 header trips both (GCC bug 105593).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized>)
else()
  chainrule_add_isa(portable ${_portable})
  if(CHAINRULE_TARGET_AARCH64)
    chainrule_add_isa(neon -O3)
  endif()
endif()
