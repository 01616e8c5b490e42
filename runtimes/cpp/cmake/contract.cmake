# The sources that need nothing but the standard library.
set(LAMA_EDGE_CONTRACT_SOURCES
    boxes contract forms hole inpainting json manifest masks pixels resampling rows strategies windows)
list(TRANSFORM LAMA_EDGE_CONTRACT_SOURCES PREPEND "${CMAKE_CURRENT_LIST_DIR}/../src/contract/")
list(TRANSFORM LAMA_EDGE_CONTRACT_SOURCES APPEND ".cpp")
