# Every compiler flag of the project, on one target that all others link.
add_library(juggler_options INTERFACE)
target_include_directories(juggler_options INTERFACE "${PROJECT_SOURCE_DIR}/src")
# -ffp-contract=off: a fused multiply-add would make decisions differ between x86-64 and arm64.
target_compile_options(juggler_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -ffp-contract=off)
# g++ 11 and 12 see uninitialised strings in every moved std::variant at -O2 (GCC bug 105562 and kin).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(juggler_options INTERFACE -Wno-maybe-uninitialized)
endif()
if(JUGGLER_WERROR)
  target_compile_options(juggler_options INTERFACE -Werror)
endif()
if(JUGGLER_SANITIZE)
  target_compile_options(juggler_options INTERFACE
    -fsanitize=${JUGGLER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(juggler_options INTERFACE -fsanitize=${JUGGLER_SANITIZE})
endif()

# The commit that is built, for --version and reports; "unknown" outside a git checkout.
execute_process(COMMAND git -C "${PROJECT_SOURCE_DIR}" describe --always --dirty
  OUTPUT_VARIABLE JUGGLER_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT JUGGLER_COMMIT)
  set(JUGGLER_COMMIT "unknown")
endif()

find_program(JUGGLER_CCACHE ccache)
if(JUGGLER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${JUGGLER_CCACHE}")
endif()
