"""Builds the native core; everything else about the package is in setup.cfg."""

from glob import glob

from pybind11.setup_helpers import Pybind11Extension, build_ext
from setuptools import setup

setup(
    ext_modules=[
        Pybind11Extension(
            "fm_index._core",
            sorted(glob("fm_index/csrc/*.cpp")),
            depends=sorted(glob("fm_index/csrc/*.hpp")),
            cxx_std=17,
            extra_compile_args=["-O3", "-pthread"],
            extra_link_args=["-pthread"],
        )
    ],
    cmdclass={"build_ext": build_ext},
)
