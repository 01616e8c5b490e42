# Finds ONNX Runtime's headers and library, wherever a release, a system's package or a Python wheel
# has put them, and makes the target OnnxRuntime::OnnxRuntime.
#
# OnnxRuntime_ROOT: folders to look in first, a list; headers and library may lie in different ones.
# OnnxRuntime_INCLUDE_DIR, OnnxRuntime_LIBRARY: name them outright.
#
# Headers lie flat in include/ (releases), in include/onnxruntime/ (Debian, vcpkg) or in
# include/onnxruntime/core/session/ (installed from source). ONNX Runtime's own CMake package has
# pointed to folders that do not exist (onnxruntime#22267, #26186), so it is not asked.

# A build that goes on after an update remembers files that are gone.
if(NOT EXISTS "${OnnxRuntime_INCLUDE_DIR}/onnxruntime_cxx_api.h")
  unset(OnnxRuntime_INCLUDE_DIR CACHE)
endif()
if(NOT EXISTS "${OnnxRuntime_LIBRARY}")
  unset(OnnxRuntime_LIBRARY CACHE)
endif()

find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_cxx_api.h
  PATH_SUFFIXES onnxruntime onnxruntime/core/session include/onnxruntime
    include/onnxruntime/core/session)
find_library(OnnxRuntime_LIBRARY NAMES onnxruntime libonnxruntime.so.1
  PATH_SUFFIXES lib lib64 capi onnxruntime/capi)

if(NOT OnnxRuntime_LIBRARY)
  # Wheels have the one file whose name ends with the whole version.
  foreach(root IN LISTS OnnxRuntime_ROOT)
    file(GLOB found LIST_DIRECTORIES false
      ${root}/libonnxruntime.so.* ${root}/capi/libonnxruntime.so.*
      ${root}/onnxruntime/capi/libonnxruntime.so.* ${root}/lib/libonnxruntime.so.*)
    if(found)
      list(GET found 0 library)
      set_property(CACHE OnnxRuntime_LIBRARY PROPERTY VALUE ${library})
      break()
    endif()
  endforeach()
endif()

if(OnnxRuntime_INCLUDE_DIR)
  file(STRINGS ${OnnxRuntime_INCLUDE_DIR}/onnxruntime_c_api.h line
    REGEX "define ORT_API_VERSION [0-9]+")
  if(line MATCHES "ORT_API_VERSION ([0-9]+)")
    set(OnnxRuntime_VERSION 1.${CMAKE_MATCH_1})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OnnxRuntime
  REQUIRED_VARS OnnxRuntime_LIBRARY OnnxRuntime_INCLUDE_DIR
  VERSION_VAR OnnxRuntime_VERSION
  REASON_FAILURE_MESSAGE "set OnnxRuntime_ROOT to the folders with its headers and its library")
mark_as_advanced(OnnxRuntime_INCLUDE_DIR OnnxRuntime_LIBRARY)

if(OnnxRuntime_FOUND AND NOT TARGET OnnxRuntime::OnnxRuntime)
  set(location ${OnnxRuntime_LIBRARY})
  get_filename_component(file ${location} NAME)
  get_filename_component(folder ${location} DIRECTORY)
  # What is linked asks for the library as libonnxruntime.so.1; where no file has that name, as in
  # wheels, a link to it lies in the build folder.
  if(file MATCHES "^(libonnxruntime\\.so\\.[0-9]+)\\." AND NOT EXISTS ${folder}/${CMAKE_MATCH_1})
    set(location ${CMAKE_BINARY_DIR}/onnxruntime/${CMAKE_MATCH_1})
    # One that is right stays: made anew, it is gone for a moment, and programs may start just then.
    set(target "")
    if(IS_SYMLINK ${location})
      file(READ_SYMLINK ${location} target)
    endif()
    if(NOT target STREQUAL OnnxRuntime_LIBRARY)
      file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/onnxruntime)
      file(CREATE_LINK ${OnnxRuntime_LIBRARY} ${location} SYMBOLIC)
    endif()
  endif()
  add_library(OnnxRuntime::OnnxRuntime UNKNOWN IMPORTED)
  set_target_properties(OnnxRuntime::OnnxRuntime PROPERTIES
    IMPORTED_LOCATION ${location} INTERFACE_INCLUDE_DIRECTORIES ${OnnxRuntime_INCLUDE_DIR})
endif()
