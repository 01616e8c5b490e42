# lama-edge: `make` alone explains the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Markers of the tests that `make test` leaves to `make test-tools`.
TOOLS := browser or adb or swift or cpp or kotlin or ssh or consumers
# Modules are compiled when they are first imported: most of what is installed never is.
PIP := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-tools test-slow test-gpu evaluate devices bench-peers large-photograph consumers consumers-light precision coreml-precisions vectors cpp cpp-overhead cpp-fuzz web web-check web-speed worker-speed android android-selftest android-api android-format worker release docs check format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Export the embedded model, check it, erase an object from a photograph (out/)
	$(BIN)/python -m lama_edge.cli.first_try out

test: $(VENV)/.dev ## Run every test that Python alone can run, but the slow ones
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow and not ($(TOOLS))" $(PYTEST_ARGS)

test-tools: $(VENV)/.dev ## Run the tests that want other tools: Swift, C++, sshd, adb, Chromium, consumers of files
	$(BIN)/pytest -n 3 --dist loadfile -m "not slow and ($(TOOLS))" $(PYTEST_ARGS)

test-slow: $(VENV)/.dev ## Run the slow tests: big-lama's shape, long runs
	$(BIN)/pytest -m slow -s $(PYTEST_ARGS)

test-gpu: $(VENV)/.dev ## Run the tests that need an NVIDIA GPU
	$(BIN)/pytest -m gpu -s $(PYTEST_ARGS)

evaluate: $(VENV)/.dev ## Measure lama-tiny against OpenCV; rewrites its card's tables and the contact sheet
	$(BIN)/python -m lama_edge.models.training.evaluation.evaluate --card models/embedded/lama_tiny.md
	$(BIN)/python -m lama_edge.models.training.evaluation.contact_sheet docs/images/lama-tiny.jpg

devices: $(VENV)/.dev ## Rewrite the table in docs/reference/devices.md from benchmarks/results
	$(BIN)/python -m lama_edge.benchmarks.studies.device_page

bench-peers: $(VENV)/.dev ## Measure beside other ways to run big-lama's shape; rewrites the README's table
	$(BIN)/python -m lama_edge.benchmarks.studies.peers --growth --dynamic --json-out benchmarks/results/peers.json
	$(BIN)/python -m lama_edge.benchmarks.studies.peers.readme

large-photograph: $(VENV)/.dev ## Measure 12 megapixels as crop and in tiles; rewrites docs/how-to/inpainting.md's table
	$(BIN)/python -m lama_edge.benchmarks.studies.large_photograph --measure

worker-speed: $(VENV)/.dev ## Measure folders over workers beside one process; rewrites docs/how-to/cluster.md's tables
	$(BIN)/python -m lama_edge.benchmarks.studies.worker_speed --measure

consumers: $(VENV)/.dev ## Measure what reads exported files; missing cells only; rewrites docs/reference/consumers.md's tables
	$(BIN)/python -m lama_edge.benchmarks.studies.consumers
	$(BIN)/python -m lama_edge.benchmarks.studies.consumers.page

consumers-light: $(VENV)/.dev ## Install what `make test-tools` tries exported files in
	$(BIN)/python -m lama_edge.benchmarks.studies.consumers --install-light

precision: $(VENV)/.dev ## Measure int8: quality by kind of layer, speed beside fp32; rewrites docs/explanation/precision.md's tables
	$(BIN)/python -m lama_edge.benchmarks.studies.int8_study --measure

coreml-precisions: $(VENV)/.dev ## Measure Core ML's precisions on lama-tiny; rewrites docs/reference/coreml.md's table
	$(BIN)/python -m lama_edge.benchmarks.studies.coreml_precisions --measure

cpp: $(VENV)/.dev ## Build and test the C++ library, against Debian's headers of ONNX Runtime
	.ci/cpp
	$(BIN)/pytest -m cpp tests/runtimes/cpp $(PYTEST_ARGS)

OVERHEAD := runtimes/cpp/build/overhead
cpp-overhead: $(VENV)/.dev ## Measure what the C++ library and Python take beside the model; rewrites docs/how-to/cpp.md's tables
	cmake -S runtimes/cpp -B $(OVERHEAD) -DCMAKE_BUILD_TYPE=Release -DLAMA_EDGE_BENCHMARKS=ON \
		-DLAMA_EDGE_EXAMPLES=OFF -DLAMA_EDGE_TESTS=OFF -DLAMA_EDGE_WORKER=OFF \
		"-DOnnxRuntime_INCLUDE_DIR=$$(.ci/cpp)" "-DOnnxRuntime_ROOT=$$($(BIN)/python -c \
		'import onnxruntime; print(onnxruntime.__path__[0])')"
	cmake --build $(OVERHEAD)
	$(BIN)/python -m lama_edge.benchmarks.studies.cpp_overhead --measure

# The pages, and what they run models with; installing lama-edge never asks for this.
WEB := runtimes/web
COMPILED := src/lama_edge/web/compiled
web: $(VENV)/.ort_web ## Build the browser's library and pages, and a wheel of ONNX Runtime Web; wants npm
	$(BIN)/python $(WEB)/building/selftest.py $(WEB)/assets
	rm -rf $(COMPILED) $(WEB)/dist
	cd $(WEB) && npm run --silent build
	$(BIN)/python $(WEB)/building/compress.py $(COMPILED)

$(VENV)/.ort_web: $(VENV)/.dev $(WEB)/node_modules/.made $(wildcard $(WEB)/building/* $(WEB)/building/ort_wheel/*)
	$(BIN)/python $(WEB)/building/ort_wheel.py dist
	$(PIP) --no-deps --force-reinstall dist/lama_edge_ort_web-*.whl
	touch $@

web-check: $(WEB)/node_modules/.made ## Check the browser's library and pages: format, lint, types, exports
	cd $(WEB) && npm run --silent check

web-speed: web ## Measure WebAssembly in headless Chromium beside native ONNX Runtime; rewrites docs/how-to/web.md's tables
	$(BIN)/python -m lama_edge.benchmarks.studies.web_speed --measure

$(WEB)/node_modules/.made: $(WEB)/package.json $(WEB)/package-lock.json
	cd $(WEB) && npm ci --silent
	touch $@

# The library for phones; the self-test's model lies where Gradle looks for it too.
ANDROID := runtimes/android
android: android-selftest ## Build the Android library as a Maven folder (dist/android); wants Debian or Ubuntu on x86-64, gcc, npm, Java 17
	.ci/kotlin
	rm -rf dist/android
	$(BIN)/python $(ANDROID)/building/package.py dist/android $(ANDROID)/core/src/main/resources

android-selftest: $(VENV)/.demo ## Make what Gradle packs with the Android library for its self-test
	$(BIN)/python $(WEB)/building/selftest.py $(ANDROID)/core/src/main/resources/io/github/lamaedge

android-api: ## Rewrite what of the Android library others can call, for a change that is meant
	.ci/kotlin
	$(PYTHON) $(ANDROID)/building/api_dump.py

android-format: ## Format the Android library's Kotlin
	tools=$$(.ci/kotlin) && cd $(ANDROID) && java -jar $$tools/ktlint/ktlint --format --relative

worker: $(VENV)/.demo ## Build lama-edge-worker and all it needs to run: ARCH=x86_64 or aarch64 (dist/)
	PYTHON=$(BIN)/python runtimes/cpp/worker/bundle $(ARCH)

release: $(VENV)/.dev ## Make and try what a release carries (dist/); RELEASE=check before the changelog has it
	RELEASE=$(RELEASE) .ci/release

# Of manifests the vectors are the first inputs; what was found before stays in the corpus.
FUZZ_SECONDS ?= 600
FUZZ := runtimes/cpp/build/fuzz
cpp-fuzz: ## Fuzz what reads manifests and pictures in the C++ library, FUZZ_SECONDS each; wants clang++
	cmake -S runtimes/cpp/fuzz -B $(FUZZ) -DCMAKE_CXX_COMPILER=clang++
	cmake --build $(FUZZ)
	mkdir -p $(FUZZ)/manifest $(FUZZ)/pictures
	$(PYTHON) runtimes/cpp/fuzz/seeds.py tests/data/vectors/manifests.json $(FUZZ)/manifest
	cd $(FUZZ) && ./fuzz_manifest -max_total_time=$(FUZZ_SECONDS) -max_len=8192 manifest
	cd $(FUZZ) && ./fuzz_pictures -max_total_time=$(FUZZ_SECONDS) -max_len=4096 pictures

vectors: $(VENV)/.dev ## Rewrite the vectors that the native wrappers are tested against
	$(BIN)/python -m lama_edge.runtimes.vectors

docs: $(VENV)/.dev ## Build the site of all pages (site/index.html); a warning, a dead link or a load from elsewhere fails it
	$(BIN)/python docs/building/make_site.py site

check: $(VENV)/.dev ## Check format, lint, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code and apply the lint's safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove what the other targets made
	rm -rf $(VENV) out build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf runtimes/swift/.build runtimes/swift/Stubs/.build runtimes/swift/Examples/Eraser/.build runtimes/cpp/build
	rm -rf $(COMPILED) $(WEB)/node_modules $(WEB)/dist $(WEB)/assets $(ANDROID)/core/src/main/resources

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable ".[demo]"
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) torch==2.13.0 --editable ".[dev]"
	touch $@ $(VENV)/.demo
