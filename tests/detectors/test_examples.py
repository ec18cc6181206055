"""The examples in docstrings run, and the classes and functions that a user starts with have one."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import pilotfish.detectors

EXAMPLES = (
    "batch:Batch",
    "batch:Column",
    "binning.categories:CategoryBins",
    "binning.losses:LossBins",
    "binning.numeric:NumericBins",
    "columns.inference:infer_type",
    "columns.timestamps:epoch_seconds",
    "comparisons.chi_square:chi_square",
    "comparisons.effects:EffectSizeEstimator",
    "comparisons.jensen_shannon:jensen_shannon_distance",
    "comparisons.ks:ks",
    "comparisons.psi:psi",
    "comparisons.tenths:tenths",
    "comparisons.trends:trends",
    "comparisons.wasserstein:wasserstein",
    "conformance:check_bins",
    "detection.attribution:e_bh",
    "detection.monitor:DriftMonitor",
    "detection.replay:Replay",
    "detection.sequential.recovery:RecoveryTest",
    "detection.sequential.shiryaev_roberts:ShiryaevRoberts",
    "evalues.bank:build_bank",
    "evalues.bounds:upper_mean_bounds",
    "losses.functions:AbsoluteLoss",
    "losses.functions:RankingLoss",
    "losses.functions:ZeroOneLoss",
    "performance.calibration:score_calibration",
    "performance.estimate:estimate",
    "performance.realized:realized",
    "performance.roles:infer_roles",
    "profile.profile:Profile",
    "quality.duplicates:DuplicateCount",
    "quality.monitor:QualityMonitor",
    "reference.blocks:block_partitions",
    "reference.build",
    "reference.held_out:with_held_out",
    "reference.variance_inflation:variance_inflation",
    "settings:DriftSettings",
    "splitmix:splitmix64",
    "summaries.counts:Counts",
    "summaries.heavy:HeavyHitters",
    "summaries.observed_columns:ObservedColumns",
    "summaries.windows:Windows",
    "transforms.arrays:ArrayTransform",
    "transforms.arrays:ListTransform",
    "transforms.cosines:RandomFourierFeatures",
    "transforms.linear:Standardizer",
    "transforms.loss:LossTransform",
    "transforms.relations:RelationTransform",
    "transforms.text:TextTransform",
    "transforms.timestamps:TimestampTransform",
)
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(pilotfish.detectors.__path__, f"{pilotfish.detectors.__name__}.")
)
FINDER = doctest.DocTestFinder(exclude_empty=True)


def with_examples(module: ModuleType) -> list[doctest.DocTest]:
    return [found for found in FINDER.find(module) if found.examples]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_show(name: str) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for found in with_examples(importlib.import_module(name)):
        runner.run(found, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_a_user_starts_with_has_an_example(example: str) -> None:
    place, _, name = example.partition(":")
    module = importlib.import_module(f"{pilotfish.detectors.__name__}.{place}")
    names = {found.name for found in with_examples(module)}
    assert f"{module.__name__}.{name}".rstrip(".") in names
