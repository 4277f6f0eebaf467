"""A child process of test_files.py: damages a saved index in many ways, loads it, and queries what loads.

Most mutations change payload behind an intact header, which `verify="header"` does not notice: answers may then
be wrong, but every read stays inside the file. `verify="full"` must refuse every one.

Usage: fuzz_files.py PROFILE MUTATIONS SEED FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from fm_index import ArtefactError, FMIndex
from fm_index.scoring import Keys, ScoringOptions, score_passages


def make(profile: str, path: Path) -> None:
    """Large enough for several lines, buckets and samples, and for stored contexts."""
    random = np.random.default_rng(0)
    tokens = np.minimum(random.geometric(0.5, 36_000) - 1, 90)
    cuts = np.sort(random.integers(0, len(tokens), 200))
    FMIndex.from_documents(np.split(tokens, cuts), profile=profile).save(path)  # type: ignore[arg-type]


def mutate(content: bytes, sections: list[tuple[int, int]], random: np.random.Generator) -> bytes:
    """Change a few bytes, a run, or a whole section; rarely the header or the length."""
    changed = bytearray(content)
    kind = random.integers(0, 10)
    if kind == 0:
        return bytes(changed[: random.integers(0, len(changed))])
    if kind == 1:
        changed[random.integers(0, len(changed))] ^= int(random.integers(1, 256))
        return bytes(changed)
    begin, end = sections[random.integers(0, len(sections))]
    for _ in range(random.integers(1, 6)):
        at = int(random.integers(begin, end))
        run = int(min(end - at, random.choice([1, 1, 8, 64, end - begin])))
        fill = random.choice(["random", "zeros", "ones"])
        value = {"random": random.bytes(run), "zeros": bytes(run), "ones": b"\xff" * run}[str(fill)]
        changed[at : at + run] = value
    return bytes(changed)


def sections_of(index: FMIndex, content: bytes) -> list[tuple[int, int]]:
    """Where each section lies in the file."""
    places = []
    for array in index._arrays.values():
        if array.nbytes:
            begin = content.index(array.tobytes()) if array.nbytes > 16 else -1
            if begin >= 0:
                places.append((begin, begin + array.nbytes))
    return places


def query(index: FMIndex, random: np.random.Generator) -> None:
    """Every call on arbitrary ranges, ignoring what it answers."""
    rows = index.num_rows
    lo = random.integers(0, rows, 40)
    hi = np.minimum(lo + random.integers(0, 600, 40), rows)
    lo[:3], hi[:3] = 0, [rows, index.num_documents, 20_000]
    tokens = random.integers(0, 95, 40)
    scores = random.random((40, index.vocab_size), np.float32)
    sizes = random.integers(1, 5, 30)
    keys = Keys.from_ngrams([random.integers(0, 6, size).tolist() for size in sizes], -random.random(30))
    calls = [
        lambda: index.step(lo, hi, tokens),
        lambda: index.successors(lo, hi),
        lambda: index.top_successors(lo, hi, scores, 5),
        lambda: index.locate(lo),
        lambda: index.documents_of(lo),
        lambda: index.documents(lo[3:], hi[3:], 5),
        lambda: index.extract_many(np.arange(index.num_documents)),
        lambda: follow(index),
        lambda: score_passages(index, [keys], ScoringOptions(max_candidates=50), matches=True),
    ]
    for call in calls:
        try:
            call()
        except ArtefactError:
            pass
        except ValueError as error:
            # A wrong answer used as the next call's argument is refused at the door.
            if "expected" not in str(error):
                raise


def follow(index: FMIndex) -> None:
    """A short search: successors, their ranges, and so on."""
    lo, hi = np.array([0]), np.array([index.num_documents])
    for _ in range(4):
        offsets, tokens, counts = index.successors(lo, hi)
        beams = np.repeat(np.arange(len(lo)), np.diff(offsets))[:50]
        lo, hi = index.children(lo[beams], hi[beams], tokens[:50], counts[:50])


def main(profile: str, mutations: int, seed: int, folder: Path) -> None:
    original, path = folder / "original.fmi", folder / "mutated.fmi"
    make(profile, original)
    content = original.read_bytes()
    sections = sections_of(FMIndex.load(original), content)
    random = np.random.default_rng(seed)
    loaded = 0
    for _ in range(mutations):
        mutated = mutate(content, sections, random)
        path.write_bytes(mutated)
        if mutated != content:
            try:
                FMIndex.load(path, verify="full")
            except ArtefactError:
                pass
            else:
                raise AssertionError("a changed file passed full verification")
        try:
            index = FMIndex.load(path, mmap=bool(random.integers(0, 2)))
        except ArtefactError:
            continue
        loaded += 1
        query(index, random)
    sys.stdout.write(f"{mutations} mutations, {loaded} loaded\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
