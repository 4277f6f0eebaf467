"""Seeded command lines and configurations over tiny artefacts: every command, every option, odd values, wrong files.

Every call happens in this process, under an alarm; what comes out is an exit code and what was written to the user.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from backbones import byte_tokenizer, t5
from command_line import built
from tiny_ngrams import marked_t5, text_index
from tiny_sentence_encoder import write_encoder

from genret.cli import app as cli

SECONDS = 60
# They train for minutes with what is right, or serve until they are interrupted: only called with what is wrong.
LONG = {"demo", "fit", "study"}
CODES = {0, 2, 3, 4}
VALUES = ["", " ", "0", "-1", "1", "2", "3", "nan", "inf", "-inf", "1e400", "2147483648", "99999999999999999999999",
          "x", "é", "\U0001f600", "a=b", "=", "{", "[", "0/0", "1/2", "2/2", "-1/3", "{subject:>9999999999}", "{}",
          "%s", "../..", "--", "\n", "cpu", "cuda:99", "meta", "true", "null", "10@hit", "hit@1", "hit@0",
          "hit@99999999999", "full", "raw", "residual", "title", "string", "levels=2147483648", "codes=0", "seed=-1",
          "levels=[", "x" * 5000]  # fmt: skip


COMMAND = built()


class Hang(BaseException):
    """A call did not end in time."""


@dataclass
class World:
    """Right files by what they are, and wrong ones."""

    folder: Path
    right: dict[str, list[Path]]
    wrong: list[Path]
    config: dict[str, Any]


def make_world(folder: Path) -> World:
    corpus = folder / "corpus"
    (corpus / "qrels").mkdir(parents=True)
    rows = [{"_id": f"p{n}", "title": f"t{n % 3}", "text": f"the fox number {n} jumps"} for n in range(6)]
    asked = [{"_id": f"q{n}", "text": f"which fox is number {n}"} for n in range(3)]
    (corpus / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (corpus / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    (corpus / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq0\tp0\t1\nq1\tp1\t1\n")
    (folder / "a.run").write_text("q0 Q0 p0 1 2.5 tag\nq1 Q0 p3 1 2.0 tag\n")
    tokenizer = folder / "tokenizer"
    byte_tokenizer().save_pretrained(tokenizer)
    t5().save_pretrained(folder / "t5")
    text_index(folder / "index", marked_t5().tokenizer, None)
    encoder = write_encoder(folder / "encoder")
    world = World(folder, {}, _wrong(folder), {})
    call(["docid", "build", str(corpus), "-o", str(folder / "table"), "--strategy", "string", "--set", "digits=true",
          "--keep", str(folder / "strategy"), "--tokenizer", str(tokenizer)])  # fmt: skip
    world.config = {
        "output": str(folder / "never"),
        "data": {"corpus": str(corpus), "judgements": str(corpus / "qrels" / "dev.tsv")},
        "docids": {"strategy": "string", "options": {"digits": True}},
        "model": {
            "kind": "encoder-decoder",
            "tokenizer": str(tokenizer),
            "config": {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2},
        },
        "mixture": {"labelled": 1, "firstp": 1},
        "sources": {"firstp": {"words": 4}},
        "training": {"max_steps": 2, "batch_size": 4, "optimizer": {"weight_decay": 0.0}},
        "search": {"num_beams": 2, "score": "full", "eval_queries": 2},
        "loss": {"kind": "cross-entropy"},
        "mixing": {"temperature": 2.0, "caps": {"firstp": 3}},
        "seed": 1,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(world.config))
    call(["train", str(folder / "run.yaml"), f"output={folder / 'trained'}"])
    world.right = {
        "corpus": [corpus, corpus / "corpus.jsonl"],
        "queries": [corpus, corpus / "queries.jsonl"],
        "judgements": [corpus, corpus / "qrels" / "dev.tsv"],
        "run": [folder / "a.run"],
        "model": [folder / "trained" / "model", folder / "t5"],
        "table": [folder / "table"],
        "strategy": [folder / "strategy"],
        "folder": [folder / "index"],
        "config": [folder / "run.yaml"],
        "tokenizer": [tokenizer],
        "encoder": [encoder],
    }
    return world


def _wrong(folder: Path) -> list[Path]:
    """Empty, binary, truncated, a folder, missing, a pipe, one that may not be read, and one that holds itself."""
    made = folder / "wrong"
    made.mkdir()
    contents = {"empty": b"", "binary.bin": bytes(range(256)) * 4, "zero.npy": bytes(64), "text.jsonl": b"{}\n[1]\n",
                "latin.tsv": "a\tb\té\n".encode("latin-1"), "half.json": b'{"a": [1,', "deep.json": b"[" * 50_000,
                "gz.jsonl.gz": b"\x1f\x8b\x08 no", "zst.jsonl.zst": b"(\xb5/\xfd no", "zip.zip": b"PK\x03\x04 no",
                "deep.yaml": b"a: " + b"[" * 5000, "tab.yaml": b"a:\n\tb: 1\n"}  # fmt: skip
    for name, content in contents.items():
        (made / name).write_bytes(content)
    os.mkfifo(made / "pipe")
    os.mkfifo(made / "pipe.jsonl")
    (made / "loop").symlink_to(made / "loop")
    (made / "shut").write_text("x")
    (made / "shut").chmod(0)
    return [
        *sorted(made.iterdir()),
        made,
        made / "none",
        made / "none" / "of.jsonl",
        Path("/dev/null"),
        Path("/"),
    ]


def call(arguments: list[str]) -> tuple[int, str]:
    """`genret ARGUMENTS`: its exit code and what it said; 70 says a report, of which the trace is given."""
    from genret.cli import last_defence

    def ring(*_: object) -> None:
        raise Hang

    said, before = io.StringIO(), signal.signal(signal.SIGALRM, ring)
    argv, app = sys.argv, cli.app
    sys.argv, cli.app = ["genret", *arguments], COMMAND
    trace: list[str] = []
    reported = last_defence._report
    last_defence._report = lambda error: trace.append(reported(error)) or trace[0]  # type: ignore[func-returns-value]
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            cli.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        sys.argv, cli.app, last_defence._report = argv, app, reported
    return code, said.getvalue() + "".join(trace)


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Every command by its words, with its parameters."""
    for name, command in (group or COMMAND).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), list(command.params)


COMMANDS = list(commands())


def command_line(world: World, rng: random.Random, number: int) -> list[str]:
    """A command with its required parameters mostly right, and some others."""
    words, parameters = COMMANDS[number % len(COMMANDS)]
    arguments, named = [], []
    output = str(world.folder / f"out-{number}")
    for one in parameters:
        option = one.opts[0] if one.opts and one.opts[0].startswith("-") else None
        if one.name in ("port", "help") or (
            not one.required and rng.random() < 0.7 and not _needed(words, one)
        ):
            continue
        if option is not None and getattr(one, "is_flag", False):
            named.append(option)
            continue
        if one.name in ("output", "target"):
            # Only below the test's own folder: a fault must not cost the machine its /dev/null.
            wrong = [path for path in world.wrong if path.is_relative_to(world.folder)]
            value = output if rng.random() < 0.8 else str(rng.choice(wrong))
        elif one.name == "overrides":
            value = "=".join(spoil(world, rng)[:2])
        else:
            value = _value(world, rng, one, wrong=words[0] in LONG and one.required)
        if option is None:
            arguments.append(value)
        else:
            named += [option, value]
    if words == ("train",):
        arguments.append(f"output={output}")
    if words[0] in LONG and not any(one.required for one in parameters):
        named += ["--minutes", "-1"]
    return [*words, *named, *(["--"] if rng.random() < 0.2 else []), *arguments]


def _needed(words: tuple[str, ...], one: Any) -> bool:
    """Without it the command would serve a page, or take a model of hundreds of megabytes."""
    return (words[0] == "browse" and one.name == "output") or (
        words[0] in ("queries", "negatives", "baseline", "embed") and one.name in ("model", "encoder")
    )


def _value(world: World, rng: random.Random, one: Any, *, wrong: bool) -> str:
    stem = {"source": "corpus", "runs": "run", "tables": "table", "queries": "queries"}.get(
        one.name, one.name
    )
    right = world.right.get(stem, [])
    if right and not wrong and rng.random() < 0.7:
        return str(rng.choice(right))
    if wrong or one.type_descriptor.annotation is Path:
        pool = (
            world.wrong
            if wrong
            else [*world.wrong, *(path for found in world.right.values() for path in found)]
        )
        return str(rng.choice(pool))
    if one.name in ("model", "encoder"):
        return str(rng.choice(world.wrong))
    return rng.choice(VALUES)


ODD: list[Any] = [None, True, False, 0, -1, 1, 2, 1 << 31, 10**30, 1e19, -1e300, float("nan"), float("inf"), "", "x",
                  "1e3", [], [1], [[]], {}, {"a": 1}, "/", "x" * 3000]  # fmt: skip


def spoil(world: World, rng: random.Random) -> tuple[str, str]:
    """A dotted key of the configuration, or a wrong one, with an odd value in YAML."""
    keys = [
        *_keys(world.config),
        *(
            f"training.{name}"
            for name in ("batch_tokens", "eval_steps", "save_steps", "bf16", "engine", "seed")
        ),
        *(
            f"training.{name}"
            for name in ("report_to", "max_seconds", "learning_rate", "warmup_ratio", "deepspeed")
        ),
        *(
            "docids.table",
            "model.name",
            "model.options",
            "data.packed",
            "data.evaluation",
            "loss.negatives",
            "codebook",
        ),
        *(
            "data.passage_vectors",
            "retrieval",
            "a.b.c",
            "training.x",
            "teacher.prefixes",
            "docids.options.levels",
        ),
    ]
    key = rng.choice([one for one in keys if not one.startswith("output")])
    return key, yaml.safe_dump(rng.choice(ODD), default_flow_style=True).removesuffix("...\n").strip()


def _keys(section: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in section.items():
        yield path + name
        if isinstance(value, dict):
            yield from _keys(value, f"{path}{name}.")


def configuration(world: World, rng: random.Random, number: int) -> list[str]:
    """`genret train` or its plan, or the examples, of a configuration with one to three odd values."""
    changes = ["=".join(spoil(world, rng)) for _ in range(rng.choice([1, 1, 2, 3]))]
    words = rng.choice([["train"], ["train", "--plan"], ["data", "show"]])
    path = str(world.folder / "run.yaml")
    return [*words, path, *changes, f"output={world.folder / f'out-{number}'}"]


def fuzz(world: World, seed: int, first: int, count: int) -> list[str]:
    """Complaints about the calls numbered from `first`: each a call, its code and what was said."""
    found = []
    for number in range(first, first + count):
        rng = random.Random(f"{seed} {number}")
        arguments = (configuration if number % 3 == 2 else command_line)(world, rng, number)
        try:
            code, said = call(arguments)
        except Hang:
            code, said = -1, "no end"
        if code not in CODES or "Traceback" in said or "panicked" in said:
            found.append(f"{number}: {' '.join(arguments)[:600]}\n-> {code}\n{said[-3000:]}")
    return found
