"""An imported model, a table of titles and their passages as one model folder.

python -m scripts.reproduce.model IMPORTED TITLES.table CORPUS MODEL
"""

from __future__ import annotations

import sys

from docid import DocidTable
from genret.corpus import read_store
from genret.models import load_backbone
from genret.retrieval.docids import GenerativeRetriever


def main() -> None:
    imported, table, corpus, target = sys.argv[1:]
    backbone = load_backbone(imported)
    # Titles are spelled in the model's own tokens: there are no new ones to bind.
    GenerativeRetriever(backbone, DocidTable.load(table).bind([]), read_store(corpus)).save_pretrained(target)


if __name__ == "__main__":
    main()
