# `make` prints the targets. Each one installs what it needs, from Debian's and Python's packages only.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Two at once is what a small machine bears; `make JOBS=8 test` elsewhere.
JOBS ?= 2
SWIFT_BUILD := swift build -j $(JOBS)
SWIFT_TEST := swift test -j $(JOBS)
# What ships holds Swift's library itself, so that it runs where there is no tool chain.
RELEASE := $(SWIFT_BUILD) -c release --static-swift-stdlib
SECONDS_PER_FUZZER ?= 60
SCENARIO ?= load/scenarios/paced-chat.yaml
LOAD_FLAGS ?=
BENCH_FLAGS ?=
IMAGE ?= millrace
# docker, podman or buildah; the first that works here when none is named.
export CONTAINERS ?=
# podman and buildah leave HEALTHCHECK out of images in their own format.
export BUILDAH_FORMAT ?= docker
# The printer of crashes asks questions where nobody answers.
export SWIFT_BACKTRACE ?= enable=no

.PHONY: help deps deps-tests build release run web test test-swift test-web test-clients test-openai test-e2e test-tsan test-asan \
	valgrind fuzz check format check-format check-layers check-forbidden check-documents check-generated \
	check-web check-image generated bench bench-peers bench-check load image image-test clean

help: ## print the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS=$$'\t' read -r name text; do printf '  %-16s %s\n' "$$name" "$$text"; done

deps: ## install the libraries that the build needs, where they are missing
	@.ci/deps build

# Scripts in Python check and drive; `openssl` makes certificates.
deps-tests: deps
	@.ci/deps tests
	@.ci/deps http2 || echo "no nghttpd: its test is skipped"

build: deps ## build everything for development
	@$(SWIFT_BUILD)

release: deps ## build the programs as they ship, into .build/release
	@$(RELEASE)

run: release web ## start gateway, simulator and page, and print the address (OPENAI_API_KEY: the real API)
	@.ci/start

web: ## build the page into web/dist
	@if [ -f web/Makefile ]; then $(MAKE) --no-print-directory -C web build; else echo "no web/ here: no page"; fi

test: deps-tests ## run every suite that this machine can run; ends with one line of counts
	@.ci/suites

test-swift: deps-tests ## run the Swift tests
	@$(SWIFT_TEST)

test-web: ## run the unit tests of the page
	@$(MAKE) --no-print-directory -C web test

test-clients: release ## drive the release build with WebSocket clients written by others
	@.ci/clients

test-openai: release ## drive the release build with the official OpenAI clients
	@.ci/openai

test-e2e: release web ## drive the page in a real browser
	@$(MAKE) --no-print-directory -C web e2e

test-tsan: deps-tests ## run the Swift tests under the thread sanitizer
	@mkdir -p .build/tsan
	@clang -O1 -c Tests/thread-sanitizer.c -o .build/tsan/locks.o
	@$(SWIFT_TEST) --sanitize thread --scratch-path .build/tsan -Xlinker "$(CURDIR)/.build/tsan/locks.o"

test-asan: deps-tests ## run the Swift tests under the address sanitizer, with leaks
	@$(SWIFT_TEST) --disable-xctest --sanitize address --scratch-path .build/asan

valgrind: release ## run the release build under valgrind, with load, up to the end of a drain
	@.ci/deps valgrind
	@.ci/valgrind

fuzz: deps ## run each fuzzer (SECONDS_PER_FUZZER=60)
	@for file in Fuzz/*Fuzz.swift; do \
		name=$$(basename "$$file" .swift); \
		echo "== $$name"; Fuzz/run.sh "$$name" "$(SECONDS_PER_FUZZER)"; \
	done

check: check-format check-layers check-forbidden check-documents check-web check-image check-generated ## run all checks that are no tests
	@echo "all checks passed"

format: ## format the Swift files in place
	@swift format --in-place --parallel --recursive Sources Tests Fuzz Package.swift

check-format:
	@swift format lint --strict --parallel --recursive Sources Tests Fuzz Package.swift
	@echo "format: in order"

check-layers: deps-tests ## check that modules depend downwards only
	@.ci/test_checkers.py --quiet
	@.ci/check_layers.py

check-forbidden: deps-tests
	@.ci/check_forbidden.py

check-documents: deps-tests
	@.ci/check_documents.py

check-web:
	@if [ -f web/Makefile ]; then $(MAKE) --no-print-directory -C web check; fi

check-image: deps-tests
	@.ci/hadolint Dockerfile

# The tests that compare files with the code, and write them when they are asked to.
GENERATED := --filter 'GeneratedFile'

check-generated: deps-tests
	@$(SWIFT_TEST) $(GENERATED)

generated: deps ## write the files that are made from the code
	@WRITE_GENERATED=1 $(SWIFT_TEST) $(GENERATED)
	@git status --short docs config

bench: release ## measure the gateway whole, server and clients on cores of their own (BENCH_FLAGS='--only paced')
	@bench/bench.py $(BENCH_FLAGS)

bench-peers: release ## measure what one could pick instead, on the same work in the same run
	@bench/peers/install.sh .build/peers
	@bench/peers.py $(BENCH_FLAGS)

bench-check: release ## count instructions and allocations of the hot path against bench/thresholds.json
	@.ci/deps valgrind
	@bench/check.py

load: release ## load a running gateway (SCENARIO=…, LOAD_FLAGS='--url …')
	@.build/release/millrace-load "$(SCENARIO)" $(LOAD_FLAGS)

image: ## build the container image
	@tool=$${CONTAINERS:-$$(.ci/container-tool)}; "$$tool" build $(IMAGE_FLAGS) --tag $(IMAGE) .

image-test: ## start the image as an orchestrator would, and use it
	@.ci/image-test "$(IMAGE)"

clean: ## remove everything that was built
	@rm -rf .build .venv
	@if [ -f web/Makefile ]; then $(MAKE) --no-print-directory -C web clean; fi
