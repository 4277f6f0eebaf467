"""What nobody foresaw ends in a sentence, an exit code and a report; what was foreseen keeps its own."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from command_line import genret

from genret.cli.last_defence import explain
from genret.corpus.formats.kilt_inputs import KiltInputs
from genret.errors import ArtefactError, InputError, UsageError
from genret.vectors import read_vectors


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "genret" / "reports"


class Panic(BaseException):
    """As a Rust library raises it: no Exception."""


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001
        return caught


@pytest.mark.parametrize("error", [KeyError("x"), Panic("called `unwrap()` on None"), AssertionError()])
def test_what_nobody_foresaw_leaves_a_report(
    error: BaseException, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise type(error)(*error.args)

    monkeypatch.setattr("genret.installation.run_checks", fail)
    assert genret(monkeypatch, "doctor") == 70
    shown = capsys.readouterr().err
    (report,) = cache.iterdir()
    assert "Traceback" not in shown
    assert len(shown.splitlines()) == 1
    assert type(error).__name__ in shown
    assert str(report) in shown
    assert report.stem.removeprefix("genret-") in shown
    text = report.read_text()
    assert text.startswith("genret ")
    assert "genret doctor" in text
    assert "in fail" in text
    assert genret(monkeypatch, "doctor") == 70
    assert len(list(cache.iterdir())) == 1  # the same fault, the same report


def test_without_a_place_for_reports_there_is_the_error_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    message, code = explain(raised(ValueError("seven")))
    assert code == 70
    assert "could not be written; the error was: seven" in message


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UsageError("u"), 2, "u"),
        (InputError("i"), 3, "i"),
        (ArtefactError("a"), 4, "a"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/a/b"),
            3,
            "/a/b: cannot be used (Permission denied)",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 3, "make room"),
        (Exception("I/O error: No space left on device (os error 28)"), 3, "make room"),
        (ValueError("Permission denied (os error 13)"), 3, "change its permissions"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/a"), 3, "/a: cannot be used (Is a directory)"),
        (RecursionError(), 3, "nested too deeply"),
        (MemoryError(), 70, "not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 70, "not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), 70, "not enough memory"),
        (OSError("no tokenizer there"), 70, "OSError"),
    ],
)
def test_each_kind_has_its_sentence_and_its_code(error: Exception, code: int, words: str) -> None:
    message, found = explain(raised(error))
    assert found == code
    assert words in message


def command(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "genret", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options,  # type: ignore[call-overload]
    )  # fmt: skip


def test_the_package_runs_as_a_module_and_says_its_version() -> None:
    run = command("--version")
    assert run.communicate()[0].startswith("genret ")
    assert run.returncode == 0


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(
        [sys.executable, "-m", "genret", "doctor"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (run.returncode, run.stderr) == (0, "")


def test_an_interrupt_is_told_and_has_its_code() -> None:
    waits = "import sys, time; print(1, flush=True); time.sleep(60)"
    # What a shell starts in the background, this suite perhaps, and all that it starts, ignores interrupts.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += (
        f"import genret.installation\ndef slow(): exec({waits!r})\ngenret.installation.run_checks = slow\n"
    )
    code += "from genret.cli.app import main; main()"
    run = subprocess.Popen(
        [sys.executable, "-c", code, "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    run.stdout.readline()
    time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    _, shown = run.communicate()
    assert run.returncode == 130
    assert shown == "genret: interrupted.\n"


@pytest.mark.parametrize(
    "template", ["{subject:>9999999999}", "{subject!r}", "{subject.x}", "{subject[0]}", "{}", "{0}"]
)
def test_a_template_of_slots_has_plain_names_only(template: str) -> None:
    with pytest.raises(UsageError, match="template"):
        KiltInputs(slot_template=template)


HEADERS = [
    b"",
    b"\x93NUMPY",
    b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16,
    b"\x93NUMPY\x01\x00\x46\x00"
    + b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 9)}\n",
    b"\x93NUMPY\x01\x00\x36\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}\n",
    b"\x93NUMPY\x01\x00\x37\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}\n",
    b"\x93NUMPY\x01\x00\x26\x00" + b"{'descr': 3, 'shape': 'x', 'y': None}\n\n",
    b"PK\x05\x06" + bytes(18),
]


@pytest.mark.parametrize("content", HEADERS)
def test_vectors_with_a_broken_header_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"v\.npy: .*(cannot be read as|expected) a \.npy file"):
        read_vectors(path)


def test_vectors_in_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "v.npy")
    with pytest.raises(InputError, match="is a named pipe, expected a regular file"):
        read_vectors(tmp_path / "v.npy")


@pytest.mark.parametrize(("name", "code"), [("torch", 2), ("torch.nn", 2), ("genret.nowhere", 70)])
def test_a_package_that_is_missing_is_named(
    name: str, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    message, found = explain(ModuleNotFoundError(f"No module named {name!r}", name=name))
    assert found == code
    assert (message == "torch is not installed, which this needs; `genret doctor` says what to install.") == (
        code == 2
    )
