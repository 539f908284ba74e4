#!/usr/bin/env bash
# Get what the project needs and the machine lacks: setup.sh build|cuda|test|lint|fuzz|valgrind
#   build   Debian or Ubuntu packages
#   cuda    the same, LibTorch (from the torch wheel) and, for one that brings cuDNN, the headers of its C++ interface
#   test    as build, torch and the other Python oracles of the tests, in .venv
#   lint    clang-format, clang-tidy, shellcheck
#   fuzz    clang and its libFuzzer
#   valgrind
# Looks at what is there, not at what it did before, so it can run at any time and is done at once when nothing is missing.
# Writes .setup/torch: the folder of the torch that tests use and a program for GPUs links, which is the first of
#   $TORCH_DIR; the one used last time; the one that python3 imports (2.11 or newer); pip install in .venv
set -euo pipefail
cd "$(dirname "$0")/.."
readonly torch_wanted=2.13.0 torch_oldest=2.11
readonly cudnn_frontend=1.18.0 # the newest that needs no header of NVIDIA's compiler at run time
venv=.venv

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

# ---- Debian and Ubuntu packages ----

missing_packages() { # $1: build, test, lint, fuzz or valgrind
  local wanted
  mapfile -t wanted < <(awk -v group="$1" '!/^#/ && $2 == group {print $1}' tools/packages.txt)
  dpkg-query -Wf '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
    awk '$1 == "installed" {print $2}' | grep -Fxvf - <(printf '%s\n' "${wanted[@]}") || true
}

install_packages() {
  local missing as_root=()
  if ! command -v apt-get >/dev/null; then
    say "not Debian or Ubuntu, so nothing is installed; wanted are what these packages hold:" \
      "$(awk -v group="$1" '$2 == group {printf "%s ", $1}' tools/packages.txt)"
    return
  fi
  mapfile -t missing < <(missing_packages "$1")
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    # Without a terminal sudo can't ask for a password.
    if ! command -v sudo >/dev/null || ! { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
      say "not root and no sudo, going on without: ${missing[*]}"
      return
    fi
    as_root=(sudo)
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  say "installing ${missing[*]}"
  "${as_root[@]}" update || say "apt-get can't renew its package lists (it says why, above), going on with the old ones"
  "${as_root[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get can't install these packages (it says why, above; is there a network?): ${missing[*]}"
}

# ---- Python and torch ----

make_venv() {
  [[ -x $venv/bin/pip ]] && return
  command -v python3 >/dev/null || die "python3 is needed"
  python3 -m venv "$venv" || { rm -rf "$venv"; die "python3 -m venv failed (it says why, above)"; }
}

pip_install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }

is_torch() { [[ -e $1/lib/libtorch_cpu.so && -e $1/include/ATen/core/Tensor.h ]]; }

# The folder of the torch that a Python imports, if it is new enough. Doesn't load it: that takes seconds.
torch_of() {
  "$1" - "$torch_oldest" <<'PYTHON' 2>/dev/null
import importlib.metadata, importlib.util, re, sys
numbers = lambda version: [int(n) for n in re.findall(r"\d+", version)[:2]]
if numbers(importlib.metadata.version("torch")) < numbers(sys.argv[1]):
    sys.exit(1)
print(importlib.util.find_spec("torch").submodule_search_locations[0])
PYTHON
}

find_torch() {
  local found
  if [[ -n ${TORCH_DIR:-} ]]; then
    is_torch "$TORCH_DIR" || die "TORCH_DIR=$TORCH_DIR: no LibTorch there; give the folder of the torch Python package"
    realpath "$TORCH_DIR"
    return
  fi
  for found in "$(cat .setup/torch 2>/dev/null)" "$(torch_of "$venv/bin/python")" "$(torch_of python3)"; do
    if [[ -n $found ]] && is_torch "$found"; then echo "$found"; return; fi
  done
  return 1
}

install_torch() {
  local torch
  if ! torch=$(find_torch); then
    [[ -z ${TORCH_DIR:-} ]] || exit 1
    make_venv
    say "installing torch $torch_wanted in $venv"
    pip_install "torch==$torch_wanted" || die "pip can't install torch $torch_wanted (it says why, above)." \
      "Is there a network? A torch $torch_oldest or newer that is there already: TORCH_DIR=.../site-packages/torch"
    torch=$(find_torch) || die "the torch that pip installed holds no LibTorch"
  fi
  mkdir -p .setup
  [[ $(cat .setup/torch 2>/dev/null) == "$torch" ]] || echo "$torch" >.setup/torch
}

install_cudnn_frontend() {
  local folder=.setup/cudnn_frontend
  [[ -e $(dirname "$(cat .setup/torch)")/nvidia/cudnn && ! -e $folder/include/cudnn_frontend.h ]] || return 0
  make_venv
  say "getting the headers of cuDNN's C++ interface"
  pip_install --no-deps --target "$folder" "nvidia-cudnn-frontend==$cudnn_frontend" ||
    say "pip can't get them (it says why, above), going on without: attention will be slower"
}

# Are the pinned oracles there, and can this Python use torch?
oracles_there() {
  "$venv/bin/python" - tools/requirements-test.txt <<'PYTHON' 2>/dev/null
import importlib.metadata, importlib.util, sys
for line in open(sys.argv[1]):
    name, _, version = line.split("#")[0].strip().partition("==")
    if name and importlib.metadata.version(name) != version:
        sys.exit(1)
sys.exit(importlib.util.find_spec("torch") is None)
PYTHON
}

install_oracles() {
  local torch link
  make_venv
  oracles_there && return
  say "installing the oracles of the tests in $venv"
  torch=$(cat .setup/torch)
  if [[ $torch != "$PWD/$venv"/* ]]; then
    # A torch from elsewhere: let .venv see it, after its own packages, if its Python is the same.
    link=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch_from_elsewhere.pth
    dirname "$torch" >"$link"
    "$venv/bin/python" -c 'import torch' 2>/dev/null || { rm "$link"; pip_install "torch==$torch_wanted"; }
  fi
  pip_install -r tools/requirements-test.txt ||
    die "pip can't install the oracles of the tests (it says why, above). Is there a network? make build works without them."
}

case ${1:-} in
  build) install_packages build ;;
  cuda) install_packages build; install_torch; install_cudnn_frontend ;;
  test) install_packages build; install_packages test; install_torch; install_oracles ;;
  lint | fuzz | valgrind) install_packages "$1" ;;
  *) die "usage: setup.sh build|cuda|test|lint|fuzz|valgrind" ;;
esac
