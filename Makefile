# The commands a person types. Each sets up what it needs: a virtual environment in .venv, filled from the locks.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PACKAGES := chassis logtail sidecar_logshipper adapter_logformat ambassador_dbproxy podmates

.PHONY: help demo pod-demo kind-demo test check bench soak fuzz suites images format lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     three mates, an app, three databases and a log server in one local pod, with a counted proof"
	@echo "make pod-demo the same in real containers, from the manifests in k8s/examples (podman; make images first)"
	@echo "make kind-demo  the same in a Kubernetes cluster made by kind (ARGS=up, show, break or down; CLUSTER=existing)"
	@echo "make test     every test, JOBS=2 at a time; installs Debian packages it needs when it is root; ARGS=… for pytest"
	@echo "make check    ruff, mypy and the architecture test"
	@echo "make bench    side by side with rsyslog, HAProxy and others: 17 minutes, with ARGS='--rounds 3' 12, with --quick one"
	@echo "make soak     the log shipper killed 200 times (KILLS=…), and the model's long form; prints lost and repeated"
	@echo "make fuzz     coverage-guided fuzzing of the parsers with atheris, SECONDS=60 each"
	@echo "make suites   drivers' own test suites, straight to a server and through the ambassador, compared; SUITES=…"
	@echo "make images   the container images, with docker or podman (OFFLINE=1: without a registry)"
	@echo "make format   let ruff rewrite the code"
	@echo "make lock     resolve the dependencies anew into locks/"
	@echo "make clean    remove .venv and caches"

demo: .venv/.demo
	@$(BIN)/podmates demo $(ARGS)

pod-demo: .venv/.demo
	@$(BIN)/podmates pod-demo $(ARGS)

# Without ARGS: up, show and break. `make kind-demo ARGS=down` takes the cluster away again.
kind-demo: .venv/.demo
	@CLUSTER=$(CLUSTER) REGISTRY=$(REGISTRY) $(BIN)/podmates kind-demo $(ARGS)

# Some hundred mates are started: where PYTHONDONTWRITEBYTECODE is set, each would compile its modules again. A process
# that is ended because a test hangs (pyproject.toml) is not replaced, since that test would come again with it.
test: JOBS ?= 2
test: .venv/.dev
	@sh tests/debian_packages.sh
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(JOBS) --max-worker-restart 0 $(ARGS)

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_architecture.py

# Brings the Debian peers when it is root; FLUENT_BIT= and VECTOR= name those that Debian has not.
bench: .venv/.dev
	@$(BIN)/python -m benchmarks $(ARGS)

# KILLS and EXAMPLES make it longer or shorter.
soak: KILLS ?= 200
soak: EXAMPLES ?= 100
soak: .venv/.dev
	SOAK_KILLS=$(KILLS) $(BIN)/pytest -q -s tests/sidecar_logshipper/test_soak.py
	MODEL_EXAMPLES=$(EXAMPLES) MODEL_STEPS=40 $(BIN)/pytest -q -s tests/sidecar_logshipper/test_model.py

fuzz: SECONDS ?= 60
fuzz: .venv/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	@for target in tests/fuzz/*.py; do \
	  echo "$$target"; $(BIN)/python "$$target" -max_total_time=$(SECONDS) -print_final_stats=1 || exit 1; done

# SUITES="psycopg2 asyncpg" runs these alone.
suites: .venv/.dev
	$(BIN)/python tests/ambassador_dbproxy/suites $(SUITES)

images:
	@PYTHON=$(PYTHON) sh k8s/images/build.sh $(IMAGES)

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The stamps are written last, so an interrupted run begins its step again. Both sets live in one environment.
.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Podmates needs Python 3.11 or newer; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh tests/debian_packages.sh python3-venv
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/.demo .venv/.dev: .venv/.%: locks/%.txt pyproject.toml .venv/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

GROUP_LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --custom-compile-command 'make lock'
LOCK := $(GROUP_LOCK) --upgrade pyproject.toml
lock: .venv/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) -o locks/runtime.txt
	$(LOCK) -c locks/runtime.txt --extra demo --group build -o locks/demo.txt
	$(LOCK) -c locks/demo.txt --extra demo --group dev -o locks/dev.txt
	for image in logshipper logformat dbproxy demo-app demo-database logserver; do \
	  $(GROUP_LOCK) -c locks/demo.txt --group $$image -o locks/$$image.txt || exit 1; done

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(PACKAGES) tests -name __pycache__ -prune -exec rm -rf {} +
