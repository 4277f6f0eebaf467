"""The cells of a grid and their recipes; a study's YAML that cannot be right is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from studies import write_study

from genret.config import load_config
from genret.errors import InputError
from genret.study import Study
from genret.study.grid import plan_jobs


def test_every_cell_is_a_job_with_the_parts_of_its_axes(tmp_path: Path) -> None:
    path = write_study(
        tmp_path,
        docids={"coarse": {"docids": {"options": {"levels": 1, "codes": 3}}}, "tree": {"docids": {"strategy": "semantic", "options": {}}}},
        models={"plain": {}, "deep": {"model": {"options": {"decoder_layers": 2}}, "teacher": {"temperature": 0.1}}},
        sizes={"small": {"passages": 12}, "all": {"recipe": {"codebook": {"max_steps": 9}, "teacher": {"temperature": 0.2}}}},
        seeds=[0, 3],
    )  # fmt: skip
    plan = {job.name: recipe for job, recipe in plan_jobs(load_config(Study, path)).items()}
    assert len(plan) == 2 * 2 * 2 * 2 * 2
    assert len({recipe.output for recipe in plan.values()}) == len(plan)
    one, other = plan["small-coarse-labelled-plain-0"], plan["all-tree-firstp-deep-3"]
    assert (one.docids.strategy, one.docids.options) == ("residual", {"levels": 1, "codes": 3, "seed": 0})
    assert (other.docids.strategy, other.docids.options) == ("semantic", {"seed": 3})
    assert (one.mixture, other.mixture) == ({"labelled": 1}, {"firstp": 1})
    assert other.model.name == one.model.name
    assert other.model.options == {"decoder_layers": 2}
    assert (one.teacher.temperature, other.teacher.temperature) == (0.05, 0.1)
    assert one.codebook is not None
    assert other.codebook is not None
    assert (one.codebook.max_steps, other.codebook.max_steps, other.codebook.batch_size) == (4, 9, 4)
    assert (one.seed, one.codebook.seed, other.seed, other.codebook.seed) == (0, 0, 3, 3)
    assert (one.sources, other.sources) == ({"labelled": {}}, {})
    assert one.data.corpus != other.data.corpus


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("representations={}", "representations: expected at least one name"),
        ("sizes={a-b: {}}", "sizes: 'a-b' becomes part of a folder's name"),
        ("seeds=[1, 1]", "seeds: expected one or more, each once, found [1, 1]"),
        ("sizes.small.passages=0", "sizes.small: passages: expected at least 1, found 0"),
        ("collection.queries=0", "collection: queries: expected at least 1, found 0"),
        ("collection.vectors=here.npy", "vectors, added_vectors: give both, or neither"),
        ("size={}", "unknown key 'size'; did you mean 'sizes'?"),
        ("representations.firstp.seed=4", "representations.firstp: seed is decided by a job's place"),
        ("representations.firstp.mixture={first: 1}", "job small-docids-firstp-model-0: sources.first: no source is called 'first'"),
        ("docids.docids.codebook.max_step=3", "unknown key 'codebook.max_step'; did you mean 'codebook.max_steps'?"),
        ("recipe=nowhere.yaml", "nowhere.yaml: cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_yaml_is_said(tmp_path: Path, override: str, says: str) -> None:
    path = write_study(tmp_path)
    with pytest.raises(InputError) as caught:
        plan_jobs(load_config(Study, path, [override]))
    assert says in str(caught.value)
