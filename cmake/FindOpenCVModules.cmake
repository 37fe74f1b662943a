# Debian puts OpenCV's CMake config into libopencv-dev, which brings Qt; graft needs two modules, found by hand.
# Defines opencv_core and opencv_imgproc as imported targets.
find_path(OPENCV_MODULES_INCLUDE opencv2/core.hpp PATH_SUFFIXES opencv4)
set(opencv_modules_required OPENCV_MODULES_INCLUDE)
foreach(module core imgproc)
  find_library(OPENCV_${module}_LIBRARY opencv_${module})
  list(APPEND opencv_modules_required OPENCV_${module}_LIBRARY)
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCVModules REQUIRED_VARS ${opencv_modules_required})
if(OpenCVModules_FOUND)
  foreach(module core imgproc)
    if(NOT TARGET opencv_${module})
      add_library(opencv_${module} UNKNOWN IMPORTED)
      set_target_properties(opencv_${module} PROPERTIES IMPORTED_LOCATION ${OPENCV_${module}_LIBRARY}
                                                         INTERFACE_INCLUDE_DIRECTORIES ${OPENCV_MODULES_INCLUDE})
    endif()
  endforeach()
endif()
