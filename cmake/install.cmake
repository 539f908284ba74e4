# make install PREFIX=...: the program, which finds LibTorch where it was when built, and the documents.
include(GNUInstallDirs)
set_target_properties(btm PROPERTIES INSTALL_RPATH ${TORCH_DIR}/lib)
install(TARGETS btm RUNTIME)
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
