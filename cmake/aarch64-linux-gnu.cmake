# Toolchain file: cross build for AArch64 with Debian's g++-aarch64-linux-gnu; tests run under qemu-user. The variable
# MINCEPTION_SYSROOT is a folder with the dependencies (scripts/test_aarch64.sh creates one).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MINCEPTION_SYSROOT)
set(CMAKE_SYSROOT ${MINCEPTION_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${MINCEPTION_SYSROOT})
set(MINCEPTION_NATIVE OFF CACHE BOOL "-march=native is not available in a cross build")
