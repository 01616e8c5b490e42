// Manifests: what is read out of them, and which are refused.
#include <limits>

#include "contract/json.hpp"
#include "contract/manifest.hpp"
#include "shared_vectors.hpp"
#include "tests.hpp"

using namespace lama_edge;

namespace {

bool same(const SizePolicy& one, const SizePolicy& other) {
    return one.fixed == other.fixed && one.multiple == other.multiple &&
           one.min_size == other.min_size && one.max_side == other.max_side;
}

void test_manifest(const Value& one) {
    const std::string& text = one.at("json").string();
    if (has(one, "error")) {
        require_refused(
            kind_of(one.at("error")), one.at("code").string(), [&] { read_manifest(text); });
        return;
    }
    const Manifest manifest = read_manifest(text);
    require(name(manifest.io.form) == one.at("form").string(), "form");
    require(manifest.io.composite == one.at("composite").boolean(), "composite");
    require(manifest.io.output().name == one.at("output").string(), "output");
    require(same(manifest.size, policy_of(one.at("size"))), "size");
    require(manifest.precision == one.at("precision").string(), "precision");
    const Value& dft = one.at("dft");
    require(manifest.dft.has_value() != dft.is_null(), "dft");
    require(!manifest.dft || *manifest.dft == dft.string(), "dft");
    require(manifest.source.sha256 == one.at("sha256").string(), "sha256");
    require(manifest.source.parameters == one.at("parameters").integer(), "parameters");
    const Value& passed = one.at("passed");
    require(manifest.parity.has_value() != passed.is_null(), "parity");
    require(!manifest.parity || manifest.parity->passed() == passed.boolean(), "passed");
}

void replace(std::string& text, const std::string& old, const std::string& by) {
    const std::size_t at = text.find(old);
    require(at != std::string::npos, "the manifest has no " + old);
    text.replace(at, old.size(), by);
}

void test_an_error_says_on_one_line_where_the_manifest_is_damaged(const std::string& whole) {
    const struct {
        const char* good;
        const char* bad;
        const char* hint;
    } cases[] = {
        {"\"multiple\":8", "\"multiple\":0", "size.multiple: must be from 1 to 1056"},
        {"\"multiple\":8", "\"multiple\":\"ei\\nght\"", "size.multiple: is 'ei ght' instead of"},
        {"\"min_size\":16", "\"min_size\":16,\"max_side\":8", "size.max_side: must be a multiple"},
        {"\"fixed\":null", "\"fixed\":[8,-8]", "size.fixed: must be two sides from 1 to 16384"},
        {"\"parameters\"", "\"parametres\"", "source: parameters is missing"},
        {"\"form\":\"uint8\"", "\"form\":\"bytes\"", "unknown io form 'bytes'"},
        {"\"schema_version\":1", "\"schema_version\":7", "schema_version 7; this release reads 1"},
        {"\"ngf\":64", "\"ngf\":64e3", "source.architecture.ngf: is 64000"},
        {"\"tools\":{}", "\"tools\":{\"a\":1}", "tools.a: is 1 instead of a text"},
        {"\"composite\":true", "\"composite\":true,\"batch\":257", "io.batch: must be from 1"},
    };
    for (const auto& one : cases) {
        std::string damaged = whole;
        replace(damaged, one.good, one.bad);
        try {
            read_manifest(damaged);
        } catch (const Error& error) {
            const std::string message = error.what();
            require(message.find(one.hint) != std::string::npos, message);
            require(message.find('\n') == std::string::npos, message);
            continue;
        }
        throw Failure(std::string(one.bad) + " was read");
    }
}

void test_plain_values_keep_their_kind(const std::string& text) {
    const Manifest manifest = read_manifest(text);
    require(manifest.format.at("version") == PlainValue(std::int64_t{8}), "a whole number");
    require(manifest.numerics->at("guard") == PlainValue(0.5), "a number");
    require(manifest.numerics->at("calibration") == PlainValue(std::string("seeded")), "a text");
    require(manifest.source.architecture.at("n_blocks") == PlainValue(), "null");
}

void test_the_form_of_the_graph_and_its_features_say_what_a_run_takes(std::string text) {
    require(
        read_manifest(text).facts().bytes_per_pixel == run_bytes_per_pixel(64, false), "direct");
    replace(text, "{\"name\":", "{\"kernels\":\"bands\",\"name\":");
    replace(text, "\"ngf\":64", "\"ngf\":8");
    require(read_manifest(text).facts().bytes_per_pixel == run_bytes_per_pixel(8, true), "bands");
}

void require_no_json(const std::string& text) {
    try {
        json::parse(text);
    } catch (const json::Problem&) {
        return;
    }
    throw Failure("was read: " + text.substr(0, 40));
}

void test_what_is_no_json_is_refused() {
    for (const char* text :
         {"",
          " ",
          "{",
          "[1,]",
          "{\"a\":1,}",
          "{a:1}",
          "01",
          "1.",
          ".5",
          "-",
          "1e",
          "+1",
          "NaN",
          "1e999",
          "9223372036854775808",
          "-9223372036854775809",
          "\"",
          "\"\\x\"",
          "\"\\u12g4\"",
          "\"\\ud800\"",
          "\"\\ud800\\u0041\"",
          "\"\\u0000\"",
          "\"\t\"",
          "\"\xff\"",
          "\"\xc0\xaf\"",
          "\"\xed\xa0\x80\"",
          "\"\xf4\x90\x80\x80\"",
          "\"\xe2\x82\"",
          "truefalse",
          "1 2",
          "nul"}) {
        require_no_json(text);
    }
    require_no_json(std::string(100000, '['));
    require_no_json(std::string(json::kMostBytes + 1, ' '));
    require_no_json(std::string("\"a\0b\"", 5));
}

void test_json_is_read_as_it_stands() {
    const Value value = json::parse(
        " {\"a\": [1, -2.5e1, true, null, -9223372036854775808],"
        " \"b\": \"\\u00e9\\ud83d\\ude00\\n\xc3\xa9\", \"a\": 3, \"a\": {}} ");
    require(value.at("a").is_object(), "the last of a name counts");
    const Value::Array& items = value.object()[0].value.array();
    require(items[0].integer() == 1 && items[1].number() == -25, "numbers");
    require(items[2].boolean() && items[3].is_null(), "words");
    require(items[4].integer() == std::numeric_limits<std::int64_t>::min(), "the smallest");
    require(value.at("b").string() == "\xc3\xa9\xf0\x9f\x98\x80\n\xc3\xa9", "texts");
    require(value.find("c") == nullptr, "what is not there");
}

}  // namespace

void test_manifests(Results& results, const std::filesystem::path& folder) {
    const SharedVectors vectors(folder, "manifests");
    std::vector<std::string> texts;
    vectors.for_each(results, "manifests", [&](const Value& one) {
        texts.push_back(one.at("json").string());
        test_manifest(one);
    });
    results.run("where a manifest is damaged", [&] {
        test_an_error_says_on_one_line_where_the_manifest_is_damaged(texts.at(0));
    });
    results.run("plain values", [&] { test_plain_values_keep_their_kind(texts.at(1)); });
    results.run("what a run takes", [&] {
        test_the_form_of_the_graph_and_its_features_say_what_a_run_takes(texts.at(0));
    });
    results.run("no JSON", test_what_is_no_json_is_refused);
    results.run("JSON", test_json_is_read_as_it_stands);
}
