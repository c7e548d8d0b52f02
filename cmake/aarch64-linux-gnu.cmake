# Cross-builds for 64-bit Arm boards on Debian 12: g++ 11, as on JetPack 6 (make arm64-build).
#
# The C library is the cross compiler's. All other libraries are Debian 12's arm64 packages, unpacked
# in a folder (setup/arm64.sh); JUGGLER_SYSROOT names another one.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc-11)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++-11)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(JUGGLER_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../var/arm64/sysroot" CACHE PATH
  "Debian arm64 packages, unpacked")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES JUGGLER_SYSROOT)
get_filename_component(JUGGLER_SYSROOT "${JUGGLER_SYSROOT}" ABSOLUTE)

set(CMAKE_FIND_ROOT_PATH "${JUGGLER_SYSROOT}" /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(libraries "${JUGGLER_SYSROOT}/usr/lib/aarch64-linux-gnu")
set(ENV{PKG_CONFIG_LIBDIR} "${libraries}/pkgconfig:${JUGGLER_SYSROOT}/usr/share/pkgconfig")
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${JUGGLER_SYSROOT}")
# Its CMake files name libssl by an absolute path; those for pkg-config do not.
set(CMAKE_DISABLE_FIND_PACKAGE_rabbitmq-c ON)
# opensslconf.h and its like lie in the folder of the architecture. Libraries of libraries are looked
# for in the same place; what these need in turn is the board's business.
set(CMAKE_CXX_STANDARD_INCLUDE_DIRECTORIES
  "${JUGGLER_SYSROOT}/usr/include" "${JUGGLER_SYSROOT}/usr/include/aarch64-linux-gnu")
set(CMAKE_C_STANDARD_INCLUDE_DIRECTORIES ${CMAKE_CXX_STANDARD_INCLUDE_DIRECTORIES})
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${libraries} -Wl,-rpath-link,${libraries} -Wl,--allow-shlib-undefined")

# What the build or ctest runs.
set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/../tests/arm64/emulate.sh")
