"""DRCD's paragraphs and questions (traditional Chinese, CC BY-SA 3.0) as a BEIR folder.

    scripts/drcd.py DRCD_dev.json DRCD_test.json OUTPUT

Paragraphs of all files are the passages, their page's title is their title; each file's questions are a split of its name,
each with its paragraph. The files are those of the repository DRCKnowledgeTeam/DRCD.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    passages, queries = [], []
    (given.output / "qrels").mkdir(parents=True, exist_ok=True)
    for path in given.files:
        judged = ["query-id\tcorpus-id\tscore"]
        for page in json.loads(path.read_text(encoding="utf-8-sig"))["data"]:
            for paragraph in page["paragraphs"]:
                row = {"_id": paragraph["id"], "title": page["title"], "text": paragraph["context"]}
                passages.append(row)
                for one in paragraph["qas"]:
                    queries.append({"_id": one["id"], "text": one["question"]})
                    judged.append(f"{one['id']}\t{paragraph['id']}\t1")
        name = path.stem.removeprefix("DRCD_")
        (given.output / "qrels" / f"{name}.tsv").write_text("\n".join(judged) + "\n", encoding="utf-8")
    for name, rows in (("corpus", passages), ("queries", queries)):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (given.output / f"{name}.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
