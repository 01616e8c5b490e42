# The sources that need nothing but the standard library.
set(LAMA_EDGE_CONTRACT_SOURCES
    boxes contract forms hole inpainting json manifest masks pixels resampling rows strategies windows)
list(TRANSFORM LAMA_EDGE_CONTRACT_SOURCES PREPEND "${CMAKE_CURRENT_LIST_DIR}/../src/contract/")
list(TRANSFORM LAMA_EDGE_CONTRACT_SOURCES APPEND ".cpp")
# Products and sums fused to one rounding would give other pixels than Python's. Nothing here reads
# the processor's flags of exceptions, for whose sake GCC would make no vectors of comparisons.
set(LAMA_EDGE_CONTRACT_OPTIONS -ffp-contract=off -fno-trapping-math)
