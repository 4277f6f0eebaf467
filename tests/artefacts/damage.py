"""Ways to damage an artefact: blindly, and with every checksum made anew as somebody would who meant it.

An artefact is a snapshot: file names to bytes. A change gives another one, and says what it did.
"""

from __future__ import annotations

import json
import os
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from fm_index.container import read_container, write_container

Snapshot = dict[str, bytes]
MANIFEST = "genret.json"
FIFO = b"\0fifo"  # stands for a named pipe


def snapshot(path: Path) -> Snapshot:
    """The files of an artefact; "" is the name of one that is a single file."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def write(files: Snapshot, path: Path) -> None:
    """Write a snapshot at a path that is free."""
    for name, data in files.items():
        place = path / name if name else path
        place.parent.mkdir(parents=True, exist_ok=True)
        if data == FIFO:
            os.mkfifo(place)
        else:
            place.write_bytes(data)


# ---- blind ------------------------------------------------------------------------------------------------


def blind(files: Snapshot, other: Snapshot, rng: random.Random) -> tuple[Snapshot, str]:
    """What disks, copies and hands do; checksums stay as they are."""
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    kind = rng.choice(
        ["flip", "flip", "flip", "run", "cut", "longer", "empty", "fifo", "gone", "other", "swap"]
    )
    at = rng.randrange(len(data)) if data else 0
    changed = dict(files)
    if kind == "flip" and data:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == "run":
        end = min(len(data), at + rng.choice([4, 16, 64, 512]))
        data[at:end] = rng.choice([bytes(end - at), b"\xff" * (end - at), rng.randbytes(end - at)])
    elif kind == "cut":
        del data[at:]
    elif kind == "longer":
        data += rng.randbytes(rng.choice([1, 16, 64]))
    elif kind == "empty":
        data.clear()
    elif kind == "other":
        data[:] = other.get(name, b"")
    elif kind == "swap":
        second = rng.choice(sorted(files))
        changed[name], changed[second] = files[second], files[name]
        return changed, f"swapped {name} and {second}"
    if kind == "gone":
        del changed[name]
    else:
        changed[name] = FIFO if kind == "fifo" else bytes(data)
    return changed, f"{kind} {name}"


# ---- meant ------------------------------------------------------------------------------------------------


def meant(files: Snapshot, other: Snapshot, rng: random.Random, scratch: Path) -> tuple[Snapshot, str]:
    """One file changed inside, or exchanged for that of another build, and all sums made anew."""
    names = [name for name in sorted(files) if not name.endswith(MANIFEST)]
    name = rng.choice(names)
    if rng.random() < 0.12 and name in other:
        changed, what = {**files, name: other[name]}, f"exchanged {name} between builds"
    elif rng.random() < 0.06 and len(names) > 1:
        second = rng.choice(names)
        changed, what = {**files, name: files[second], second: files[name]}, f"exchanged {name} and {second}"
    elif rng.random() < 0.08 and MANIFEST in files:
        changed, what = _manifest_values(files, rng)
        return _resummed(changed), what
    else:
        data, what = _inside(name, files[name], rng, scratch)
        changed, what = {**files, name: data}, f"{what} in {name}"
    return _resummed(changed), what


def _inside(name: str, data: bytes, rng: random.Random, scratch: Path) -> tuple[bytes, str]:
    if data.startswith(b"GENRETCF"):
        return _container(data, rng, scratch)
    if name.endswith(".safetensors"):
        return _safetensors(data, rng)
    if name.endswith(".json"):
        return _json(data, rng)
    if data.startswith(b"\x93NUMPY"):
        return _npy(data, rng)
    return _lines(data, rng)


def _container(data: bytes, rng: random.Random, scratch: Path) -> tuple[bytes, str]:
    path = scratch / "container"
    path.write_bytes(data)
    length = struct.unpack("<8sII", data[:16])[2]
    header = json.loads(data[16 : 16 + length])
    found = read_container(path, kind=header["kind"], version=99, mmap=False)
    arrays = {section: array.copy() for section, array in found.arrays.items()}
    meta, what = found.meta, ""
    choice = rng.random()
    if choice < 0.12 or not arrays:
        meta, what = _value(meta, rng)
        what = f"meta {what}"
        if not isinstance(meta, dict):
            meta = {"meta": meta}
    else:
        section = rng.choice(sorted(arrays))
        arrays, what = _section(arrays, section, rng)
        what = f"{what} section {section}"
    write_container(path, kind=header["kind"], version=header["version"], meta=meta, arrays=arrays)
    return _with_build(path.read_bytes(), header.get("build")), what


def _with_build(data: bytes, build: str | None) -> bytes:
    """The build that the file had is kept: somebody changes what is inside, not where it belongs."""
    length = struct.unpack("<8sII", data[:16])[2]
    text = data[16 : 16 + length].replace(b'"build": "' + b"0" * 32, f'"build": "{build}'.encode())
    prefix = data[:16] + text
    return prefix + xxhash.xxh3_128_digest(prefix) + data[len(prefix) + 16 :]


def _section(arrays: dict[str, Any], name: str, rng: random.Random) -> tuple[dict[str, Any], str]:
    array = arrays[name]
    flat = array.reshape(-1)
    kinds = ["drop", "more", "dtype", "shape", "shorter", "longer"]
    if len(flat):
        kinds += ["far", "near", "near", "near", "negative", "equal"] + ["swap"] * 2 + ["reverse", "random"]
    kind = rng.choice(kinds)
    at, second = (rng.randrange(len(flat)), rng.randrange(len(flat))) if len(flat) else (0, 0)
    if kind == "drop":
        del arrays[name]
    elif kind == "more":
        arrays["unknown"] = np.arange(3)
    elif kind == "dtype":
        arrays[name] = array.astype(rng.choice([np.float32, np.int64, np.uint8, np.int32]))
    elif kind == "shape":
        arrays[name] = array.reshape(1, -1)
    elif kind == "shorter":
        arrays[name] = array[:-1] if array.ndim and len(array) else np.zeros(1, array.dtype)
    elif kind == "longer":
        arrays[name] = np.concatenate([array, array[-1:] if len(array) else np.zeros(1, array.dtype)])
    elif kind == "swap":
        flat[at], flat[second] = flat[second], flat[at]
    elif kind == "reverse":
        arrays[name] = array[::-1].copy()
    elif kind == "equal":
        flat[at] = flat[second]
    elif array.dtype.kind == "f":
        flat[at] = {"far": np.nan, "negative": -flat[at], "near": flat[at] + 1, "random": np.inf}[kind]
    elif array.dtype.kind == "b":
        flat[at] = not flat[at]
    else:
        limits = np.iinfo(array.dtype)
        value = {"far": limits.max, "negative": limits.min, "random": rng.randint(limits.min, limits.max)}
        near = min(max(int(flat[at]) + rng.choice([-2, -1, 1, 2]), limits.min), limits.max)
        flat[at] = value.get(kind, near)
    return arrays, kind


VALUES: list[Any] = [None, True, -1, 0, 1, 2, 1 << 31, 1 << 70, 1.5, 1e300, "", "x", [], {}, [[[]]], {"a": 1}]


def _value(content: Any, rng: random.Random) -> tuple[Any, str]:
    """One value somewhere in plain content changed, dropped or added."""
    if isinstance(content, dict) and content and rng.random() < 0.9:
        key = rng.choice(sorted(content))
        if rng.random() < 0.2:
            return {name: value for name, value in content.items() if name != key}, f"without {key}"
        if rng.random() < 0.1:
            return {**content, "unknown": 1}, "with unknown"
        value, what = _value(content[key], rng)
        return {**content, key: value}, f"{key} {what}"
    if isinstance(content, list) and content and rng.random() < 0.9:
        place = rng.randrange(len(content))
        value, what = _value(content[place], rng)
        return [*content[:place], value, *content[place + 1 :]], f"[] {what}"
    if type(content) is int and rng.random() < 0.5:
        return content + rng.choice([-1, 1, 10]), "near"
    return rng.choice(VALUES), "other"


def _manifest_values(files: Snapshot, rng: random.Random) -> tuple[Snapshot, str]:
    content = json.loads(files[MANIFEST])
    meta, what = _value(content["meta"], rng)
    return {**files, MANIFEST: json.dumps({**content, "meta": meta}).encode()}, f"manifest {what}"


def _json(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    if rng.random() < 0.1:
        return b'{"a":' * 100_000, "json deep"
    if rng.random() < 0.1:
        return data.replace(b":", b": NaN, ", 1), "json nan"
    value, what = _value(json.loads(data), rng)
    return json.dumps(value).encode(), f"json {what}"


def _safetensors(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    (length,) = struct.unpack("<Q", data[:8])
    payload = bytearray(data[8 + length :])
    if rng.random() < 0.5 and payload:
        at = rng.randrange(len(payload) // 4) * 4
        payload[at : at + 4] = struct.pack("<f", rng.choice([float("nan"), float("inf"), 1.0, -3.0]))
        return data[: 8 + length] + bytes(payload), "safetensors number"
    header, what = _value(json.loads(data[8 : 8 + length]), rng)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(payload), f"safetensors {what}"


def _npy(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    if rng.random() < 0.5:
        return data.replace(b"'shape'", rng.choice([b"'shope'", b"'shape'*9", b"((((((("]), 1), "npy header"
    changed = bytearray(data)
    at = rng.randrange(10, len(data))
    changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed), "npy byte"


def _lines(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    lines = data.split(b"\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.choice(["swap", "drop", "double", "byte", "bad"])
    if kind == "swap":
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == "drop":
        del lines[first]
    elif kind == "double":
        lines.insert(second, lines[first])
    elif kind == "bad":
        lines[first] += b"\xff\xfe"
    elif data:
        changed = bytearray(data)
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(7)
        return bytes(changed), "line byte"
    return b"\n".join(lines), f"line {kind}"


def _resummed(files: Snapshot) -> Snapshot:
    """Manifests, deepest first, and journals with the sums of what is there."""
    changed = dict(files)
    for name in sorted(
        (name for name in files if name.rpartition("/")[2] == MANIFEST), key=len, reverse=True
    ):
        try:
            content = json.loads(changed[name])
            folder = name[: -len(MANIFEST)]
            listed = content["files"]
            for inner in listed:
                data = changed.get(folder + inner, b"")
                listed[inner] = {"bytes": len(data), "xxh3_128": xxhash.xxh3_128_hexdigest(data)}
            content.pop("checksum", None)
            content["checksum"] = xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        changed[name] = json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"
    for name, data in files.items():
        journal = name.removesuffix(".jsonl") + ".json"
        if name.endswith(".jsonl") and journal in files:
            try:
                content = json.loads(changed[journal])
                content |= {"bytes": len(data), "xxh3_128": xxhash.xxh3_128_hexdigest(data)}
                changed[journal] = json.dumps(content).encode()
            except (ValueError, TypeError, RecursionError):
                continue
    return changed


__all__ = ["FIFO", "Snapshot", "blind", "meant", "snapshot", "write"]
