#!/bin/sh
# Sees to the Debian packages that the project needs: Python's venv, and the libraries of off-screen OpenGL.
# They are installed where this is root and apt-get is there; elsewhere the one line to run is printed.
set -eu
python=$1

if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    echo "Dancemill needs Python 3.11, but '$python' is $("$python" --version 2>&1)." >&2
    echo "Name another with: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi

wanted=""
"$python" -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
has_library() { "$python" -c "import ctypes; ctypes.CDLL('$1')" 2>/dev/null; }
has_library libEGL.so.1 && has_library libGL.so.1 && has_library libEGL_mesa.so.0 || wanted="$wanted libegl1 libgl1 libgl1-mesa-dri libegl-mesa0"
has_library libOSMesa.so.8 || wanted="$wanted libosmesa6"
[ -n "$wanted" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing$wanted"
    apt-get update -q
    # shellcheck disable=SC2086  # one word a package
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $wanted
else
    echo "Some system packages are missing. Run this, then make again:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$wanted" >&2
    exit 1
fi
