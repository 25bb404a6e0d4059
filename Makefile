# make demo: set up, train for minutes, evaluate, segment, draw. make test: set up, check, test. make slow: the tests
# that make test leaves out, which start servers, clusters and several processes, and set up MONAI Label (3.6 GB).
PYTHON ?= python3
# On Linux without a GPU, TORCH_INDEX=https://download.pytorch.org/whl/cpu saves gigabytes of CUDA libraries.
TORCH_INDEX ?=
VENV := .venv
RUN := $(VENV)/bin/python

QUICK := ['bundle/configs/train.json','bundle/configs/experiments/quick.json']
EVALUATE := ['bundle/configs/train.json','bundle/configs/evaluate.json']
DEMO := runs/quick

.PHONY: demo test slow lint setup clean

demo: $(VENV)/demo data/synthetic
	$(RUN) -m scripts.run training --config_file "$(QUICK)" --overwrite true
	$(RUN) -m scripts.run evaluating --config_file "$(EVALUATE)" --model $(DEMO) --dataset_dir data/synthetic --split test
	$(RUN) -m scripts.run inferring --config_file bundle/configs/inference.json \
		--model $(DEMO) --output_dir $(DEMO)/segmentations --save "['mask','probability','instance']"
	$(RUN) -m scripts.report --run $(DEMO) --dataset_dir data/synthetic --segmentations $(DEMO)/segmentations \
		--split test

data/synthetic: | $(VENV)/demo
	$(RUN) -m scripts.prepare_data synthetic --output $@

test: $(VENV)/test lint
	$(RUN) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

slow: $(VENV)/test
	$(RUN) -m pytest -m slow -o faulthandler_timeout=3600

lint: $(VENV)/test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

setup: $(VENV)/test

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo: requirements.txt | $(VENV)/bin/python
	$(RUN) -m pip install --quiet $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements.txt
	touch $@

$(VENV)/test: requirements-dev.txt requirements-export.txt requirements-volume.txt $(VENV)/demo
	$(RUN) -m pip install --quiet $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) runs data
