# Programs in packages: one file runs on Debian 12 and 13, Raspberry Pi OS 12 and JetPack 6 (Ubuntu 22.04).
#
# What these systems have under one name and ABI stays a shared library, so that its security updates
# arrive: libc, OpenSSL 3, libpng, zlib, librabbitmq, libmicrohttpd, CLP. What has another name on each of them goes in:
# fmt and spdlog as headers, libjpeg as an archive. libstdc++ goes into the consumer. It stays shared in
# `juggler`: CLP is a C++ library there, and two libstdc++ in one program would share what they must not.
set(JUGGLER_FMT fmt::fmt)
set(JUGGLER_SPDLOG spdlog::spdlog)
if(JUGGLER_PORTABLE)
  set(JUGGLER_FMT fmt::fmt-header-only)
  set(JUGGLER_SPDLOG spdlog::spdlog_header_only)
  # spdlog's target names libfmt all the same; nothing of it is used then.
  target_link_options(juggler_options INTERFACE -Wl,--as-needed)
  # As Debian hardens what it builds. These programs read what strangers send.
  target_compile_options(juggler_options INTERFACE -fstack-protector-strong -D_FORTIFY_SOURCE=2)
  target_link_options(juggler_options INTERFACE -Wl,-z,relro -Wl,-z,now)
endif()

# A program that links no C++ library but its own runtime's.
function(juggler_static_runtime program)
  target_link_options(${program} PRIVATE -static-libstdc++ -static-libgcc)
endfunction()
