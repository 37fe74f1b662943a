# graft_soname(NAME VARIABLE): the name under which a shared library is opened at run time ("libtiff.so.6"), of the one that is
# linked against as -lNAME.
function(graft_soname library variable)
  find_library(SONAME_${library}_LIBRARY ${library})
  mark_as_advanced(SONAME_${library}_LIBRARY)
  if(SONAME_${library}_LIBRARY)
    file(REAL_PATH ${SONAME_${library}_LIBRARY} path)
    get_filename_component(name ${path} NAME)
    string(REGEX MATCH "^lib${library}\\.so\\.[0-9]+" name ${name})
    set(${variable} ${name} PARENT_SCOPE)
  endif()
endfunction()
