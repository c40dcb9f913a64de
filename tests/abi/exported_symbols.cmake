# Checks the symbols that libminception.so exports: the C API is exactly the list in EXPECTED, and everything else belongs
# to namespace minception, without the internals of the backends.
#
#   cmake -D NM=... -D LIBRARY=... -D EXPECTED=FILE -P exported_symbols.cmake
#
# Names are compared as mangled, because demanglers leave long names as they are.
execute_process(COMMAND ${NM} --dynamic --defined-only --format=posix ${LIBRARY} OUTPUT_VARIABLE symbols
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
list(FILTER symbols EXCLUDE REGEX "^MINCEPTION_[0-9.]+(@@[^ ]*)? A ")  # the version itself
list(TRANSFORM symbols REPLACE "[@ ].*" "")

set(c_symbols ${symbols})
list(FILTER c_symbols INCLUDE REGEX "^minception_")
list(SORT c_symbols)
file(STRINGS ${EXPECTED} expected REGEX "^[^#]")
if(NOT c_symbols STREQUAL expected)
  list(JOIN c_symbols "\n" c_symbols)
  message(FATAL_ERROR "the C API is not as listed in ${EXPECTED}:\n${c_symbols}")
endif()

list(FILTER symbols EXCLUDE REGEX "^minception_")
set(wrong ${symbols})
list(FILTER wrong EXCLUDE REGEX "^_Z(T[VTIS]|Thn?[0-9]+_|GV)?N[KO]*10minception[0-9a-z]")
set(internal ${symbols})
list(FILTER internal INCLUDE REGEX
     "N[KO]*10minception(3cpu|4cuda|4simt|6detail|6vendor|9reference|10CpuBackend|16ReferenceBackend)")
list(APPEND wrong ${internal})
if(wrong)
  list(JOIN wrong "\n" wrong)
  message(FATAL_ERROR "these symbols must not be exported:\n${wrong}")
endif()
list(LENGTH symbols count)
message(STATUS "${count} symbols of the C++ API")
if(count LESS 300)
  message(FATAL_ERROR "the C++ API has only ${count} symbols")
endif()
