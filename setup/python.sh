#!/bin/sh
# Makes the virtual environment with every pinned package, and builds the body model's cache once.
set -eu
python=$1
venv=$2

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check torch==2.13.0
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps -r requirements.txt
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
echo "Building the body model's cache (about a minute, once)"
"$venv/bin/python" -m renderers.body_models.anny
