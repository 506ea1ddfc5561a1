# SpineScribe: the commands of README.md. Each sets up what it needs; nothing is installed by hand.
#   make demo   read a generated study to a draft report      make test    all tests but the slow ones
#   make app    serve the reading room, with a worker          make check   style, types, import direction
#   make test-e2e  the tests that drive a browser              make test-pacs  those that talk to real archives (Orthanc, dcmtk)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Extra flags for pip, e.g. PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu" for a CPU torch.
PIP_FLAGS ?=
PYTEST_FLAGS ?= -n 2
unexport PYTHONDONTWRITEBYTECODE
export HF_HUB_OFFLINE := 1
export GRADIO_ANALYTICS_ENABLED := False
export TOKENIZERS_PARALLELISM := false
export MPLBACKEND := Agg

.PHONY: demo test test-slow test-e2e test-pacs app check bench bench-segmentation bench-grading bench-grading-folds bench-vlm reproduce clean system-packages
.DEFAULT_GOAL := demo

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(PIP_FLAGS) -c constraints.txt torch
	$(BIN)/pip install --quiet $(PIP_FLAGS) -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet $(PIP_FLAGS) -c constraints.txt -e ".[test,check]"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/spinescribe demo

app: $(VENV)/.installed
	$(BIN)/python app.py

system-packages:
	sh tests/system_packages.sh

test: $(VENV)/.installed-dev system-packages
	$(BIN)/pytest $(PYTEST_FLAGS)

test-slow: $(VENV)/.installed-dev system-packages
	$(BIN)/pytest -m slow --dist loadfile $(PYTEST_FLAGS)

test-e2e: $(VENV)/.installed-dev system-packages
	$(BIN)/pytest -m 'browser and not slow' --dist loadfile $(PYTEST_FLAGS)

test-pacs: $(VENV)/.installed-dev system-packages
	$(BIN)/pytest -m 'pacs and not slow' --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Short form under 20 minutes on two cores; LONG=1 runs the whole screen and all five folds (hours).
bench-segmentation: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.segmentation bench $(if $(LONG),--long)

# Short form: the shipped graders as they are, 10 phantoms of each frozen set; LONG=1 reads the whole sets and adds the
# five-fold figures and the ablations, training what is missing (hours).
SETS := test_lumbar test_lumbar_shifted test_cervical test_cervical_shifted
bench-grading: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.grading --shipped
	$(BIN)/python -m benchmarks.grading_phantoms --setups $(SETS) $(if $(LONG),,--count 10)
	$(BIN)/python -m benchmarks.grading_sacroiliac $(if $(LONG),,--count 10)
	$(BIN)/python -m benchmarks.burden
	$(if $(LONG),$(MAKE) bench-grading-folds)

bench-grading-folds: $(VENV)/.installed-dev
	test -f runs/grading/lumbar/points.csv || $(BIN)/python -m grading.training.found_points --out runs/grading/lumbar
	test -f runs/grading/lumbar/training_points.csv || $(BIN)/python -m grading.training.found_points --out runs/grading/lumbar --model fold0
	$(BIN)/spinescribe train grading --config configs/grading/train_lumbar.yaml --out runs/grading/lumbar --resume
	$(BIN)/python -m benchmarks.grading
	$(BIN)/python -m benchmarks.grading_ablation --file configs/grading/ablation_real.yaml
	$(BIN)/python -m benchmarks.grading_ensemble
	$(BIN)/python -m benchmarks.grading_ablation --file configs/grading/ablation_grid.yaml

# The writer (channels, captions, consistency, speed), the parser, the verifier and the chatbot: 23 minutes on two
# busy cores. The showcase for eyes: python -m benchmarks.writer.showcase
bench-vlm: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.writer
	$(BIN)/python -m benchmarks.notes
	$(BIN)/python -m benchmarks.paraphrases
	$(BIN)/python -m benchmarks.chat

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.segmentation
	$(BIN)/python -m benchmarks.levels
	$(BIN)/python -m benchmarks.grading
	$(BIN)/python -m benchmarks.writer
	$(BIN)/python -m benchmarks.speed

# All shipped weights once more, against stored figures; nothing is trained (docs/reproduce.md).
# PARTS="notes chat" runs only these.
reproduce: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.reproduce $(if $(PARTS),--only $(PARTS))

clean:
	rm -rf $(VENV) build *.egg-info out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
