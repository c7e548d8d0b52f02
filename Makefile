# Everything a person needs: `make run` shows Juggler at work, `make test` proves it, `make help` lists
# the rest. Set-up is in setup/, the build in CMakeLists.txt: here is only what calls what.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: evaluation help run test check chaos cluster delivery sanitize floor soak fuzz tidy build bench models models-again check-models photos onnxruntime
.PHONY: clean distclean doctor cross digests arm64 deb deb-test containers-test
MAKEFLAGS += --no-print-directory

SETUP := setup/setup.sh
# One build: what the tests test is what users run. CONFIGURE_ARGS: more for cmake, as -DJUGGLER_WERROR=ON.
BUILD := build/release
JUGGLER := $(BUILD)/juggler
CONFIGURE_ARGS ?=
RUN_ARGS ?= --twin jetson-orin-nano --twin jetson-nano --twin raspberry-pi-4 --twin raspberry-pi-5 \
            --twin-labels --demo var/photos

# Only where the system's CMake is too old does setup put one here.
export PATH := $(CURDIR)/var/cmake/cmake/data/bin:$(PATH)
ORT_HEADER := var/onnxruntime/include/onnxruntime/onnxruntime_cxx_api.h
export ONNXRUNTIME_ROOT ?= $(CURDIR)/var/onnxruntime
# In front of a command: the library that set-up fetched, unless the user or the system has one.
WITH_ORT := o="$(CURDIR)/var/onnxruntime/lib/libonnxruntime.so.1"; \
            if [ -z "$$ORT_LIBRARY" ] && [ -e "$$o" ]; then export ORT_LIBRARY="$$o"; fi;

help: ## This list
	@echo 'Juggler: make TARGET'
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16
	@echo
	@echo '  make run RUN_ARGS="--demo var/photos"    other arguments for juggler up'
	@echo '  First call: about 5 minutes on 2 cores with a fast network and about 350 MB to download. Later calls: seconds.'

run: build models ## Set up, build, and classify photographs with a fleet of twins (first 5 minutes, then 15 s)
	@$(WITH_ORT) $(JUGGLER) up --home var $(RUN_ARGS)

test: onnxruntime models ## Set up, build and run all tests; ctest's summary comes last (first 9 minutes, then 3)
	@$(SETUP) packages test
	@cmake --preset release $(CONFIGURE_ARGS) -DJUGGLER_TESTS=ON
	@cmake --build $(BUILD)
	@$(WITH_ORT) ctest --preset release

# The longer checks. CI should have time for a part of them: `make check`.
CHECKED := unit|property|broker
# TSan needs memory where the kernel's randomness may have put something else (vm.mmap_rnd_bits above
# 28): without randomness, it runs everywhere that allows setarch.
CALM := if setarch -R true 2>/dev/null; then calm="setarch -R"; else calm=; fi;
sanitize: onnxruntime models ## Run the tests under address, undefined-behaviour and thread sanitizers (about 40 minutes)
	@$(SETUP) packages test
	@$(CALM) for s in asan tsan; do \
	  $(WITH_ORT) cmake --preset $$s && cmake --build build/$$s && \
	    $$calm ctest --preset $$s -L "$(CHECKED)" -E '^e2e' || exit 1; done

floor: onnxruntime ## Build and test with g++ 11, the compiler of JetPack 6 (about 10 minutes)
	@$(SETUP) packages test packages check
	@$(WITH_ORT) cmake --preset gcc11 && cmake --build build/gcc11 && \
	  ctest --preset gcc11 -L 'unit|property'

SEEDS ?= 100000
FIRST_SEED ?= 1
soak: ## Run SEEDS random worlds (100000) with faults in virtual time, every promise checked (3 to 10 minutes)
	@$(SETUP) packages build test
	@cmake --preset soak && cmake --build build/soak --target property_soak
	@build/soak/tests/property/property_soak --first $(FIRST_SEED) --count $(SEEDS)

CHAOS_SECONDS ?= 600
chaos: build models ## Kill, freeze, cut off and restart a real fleet at load for CHAOS_SECONDS (600 and a minute)
	@$(SETUP) packages test
	@cmake --preset release -DJUGGLER_TESTS=ON >/dev/null && cmake --build $(BUILD) --target juggler juggler-consumer fault_proxy
	@$(WITH_ORT) /usr/bin/python3 tests/chaos/chaos.py $(BUILD) var --seconds $(CHAOS_SECONDS) $(CHAOS_ARGS)

delivery: build models ## Models by content, rollouts, other names, a fleet file, on real devices (about 5 minutes)
	@$(SETUP) packages test
	@$(WITH_ORT) /usr/bin/python3 tests/e2e/models_test.py $(BUILD) var/models var/photos

cluster: build models ## Kill and freeze the nodes of a RabbitMQ of three under load (about 5 minutes)
	@$(SETUP) packages test
	@$(WITH_ORT) /usr/bin/python3 tests/e2e/cluster_test.py $(BUILD)

SECONDS_EACH ?= 60
fuzz: ## Fuzz every decoder for SECONDS_EACH seconds (60) with clang's libFuzzer (about 20 minutes)
	@$(SETUP) packages build packages test packages check
	@cmake --preset fuzz && cmake --build build/fuzz --target tests/fuzz/all
	@tests/fuzz/run.sh build/fuzz $(SECONDS_EACH)

TIDY ?= src
tidy: ## Lint TIDY (src) with clang-tidy: files or folders (about 10 s each file)
	@$(SETUP) packages build packages test packages check
	@cmake --preset dev >/dev/null
	@tests/style/tidy.sh build/dev $(TIDY)

# Without broker and programs, which cost most of the time, and unit_core: the random worlds go through all of it.
QUICK := unit_wire unit_runtime property_world
QUICK_TESTS := ^(unit_wire|unit_runtime|property_world)$$
check: onnxruntime ## A part of sanitize, floor, fuzz and tidy, meant for CI
	@$(SETUP) packages test packages check
	@$(WITH_ORT) for s in asan gcc11; do \
	  cmake --preset $$s && cmake --build build/$$s --target $(QUICK) && \
	    ctest --preset $$s -R '$(QUICK_TESTS)' || exit 1; done
	@$(MAKE) fuzz SECONDS_EACH=5
	@$(MAKE) tidy TIDY="src/core src/wire"

# Configured anew only where it never was, or where ONNX Runtime's headers came later.
build: onnxruntime ## Set up what the build needs, and build the programs (build/release; about 3 minutes, once)
	@if [ ! -e $(BUILD)/build.ninja ] || [ $(ORT_HEADER) -nt $(BUILD)/build.ninja ]; then \
	  cmake --preset release $(CONFIGURE_ARGS); fi
	@echo '[build] compiling (about 3 minutes the first time)'
	@cmake --build $(BUILD) --target juggler juggler-consumer

# What runs on boards: one build by g++ 11 for each architecture, in packages.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
cross: onnxruntime
	@$(SETUP) packages test packages check packages arm64 arm64

digests: cross build ## Same seed, same digest: by g++ 12, g++ 11, clang and on arm64 (qemu) (about 20 minutes, then 3)
	@for p in portable clang aarch64; do cmake --preset $$p >/dev/null && cmake --build build/$$p --target juggler || exit 1; done
	@tests/digests/compare.py "$$($(JUGGLER) --version | sed -n 's/^built by //p')=$(JUGGLER)" \
	  "g++ 11 for x86-64=build/portable/juggler" "clang 14 for x86-64=build/clang/juggler" \
	  "g++ 11 for arm64=tests/arm64/emulate.sh build/aarch64/juggler"

deb: cross ## Debian packages for amd64 and arm64, in build/packages; lintian (about 15 minutes, then 1)
	@$(SETUP) packages package
	@packaging/build.sh

deb-test: deb ## Install, upgrade, remove and purge them: Debian 12 amd64, Debian 13 arm64 (qemu), Ubuntu's libraries (root)
	@$(AS_ROOT) tests/packaging/deb_test.sh bookworm amd64 "$$($(SETUP) mirror)"
	@$(AS_ROOT) tests/packaging/deb_test.sh trixie arm64 "$$($(SETUP) mirror)"

containers-test: deb ## Build the images of containers/ without a container engine, in clean roots (root; 5 minutes)
	@$(AS_ROOT) tests/containers/containers_test.sh amd64 "$$($(SETUP) mirror)"

arm64: deb build models ## The arm64 consumer under qemu classifies photographs beside the native one (root; 5 minutes)
	@$(SETUP) packages test
	@$(AS_ROOT) tests/arm64/consumer_test.sh $(BUILD) "$$($(SETUP) mirror)"

bench: build models ## Run the benchmarks; docs/performance.md explains them (about 15 minutes)
	@$(SETUP) packages bench
	@$(WITH_ORT) bench/run.sh

evaluation: build ## Compare the policies on the named deployments (hours; docs/evaluation.md)
	@$(SETUP) packages report
	@$(JUGGLER) evaluate $(EVALUATION_ARGS)

models: photos ## Make the ONNX files and their catalogue (var/models); docs/models.md (1 to 2 minutes, once)
	@$(SETUP) models

models-again: ## Make them anew, with trained weights if there is internet now
	@rm -f var/stamps/models
	@$(MAKE) models

check-models: models ## Compare every variant's labels on the photographs with the truth (about a minute)
	@$(SETUP) check-models

photos: ## Take photographs with a free licence out of Debian packages (var/photos; 10 s, once)
	@$(SETUP) packages models photos

onnxruntime: ## Install the build's packages and fetch ONNX Runtime (var/onnxruntime; about 35 s, once)
	@$(SETUP) packages build cmake onnxruntime

doctor: ## Say what is there, what is missing and what to do
	@$(SETUP) status
	@if [ -x $(JUGGLER) ]; then $(WITH_ORT) $(JUGGLER) doctor; \
	else echo '[doctor] not built yet: make build'; fi

clean: ## Remove what was built (build/)
	rm -rf build

distclean: clean ## Remove also what was fetched and made (var/); Debian packages stay
	rm -rf var
