"""The residual quantiser beside faiss's (`max_beam_size=1`) on the same vectors: error and time.

    python benchmarks/docid/residual_quantiser.py VECTORS.npy [--levels 4] [--codes 256]

Needs faiss-cpu, which the project does not install.
"""

from __future__ import annotations

import argparse
import time

import faiss
import numpy as np

from docid.quantisers.quantise import ResidualQuantiser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("vectors")
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--codes", type=int, default=256)
    options = parser.parse_args()
    vectors = np.load(options.vectors).astype(np.float32)

    begin = time.perf_counter()
    ours = ResidualQuantiser.fit(vectors, options.levels, options.codes, seed=0)
    codes = ours.encode(vectors)
    report("ours", time.perf_counter() - begin, ours.error(vectors, codes))

    faiss.omp_set_num_threads(1)
    begin = time.perf_counter()
    theirs = faiss.ResidualQuantizer(vectors.shape[1], options.levels, int(np.log2(options.codes)))
    theirs.max_beam_size = 1
    theirs.train_type = faiss.ResidualQuantizer.Train_default
    theirs.train(vectors)
    decoded = theirs.decode(theirs.compute_codes(vectors))
    seconds = time.perf_counter() - begin
    report("faiss", seconds, float(np.square(vectors - decoded, dtype=np.float64).sum(axis=1).mean()))


def report(name: str, seconds: float, error: float) -> None:
    print(f"{name:6} {seconds:8.1f} s   mean squared error {error:.5f}")


if __name__ == "__main__":
    main()
