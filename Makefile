# The commands of the project; `make` alone lists them. Each does what is missing first: packages, torch where it is used, configure, build.
# Variables: TORCH_DIR=.../site-packages/torch  take this torch; WERROR=ON  warnings are errors; JOBS=N  compile N files at once;
#            PREFIX=/usr/local  where install puts things; RUNS=N TARGET="a b"  how long to fuzz what; KILLS=N SEED=N  faults
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build test cuda demo corpus bench format tidy asan tsan valgrind fuzz faults install clean
.NOTPARALLEL:

PREFIX ?= /usr/local
RUNS ?= 1000000
KILLS ?= 100
SEED ?= 1
WERROR ?= OFF
CORES := $(shell nproc)
# A file that includes LibTorch takes up to 2 GB to compile.
JOBS ?= $(shell awk -v cores=$(CORES) '/MemAvailable/ {n = int($$2 / 2e6); print n < 1 ? 1 : n < cores ? n : cores}' /proc/meminfo)
export TORCH_DIR

# The Python of the oracles is said each time: CMake would remember the system's from before there was a .venv.
python = $(firstword $(wildcard $(CURDIR)/.venv/bin/python3) python3)
configure = cmake --preset $(1) $(2) -DBTM_PYTHON="$$(command -v $(python))" \
  -DBTM_WERROR=$(WERROR) >/dev/null
compile = cmake --build build/$(1) -j $(JOBS) $(if $(2),--target $(2))
# Two tests more than there are cores: those of Slurm mostly wait, others for the disk.
# Their files lie in memory where there is room, programs may run and nobody says TMPDIR: tests of training and forests wait for a disk's
# syncs otherwise.
scratch := $(if $(TMPDIR),,$(shell test -w /dev/shm && ! grep -q ' /dev/shm [^ ]* [^ ]*noexec' /proc/mounts && \
  df --output=avail /dev/shm | awk 'NR == 2 {exit !($$1 > 4e6)}' && awk '/MemAvailable/ && $$2 > 12e6 {print "/dev/shm"}' /proc/meminfo))
run_tests = $(if $(scratch),env TMPDIR=$(scratch)) ctest --test-dir build/$(1) --output-on-failure -j $$(( $(CORES) + 2 ))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what building and testing need: packages (with sudo when not root), torch, the tests' oracles
	@tools/setup.sh test

build: ## build the program, build/release/btm
	@tools/setup.sh build
	@$(call configure,release)
	@$(call compile,release,btm)

test: setup ## set up, build and run all tests
	@$(call configure,release)
	@$(call compile,release)
	@$(call run_tests,release)

# With a torch for CPUs it compiles and links, so that every machine can check it; to run it takes a CUDA build of torch.
cuda: ## build the program for GPUs, build/cuda/btm; needs nvcc and a CUDA build of torch (TORCH_DIR)
	@tools/setup.sh cuda
	@command -v nvcc >/dev/null || { echo "make cuda: no nvcc in PATH; it comes with NVIDIA's CUDA toolkit" >&2; exit 2; }
	@$(call configure,cuda,-DTORCH_DIR="$$(cat .setup/torch)")
	@$(call compile,cuda,btm cuda_tests bench_train)

demo: build ## get real text, grow a small forest from it, compare it with a dense model
	@tools/text/get_text.sh tools/demo/domains.tsv data/demo
	@build/release/btm grow examples/demo/forest.yaml
	@cat tools/demo/next.txt

corpus: ## get the text of examples/corpus64 (DOMAINS="A B" for these only, MILLIONS=N characters of each at most)
	@tools/text/get_text.sh $(if $(MILLIONS),-m $(MILLIONS)) tools/corpus/domains.tsv data/corpus $(DOMAINS)

bench: setup demo ## run the benchmarks of docs/benchmarks.md on the demo's text and forest
	@$(call compile,release)
	@PYTHON="$(python)" bench/run.sh build/release runs/demo data/demo

format: ## format all C++ files in place
	@tools/setup.sh lint
	@git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs -r clang-format -i

# clang can't read g++'s precompiled headers, hence a configuration of its own; what only `make cuda` compiles is not in it.
tidy: ## run clang-tidy and shellcheck
	@tools/setup.sh build
	@tools/setup.sh lint
	@$(call configure,tidy)
	@git ls-files '*.sh' | xargs -r shellcheck
	@git ls-files 'btm/*.cpp' 'cli/*.cpp' | while read -r file; do \
	    if grep -q "/$$file\"" build/tidy/compile_commands.json; then echo "$$file"; fi; done | \
	  xargs -rn 1 -P $(JOBS) clang-tidy --quiet -p build/tidy

asan: setup ## run all tests with the address and undefined behaviour sanitizers
	@$(call configure,asan)
	@$(call compile,asan)
	@ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 $(call run_tests,asan)

# Without address randomisation, which on recent kernels collides with the sanitizer's shadow memory.
tsan: setup ## run all tests with the thread sanitizer
	@$(call configure,tsan)
	@$(call compile,tsan)
	@TSAN_OPTIONS="halt_on_error=1 suppressions=$(CURDIR)/tools/sanitizers/thread.supp" setarch -R $(call run_tests,tsan)

valgrind: setup ## run the tests of the libraries under valgrind
	@tools/setup.sh valgrind
	@$(call configure,release)
	@$(call compile,release)
	@$(call run_tests,release) -R '^(oracle|checkpoint)[.]' >/dev/null
	@$(python) tools/sanitizers/valgrind.py build/release

fuzz: ## fuzz what reads files (fuzz/), RUNS inputs for each TARGET; `make test` replays the corpus
	@tools/setup.sh build
	@tools/setup.sh fuzz
	@$(call configure,fuzz)
	@$(call compile,fuzz,fuzz_targets)
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 fuzz/run.sh build/fuzz $(RUNS) $(TARGET)

faults: setup ## kill btm and slurmd KILLS times each, fill the disk, turn the clock, cut the power; `make test` does some of it
	@$(call configure,release)
	@$(call compile,release,btm fault_injector change_recorder)
	@export BTM=build/release/btm KILLS=$(KILLS) SEED=$(SEED); library=build/release/tests/e2e/lib; \
	  FAULT_INJECTOR=$${library}fault_injector.so $(python) tests/e2e/faults_test.py; \
	  CHANGE_RECORDER=$${library}change_recorder.so $(python) tests/e2e/power_test.py

install: build ## install the program and its documents under PREFIX
	@cmake --install build/release --prefix "$(PREFIX)"

clean: ## remove what was built (the text in data/, forests in runs/ and .venv stay)
	@rm -rf build .setup
