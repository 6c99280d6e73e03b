# make demo    the main job on MovieLens 100K, environment included
# make test    lint, types, tests and doctests, environment included
# make docs    the documentation, into docs/_build/html; a warning is an error
# make browse  walk through the built pages in a browser: links, search, accessibility
# make linkcheck   addresses in the documentation; needs a network
# make bench   every benchmark; needs SKAUTOREC_DATA; peers only if `make peers` was run
# make peers   environments of the libraries that benchmarks/peers.py and lists.py compare with
# make dist    build wheel and sdist, with the pinned tools of .github/requirements/build.txt
# make check   install each of them into an empty environment, use it, and list what was installed
# make wheel   both
# make audit   known vulnerabilities of what is installed in .venv; needs a network
# make stress  kills, threads, a server, memory limits and generated input for half an hour and more
# make test-oldest, make test-newest   the tests at both ends of the dependency ranges
# make test-nightly   the tests with development versions of the dependencies; needs a network
#
# PYTHON   the interpreter to build environments with
# TORCH    the torch requirement to install first: choose a CPU build or a version here
# CHROMIUM path of a browser for make browse; without it, one is downloaded
# PEERS    folder of the peers' environments
# PEERS_PYTHON   the interpreter of LensKit and myfm: Python 3.13 or newer
#
# An environment is built once, and again when pyproject.toml changes: after choosing another
# PYTHON or TORCH, run `make clean`.

PYTHON = python3
TORCH = torch
VENV = .venv
CHROMIUM =
PEERS = .venv-peers
PEERS_PYTHON = python3.13
RUN = $(VENV)/bin/python -m

.PHONY: demo test lint docs browse linkcheck dist check wheel audit test-oldest test-newest test-nightly \
    bench stress peers clean

demo: $(VENV)/ready
	$(VENV)/bin/python examples/demo.py

# Tests run side by side, so each process has one thread. With SCIPY_ARRAY_API scikit-learn's checks
# try arrays of other libraries too.
test: lint
	OMP_NUM_THREADS=1 SCIPY_ARRAY_API=1 $(RUN) pytest -n auto --dist worksteal

lint: $(VENV)/ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --upgrade "pip>=25.1"
	$(RUN) pip install --quiet "$(TORCH)"
	$(RUN) pip install --quiet --editable . --group dev
	touch $@

# Examples run side by side, so each has one thread.
docs: export OMP_NUM_THREADS = 1
docs: $(VENV)/ready
	rm -rf docs/_build docs/generated docs/auto_examples
	$(RUN) sphinx -W --keep-going -j auto -b html docs docs/_build/html

browse:
	$(PYTHON) -m venv $(VENV)-browse
	$(VENV)-browse/bin/python -m pip install --quiet playwright axe-playwright-python
	test -n "$(CHROMIUM)" || $(VENV)-browse/bin/playwright install --with-deps chromium
	CHROMIUM="$(CHROMIUM)" $(VENV)-browse/bin/python docs/browse.py docs/_build/html

linkcheck: $(VENV)/ready
	$(RUN) sphinx -q -b linkcheck docs docs/_build/linkcheck

dist:
	rm -rf dist $(VENV)-build
	$(PYTHON) -m venv $(VENV)-build
	$(VENV)-build/bin/python -m pip install --quiet --require-hashes \
	    --requirement .github/requirements/build.txt
	$(VENV)-build/bin/python -m build --no-isolation --outdir dist .

check:
	rm -rf build $(VENV)-check
	$(PYTHON) -m venv $(VENV)-check
	$(VENV)-check/bin/python -m pip install --quiet twine cyclonedx-bom
	$(VENV)-check/bin/python -m twine check --strict dist/*
	install="$(VENV)-check/bin/python -m pip --python $(VENV)-wheel/bin/python install --quiet"; \
	for file in dist/*.tar.gz dist/*.whl; do \
	    $(PYTHON) -m venv --clear --without-pip $(VENV)-wheel && \
	    $$install "$(TORCH)" && $$install "$$file" && \
	    (cd dist && ../$(VENV)-wheel/bin/python ../tests/installed.py) || exit 1; \
	done
	mkdir build
	version=$$(cd dist && ls *.whl | cut -d- -f2) && \
	    sed "s/^dynamic = .*/version = \"$$version\"/" pyproject.toml > build/pyproject.toml
	$(VENV)-check/bin/cyclonedx-py environment --pyproject build/pyproject.toml --mc-type library \
	    --output-reproducible --output-file build/skautorec.cdx.json $(VENV)-wheel
	rm -rf $(VENV)-wheel

wheel:
	$(MAKE) dist
	$(MAKE) check

audit: $(VENV)/ready
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --quiet pip-audit
	$(RUN) pip freeze --exclude-editable | sed "s/+cpu$$//" > $(VENV)-audit/installed.txt
	$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip \
	    --requirement $(VENV)-audit/installed.txt

test-oldest:
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-oldest/bin/python -m pip install --quiet --constraint tests/oldest.txt \
	    --editable . --group test
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest -n auto --dist worksteal

test-newest:
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-newest/bin/python -m pip install --quiet --upgrade "$(TORCH)" --editable . --group test
	OMP_NUM_THREADS=1 .venv-newest/bin/python -m pytest -n auto --dist worksteal

# numpy, scipy and scikit-learn of the night, and torch's for the CPU. Their warnings of what will
# change are what this is for, and are errors as everywhere.
test-nightly:
	$(PYTHON) -m venv .venv-nightly
	.venv-nightly/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-nightly/bin/python -m pip install --quiet --pre torch \
	    --index-url https://download.pytorch.org/whl/nightly/cpu
	.venv-nightly/bin/python -m pip install --quiet --editable . --group test
	.venv-nightly/bin/python -m pip install --quiet --pre --upgrade --no-deps \
	    --index-url https://pypi.anaconda.org/scientific-python-nightly-wheels/simple \
	    numpy scipy scikit-learn
	OMP_NUM_THREADS=1 .venv-nightly/bin/python -m pytest -n auto --dist worksteal

bench: $(VENV)/ready
	$(VENV)/bin/python benchmarks/accuracy.py
	$(VENV)/bin/python benchmarks/defaults.py
	$(VENV)/bin/python benchmarks/baselines.py
	$(VENV)/bin/python benchmarks/epoch.py
	$(VENV)/bin/python benchmarks/ridge.py
	$(VENV)/bin/python benchmarks/serving.py
	$(VENV)/bin/python benchmarks/growth.py
	$(VENV)/bin/python benchmarks/memory.py
	$(VENV)/bin/python benchmarks/all_lists.py
	$(VENV)/bin/python benchmarks/solvers.py
	$(VENV)/bin/python benchmarks/lists.py --environments $(PEERS)
	$(VENV)/bin/python benchmarks/updates.py
	$(VENV)/bin/python benchmarks/replay.py
	$(VENV)/bin/python benchmarks/weights.py
	$(VENV)/bin/python benchmarks/checkpoint.py
	$(VENV)/bin/python benchmarks/search.py
	$(VENV)/bin/python benchmarks/startup.py
	test ! -d $(PEERS) || $(VENV)/bin/python benchmarks/peers.py --environments $(PEERS)

stress: export OMP_NUM_THREADS = 1
stress: $(VENV)/ready
	$(VENV)/bin/python tests/stress/kills.py
	$(VENV)/bin/python tests/stress/threads.py
	$(VENV)/bin/python tests/stress/server.py
	$(VENV)/bin/python tests/stress/memory.py
	$(VENV)/bin/python tests/stress/inputs.py

peers:
	$(PYTHON) -m venv $(PEERS)/cmfrec
	$(PEERS)/cmfrec/bin/python -m pip install --quiet cython numpy scipy pandas setuptools \
	    wheel findblas threadpoolctl
	$(PEERS)/cmfrec/bin/python -m pip install --quiet --no-build-isolation cmfrec
	$(PYTHON) -m venv $(PEERS)/cornac
	$(PEERS)/cornac/bin/python -m pip install --quiet "$(TORCH)"
	$(PEERS)/cornac/bin/python -m pip install --quiet cornac
	$(PYTHON) -m venv $(PEERS)/surprise
	$(PEERS)/surprise/bin/python -m pip install --quiet "numpy<2" "pandas<3" scikit-surprise
	$(PYTHON) -m venv $(PEERS)/implicit
	$(PEERS)/implicit/bin/python -m pip install --quiet implicit
	$(PEERS_PYTHON) -m venv $(PEERS)/lenskit
	$(PEERS)/lenskit/bin/python -m pip install --quiet lenskit
	$(PEERS_PYTHON) -m venv $(PEERS)/myfm
	$(PEERS)/myfm/bin/python -m pip install --quiet myfm

clean:
	rm -rf .venv* dist build docs/_build docs/generated docs/auto_examples *.egg-info demo_learning_curve.png
