#!/bin/sh
# Builds the native cores with AddressSanitizer and UBSan beside the installed ones, and runs their tests and mutated
# files of the index against them. Usage: sanitize.sh PYTHON [MUTATIONS]; needs gcc and pybind11's headers.
set -eu
given=${1:?PYTHON}
# Absolute, since this script changes folders; not resolved, since the link is what makes it the environment's.
python=$(cd "$(dirname "$given")" && pwd)/$(basename "$given")
mutations=${2:-1000}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/files"
cp -r "$root/tests/fm_index" "$work/tests"
# What the folders of tests share.
cp "$root/tests/floats.py" "$root"/tests/docid/test_simultaneous.py "$work/tests/"
includes=${PYBIND11_INCLUDES:-$("$python" -m pybind11 --includes)}
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
for package in fm_index docid; do
    cp -r "$root/$package" "$work/$package"
    rm -f "$work/$package"/*.so
    # -fno-sanitize=vptr: pybind11 hides the type information that this check needs.
    g++ -std=c++17 -O1 -g1 -fPIC -shared -pthread -fvisibility=hidden -fno-omit-frame-pointer \
        -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all \
        $includes -I"$root/$package/csrc" $(find "$root/$package/csrc" -name "*.cpp") -o "$work/$package/_core$suffix"
done
export PYTHONPATH="$work" PYTHONMALLOC=malloc OMP_NUM_THREADS=1
# Python itself leaks at exit; the core's own memory is checked by use.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
export LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so) $(g++ -print-file-name=libstdc++.so)"
cd "$work"
for package in fm_index docid; do
    "$python" -c 'import importlib, sys
found = importlib.import_module(sys.argv[1] + "._core").__file__
assert found.startswith(sys.argv[2]), found' $package "$work"
done
for profile in fast compact; do
    "$python" tests/fuzz_files.py "$profile" "$mutations" 7 "$work/files"
done
"$python" -m pytest -q -p no:cacheprovider -m "not soak" --timeout 900 tests/test_calls.py tests/test_sort.py \
    tests/test_index.py tests/test_scoring.py tests/test_simultaneous.py -k "not naive_twins and not three_symbols"
