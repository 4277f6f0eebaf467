"""Measures fm_index beside sdsl-lite and pydivsufsort, and prints one JSON object.

Needs g++, libsdsl-dev, and pybind11 in the running Python (pydivsufsort is measured when it is installed). The
peers are compiled into a temporary folder; nothing of them is part of the project.

Usage: run.py TOKENS.npy OFFSETS.npy   (int32 tokens and int64 offsets of a real corpus)
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from fm_index import FMIndex, _core

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BEAMS, ROUNDS, LONGEST = 300, 7, 9


def compile_peers(work: Path) -> None:
    """The program that compares in C++, and the module that returns lists."""
    import pybind11

    flags = ["g++", "-std=c++17", "-O3", "-DNDEBUG", "-msse4.2", "-pthread", "-w"]
    libraries = ["-lsdsl", "-ldivsufsort", "-ldivsufsort64"]
    source = ROOT / "fm_index" / "csrc"
    ours = [str(source / "engines" / name) for name in ("engine_base.cpp", "engine_v3.cpp")]
    # Our files are built as the package builds them, without -msse4.2.
    for path in ours:
        plain = [flag for flag in flags if flag != "-msse4.2"]
        subprocess.run(
            [*plain, f"-I{source}", "-c", path, "-o", str(work / (Path(path).stem + ".o"))], check=True
        )
    objects = [str(work / "engine_base.o"), str(work / "engine_v3.o")]
    compare = [*flags, f"-I{source}", str(HERE / "compare.cpp"), *objects, *libraries]
    subprocess.run([*compare, "-o", str(work / "compare")], check=True)
    includes = [f"-I{pybind11.get_include()}", f"-I{sysconfig.get_paths()['include']}"]
    module = ["-shared", "-fPIC", *includes, str(HERE / "peer_module.cpp"), *libraries]
    target = work / ("peer_module" + str(sysconfig.get_config_var("EXT_SUFFIX")))
    subprocess.run([*flags, *module, "-o", str(target)], check=True)


def compare_in_cpp(work: Path, tokens: np.ndarray, offsets: np.ndarray) -> Any:
    """What compare.cpp prints."""
    tokens.astype(np.int32).tofile(work / "tokens")
    offsets.astype(np.int64).tofile(work / "offsets")
    done = subprocess.run(
        [str(work / "compare"), str(work / "tokens"), str(work / "offsets")],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout)


def contexts(tokens: np.ndarray, offsets: np.ndarray, length: int, random: np.random.Generator) -> np.ndarray:
    """[BEAMS, length] n-grams from random places, each with a token behind it."""
    lengths = np.diff(offsets)
    documents = random.choice(np.flatnonzero(lengths > length), BEAMS)
    starts = offsets[documents] + (random.random(BEAMS) * (lengths[documents] - length)).astype(int)
    return tokens[starts[:, None] + np.arange(length)]


def timed(call: Any, filler: np.ndarray, clock: Any = time.thread_time) -> float:
    """Seconds of one call after the caches were filled with something else; CPU seconds of this thread."""
    filler += 1
    start = clock()
    call()
    return clock() - start


def compare_in_python(work: Path, tokens: np.ndarray, offsets: np.ndarray) -> dict[str, float]:
    """Successors of batches through Python: ours, the peer's lists, and ours on two threads by the wall."""
    sys.path.insert(0, str(work))
    peer_module = importlib.import_module("peer_module")
    index = FMIndex.build(tokens, offsets)
    text = index._arrays["text"][:-1][::-1].astype(np.uint32) + 1
    alphabet = index._arrays["alphabet"]
    peer = peer_module.Peer(np.ascontiguousarray(text))
    random, filler = np.random.default_rng(5), np.zeros(1 << 24)
    sums = {"python_ms": 0.0, "peer_python_ms": 0.0, "one_thread_wall_ms": 0.0, "two_threads_wall_ms": 0.0}
    for length in range(1, LONGEST + 1):
        times: dict[str, list[float]] = {name: [] for name in sums}
        for _ in range(ROUNDS):
            grams = contexts(tokens, offsets, length, random)
            lo, hi = np.zeros(BEAMS, np.int64), np.full(BEAMS, index.num_rows)
            for column in grams.T:
                lo, hi = index.step(lo, hi, column)
            symbols = (np.searchsorted(alphabet, grams) + 2).tolist()
            peer_lo, peer_hi = map(list, zip(*map(peer.range, symbols), strict=True))
            ours = lambda lo=lo, hi=hi: index.successors(lo, hi)  # noqa: E731
            for threads, name in ((2, "two_threads_wall_ms"), (1, "one_thread_wall_ms")):
                index.threads = threads
                ours()
                times[name].append(timed(ours, filler, time.perf_counter))
            times["python_ms"].append(timed(ours, filler))
            call = lambda a=peer_lo, b=peer_hi: peer.successors(a, b)  # noqa: E731
            times["peer_python_ms"].append(timed(call, filler))
        for name, values in times.items():
            sums[name] += float(np.median(values)) * 1e3
    return sums


def measure_files(work: Path, tokens: np.ndarray, offsets: np.ndarray) -> dict[str, float]:
    """Peak memory of a build in a fresh process, and the time to load."""
    np.save(work / "tokens.npy", tokens)
    np.save(work / "offsets.npy", offsets)
    code = (
        "import numpy as np, resource, sys, time\nfrom fm_index import FMIndex\n"
        "tokens, offsets = np.load(sys.argv[1]), np.load(sys.argv[2])\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before, start = peak(), time.process_time()\nindex = FMIndex.build(tokens, offsets)\n"
        "spent = time.process_time() - start\n"
        "print(peak() - before, (peak() - before) / len(tokens), len(tokens) / spent / 1e6)\n"
        "index.save(sys.argv[3])\n"
    )
    paths = [str(work / name) for name in ("tokens.npy", "offsets.npy", "index.fmi")]
    out = subprocess.run([sys.executable, "-c", code, *paths], check=True, stdout=subprocess.PIPE, text=True)
    _, per_token, speed = map(float, out.stdout.split())
    loads = []
    for _ in range(7):
        start = time.perf_counter()
        FMIndex.load(paths[2])
        loads.append(time.perf_counter() - start)
    return {
        "peak_bytes_a_token_beside_input": per_token,
        "build_Mtok_a_cpu_second": speed,
        "load_ms": float(np.median(loads)) * 1e3,
    }


def measure_sorting(tokens: np.ndarray, offsets: np.ndarray) -> dict[str, float]:
    """Our sorter on the tokens, and pydivsufsort on the same tokens as bytes, in CPU seconds."""
    text = np.zeros(len(tokens) + len(offsets), np.uint16)
    documents = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    text[np.arange(len(tokens)) + documents + 1] = np.unique(tokens, return_inverse=True)[1] + 1
    start = time.process_time()
    _core.sort_prefixes(text)
    result = {"sort_Mtok_a_cpu_second": len(tokens) / (time.process_time() - start) / 1e6}
    try:
        pydivsufsort = importlib.import_module("pydivsufsort")
    except ImportError:
        return result
    reversed_text = np.ascontiguousarray(text[::-1])
    start = time.process_time()
    pydivsufsort.divsufsort(reversed_text)
    result["pydivsufsort_Mtok_a_cpu_second"] = len(tokens) / (time.process_time() - start) / 1e6
    return result


def main(tokens_path: str, offsets_path: str) -> None:
    tokens, offsets = np.load(tokens_path), np.load(offsets_path)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        compile_peers(work)
        result = measure_files(work, tokens, offsets) | measure_sorting(tokens, offsets)
        print(json.dumps(result), flush=True)
        print(json.dumps(compare_in_cpp(work, tokens, offsets)), flush=True)
        print(json.dumps(compare_in_python(work, tokens, offsets)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
