"""From the input of a KILT task's line to the text that a model is asked: slots into questions, mentions in windows.

Knows KILT's conventions for inputs (F. Petroni et al., NAACL 2021, section 3): `subject [SEP] relation` of slot
filling, whose lines may have questions of their own (zero-shot RE), and `[START_ENT] mention [END_ENT]` in a long
text of entity linking. Claims, questions and dialogues are asked as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter

from genret.corpus.formats.datafile import show
from genret.corpus.formats.kilt import KiltLine
from genret.errors import InputError, UsageError

__all__ = ["KiltInputs"]

SEPARATOR = "[SEP]"
START, END = "[START_ENT]", "[END_ENT]"
SLOTS = frozenset(["subject", "relation", "question"])


@dataclass(frozen=True)
class KiltInputs:
    """How the inputs of a task become queries; as it stands, they are taken whole.

    Attributes:
        slot_template: the query of slot filling, in which `{subject}`, `{relation}` and `{question}` (the first of
            the line's own questions) stand for what the line has.
        mention_words: keep so many words on each side of a mention, so that a model that reads the beginning of
            its source only reads the mention.
    """

    slot_template: str | None = None
    mention_words: int | None = None

    def __post_init__(self) -> None:
        if self.slot_template is not None:
            _check_template(self.slot_template)
        if self.mention_words is not None and self.mention_words < 0:
            raise UsageError(f"a window needs 0 words or more on each side, not {self.mention_words}.")

    def text(self, line: KiltLine) -> str:
        """The query of a line.

        Raises:
            InputError: the input lacks what the template names, or has no mention.
        """
        if self.slot_template is not None:
            return _filled(self.slot_template, line)
        return line.text if self.mention_words is None else _window(line, self.mention_words)


def _check_template(template: str) -> None:
    try:
        fields = [field for field in Formatter().parse(template) if field[1] is not None]
    except ValueError as error:
        raise UsageError(f"the template {show(template)} is not well-formed: {error}.") from error
    # Neither a width (`{subject:>9999999999}` is ten gigabytes) nor an attribute or a conversion: names alone.
    plain = all(name in SLOTS and not form and not conversion for _, name, form, conversion in fields)
    if not fields or not plain:
        raise UsageError(
            f"the template {show(template)}: expected some of {{subject}}, {{relation}} and {{question}} in it, and "
            "nothing else in braces, not even a width."
        )


def _filled(template: str, line: KiltLine) -> str:
    subject, separator, relation = (part.strip() for part in line.text.partition(SEPARATOR))
    if not separator or not subject or not relation:
        raise InputError(
            f"line {show(line.line_id)}: expected `subject {SEPARATOR} relation`, found {show(line.text)}."
        )
    values = {"subject": subject, "relation": relation}
    if "{question}" in template:
        values["question"] = _question(line)
    return template.format(**values)


def _question(line: KiltLine) -> str:
    meta = line.content.get("meta")
    questions: Sequence[object] = meta.get("template_questions") or [] if isinstance(meta, dict) else []
    if not questions or not isinstance(questions[0], str) or not questions[0].strip():
        raise InputError(
            f"line {show(line.line_id)}: it has no meta.template_questions; use {{subject}} and {{relation}}."
        )
    return questions[0].strip()


def _window(line: KiltLine, words: int) -> str:
    before, start, rest = line.text.partition(START)
    mention, end, after = rest.partition(END)
    if not start or not end:
        raise InputError(f"line {show(line.line_id)}: expected a mention between {START} and {END}.")
    left = before.split()[-words:] if words else []
    return " ".join([*left, START, *mention.split(), END, *after.split()[:words]])
