// libFuzzer over the text of manifests: what is read has to be usable, all else is an Error.
#include <cstdlib>
#include <string_view>

#include "contract/manifest.hpp"

using namespace lama_edge;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const Manifest manifest =
            read_manifest(std::string_view(reinterpret_cast<const char*>(data), size));
        const ModelFacts facts = manifest.facts();
        const int side = facts.size.fixed ? facts.size.fixed->height : facts.size.side_for(1);
        const int other = facts.size.fixed ? facts.size.fixed->width : side;
        if (facts.size.problem({side, other})) std::abort();
        if (manifest.parity) manifest.parity->passed();
    } catch (const Error& error) {
        if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
    }
    return 0;
}
