# make install PREFIX=...: the program, which finds LibTorch where it was when built (kernels/blas.cpp), and the documents.
include(GNUInstallDirs)
if(BTM_CUDA)
  set_target_properties(btm PROPERTIES INSTALL_RPATH ${TORCH_DIR}/lib)
endif()
install(TARGETS btm RUNTIME)
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
