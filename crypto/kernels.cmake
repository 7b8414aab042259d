# Kernels: each is one file, and only that file is compiled with instructions
# that not every machine has. rsa_dispatch.cc decides at run time.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_sources(inkan_crypto PRIVATE ${CMAKE_CURRENT_LIST_DIR}/rsa_avx512ifma.cc)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/rsa_avx512ifma.cc PROPERTIES
    COMPILE_OPTIONS "-O3;-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mavx512ifma;-mavx512vbmi;-mbmi2;-mprefer-vector-width=512;-Wno-uninitialized;-Wno-maybe-uninitialized")
  target_compile_definitions(inkan_crypto PRIVATE INKAN_HAVE_AVX512IFMA)
endif()
