"""The demo: a corpus that every interpreter holds, questions about it, and pages that show what was measured."""
