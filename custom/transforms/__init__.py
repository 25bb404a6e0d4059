"""Transforms."""

from .anti_alias import AntiAlias, AntiAliasD, AntiAliasd, AntiAliasDict
from .contact import SplitContactD, SplitContactd, SplitContactDict
from .copy_cells import RandCopyCellsD, RandCopyCellsd, RandCopyCellsDict
from .disagreement import EnsembleDisagreementD, EnsembleDisagreementd, EnsembleDisagreementDict
from .elastic_grid import RandElasticGrid, RandElasticGridD, RandElasticGridd, RandElasticGridDict
from .gaussian_noise import RandGaussianNoise, RandGaussianNoiseD, RandGaussianNoised, RandGaussianNoiseDict
from .instances import (
    InstancesToClasses,
    InstancesToClassesD,
    InstancesToClassesd,
    InstancesToClassesDict,
)
from .postprocessing import (
    ProbabilityToInstances,
    ProbabilityToInstancesD,
    ProbabilityToInstancesd,
    ProbabilityToInstancesDict,
)
from .simard import RandSimardElastic, RandSimardElasticD, RandSimardElasticd, RandSimardElasticDict
from .weight_map import WeightMap, WeightMapD, WeightMapd, WeightMapDict, class_weights

__all__ = [
    "AntiAlias",
    "AntiAliasD",
    "AntiAliasDict",
    "AntiAliasd",
    "EnsembleDisagreementD",
    "EnsembleDisagreementDict",
    "EnsembleDisagreementd",
    "InstancesToClasses",
    "InstancesToClassesD",
    "InstancesToClassesDict",
    "InstancesToClassesd",
    "ProbabilityToInstances",
    "ProbabilityToInstancesD",
    "ProbabilityToInstancesDict",
    "ProbabilityToInstancesd",
    "RandCopyCellsD",
    "RandCopyCellsDict",
    "RandCopyCellsd",
    "RandElasticGrid",
    "RandElasticGridD",
    "RandElasticGridDict",
    "RandElasticGridd",
    "RandGaussianNoise",
    "RandGaussianNoiseD",
    "RandGaussianNoiseDict",
    "RandGaussianNoised",
    "RandSimardElastic",
    "RandSimardElasticD",
    "RandSimardElasticDict",
    "RandSimardElasticd",
    "SplitContactD",
    "SplitContactDict",
    "SplitContactd",
    "WeightMap",
    "WeightMapD",
    "WeightMapDict",
    "WeightMapd",
    "class_weights",
]
