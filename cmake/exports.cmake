# Writes the linker's version script of libminception.so. Exported are minception_* and the functions, variables, vtables
# and type information of namespace minception. Hidden are the internals of the backends, and inline functions and template
# instantiations, which consumers compile themselves.
#
#   cmake -D NM=... -D VERSION=0.2 -D ARCHIVES=A;B -D OUT=FILE -P exports.cmake
execute_process(COMMAND ${NM} --extern-only --defined-only --format=posix ${ARCHIVES} OUTPUT_VARIABLE symbols
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
# Mangled names: _ZN10minception..., _ZNK10minception..., and _ZTV, _ZTI, _ZTS, _ZThn16_ and so on for classes.
list(FILTER symbols INCLUDE REGEX "^(minception_|_Z(T[a-z0-9_]*[VISC]?|GV)?N[KO]*10minception)")
list(FILTER symbols EXCLUDE REGEX "N[KO]*10minception(3cpu|4cuda|4onnx|8exchange|4simt|6detail|6vendor|9reference|[0-9]+[A-Z][a-z]+Backend)")
list(FILTER symbols EXCLUDE REGEX "^minception_make_cpu_backend_")  # kernels/cpu/levels.cmake
# Weak functions (W) are inline or instantiated; weak objects (V) include vtables.
list(FILTER symbols INCLUDE REGEX " [TDBRV] ")
list(TRANSFORM symbols REPLACE " .*" "")
list(REMOVE_DUPLICATES symbols)
list(SORT symbols)
list(JOIN symbols ";\n    " symbols)
file(WRITE ${OUT} "MINCEPTION_${VERSION} {\n  global:\n    ${symbols};\n  local:\n    *;\n};\n")
