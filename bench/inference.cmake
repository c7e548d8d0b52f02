# The engine against a bare ONNX Runtime loop; needs the engine, so only within the whole tree.
if(TARGET juggler_onnxruntime_headers)
  find_package(JPEG REQUIRED)
  find_package(PNG REQUIRED)
  add_executable(juggler-bench-inference "${CMAKE_CURRENT_LIST_DIR}/inference.cc")
  target_link_libraries(juggler-bench-inference PRIVATE
    juggler_inference juggler_onnxruntime_headers JPEG::JPEG PNG::PNG)
  add_executable(juggler-bench-bare "${CMAKE_CURRENT_LIST_DIR}/bare.cc")
  target_link_libraries(juggler-bench-bare PRIVATE juggler_inference juggler_onnxruntime_headers)
endif()
