#!/bin/sh
# Builds the native core with AddressSanitizer and UBSan beside the installed one, and runs the index's tests and
# the mutated files against it. Usage: sanitize.sh PYTHON [MUTATIONS]; needs gcc and pybind11's headers.
set -eu
given=${1:?PYTHON}
# Absolute, since this script changes folders; not resolved, since the link is what makes it the environment's.
python=$(cd "$(dirname "$given")" && pwd)/$(basename "$given")
mutations=${2:-1000}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/fm_index" "$work/files"
cp "$root"/fm_index/*.py "$work/fm_index/"
cp -r "$root/tests/fm_index" "$work/tests"
includes=${PYBIND11_INCLUDES:-$("$python" -m pybind11 --includes)}
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
# -fno-sanitize=vptr: pybind11 hides the type information that this check needs.
g++ -std=c++17 -O1 -g1 -fPIC -shared -pthread -fvisibility=hidden -fno-omit-frame-pointer \
    -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all \
    $includes -I"$root/fm_index/csrc" "$root"/fm_index/csrc/*.cpp -o "$work/fm_index/_core$suffix"
export PYTHONPATH="$work" PYTHONMALLOC=malloc OMP_NUM_THREADS=1
# Python itself leaks at exit; the core's own memory is checked by use.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
export LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so) $(g++ -print-file-name=libstdc++.so)"
cd "$work"
"$python" -c 'import fm_index, sys; assert fm_index.__file__.startswith(sys.argv[1]), fm_index.__file__' "$work"
for profile in fast compact; do
    "$python" tests/fuzz_files.py "$profile" "$mutations" 7 "$work/files"
done
"$python" -m pytest -q -p no:cacheprovider -m "not soak" --timeout 900 tests/test_calls.py tests/test_sort.py \
    tests/test_index.py tests/test_scoring.py -k "not naive_twins and not three_symbols"
