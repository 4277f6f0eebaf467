"""What is loaded for a search, in processes of their own: nothing of training, and of genret no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from genret.retrieval.docids import GenerativeRetriever

# At a search of the first version: 194 of the library's modules beside those of the command line. The last that came:
# which scripts write no spaces, said in one place for all readers of texts.
MOST_MODULES = 120


def modules(code: str) -> set[str]:
    """What is imported in a new process that runs `code`."""
    shown = f"{code}\nimport sys\nprint('\\n'.join(['', *sys.modules]))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def own(found: set[str]) -> set[str]:
    return {name for name in found if name.split(".")[0] in ("genret", "docid", "fm_index")}


def test_the_package_alone_loads_nothing_heavy() -> None:
    found = modules("import genret")
    assert "genret" in found
    assert not found & {"torch", "numpy", "transformers"}


def test_names_that_are_not_loaded_yet_are_listed() -> None:
    """An interpreter completes them."""
    found = modules("import genret; assert {'fit', 'load', '__version__'} <= set(dir(genret)), dir(genret)")
    assert "genret.fitting" not in found


@pytest.mark.parametrize(
    "code",
    [
        "import genret.retrieval, genret.retrieval.from_folder, genret.retrieval.fusion",
        "import genret.retrieval.ngrams.ngram_retriever; from genret import GenerativeRetriever",
    ],
)
def test_retrieval_imports_nothing_that_trains(code: str) -> None:
    found = own(modules(code))
    assert "genret.retrieval" in found
    assert not {name for name in found if name.split(".")[1:2] in (["training"], ["recipes"], ["fitting"])}


def test_a_search_loads_what_it_needs(tiny_retriever: GenerativeRetriever, tmp_path: Path) -> None:
    tiny_retriever.save_pretrained(tmp_path / "model")
    found = own(
        modules(
            "from genret.retrieval.from_folder import load_retriever\n"
            f"assert load_retriever({str(tmp_path / 'model')!r}).search('the river', 3)"
        )
    )
    assert "genret.decoding.beam" in found
    assert len(found) <= MOST_MODULES, sorted(found)
    assert not {name for name in found if "ngrams" in name or name.startswith("genret.training")}
    assert "fm_index.full_text_index" not in found
