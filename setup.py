"""Builds the native core; everything else about the package is in setup.cfg."""

from glob import glob

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup

# The translation units do not depend on one another.
ParallelCompile("NPY_NUM_BUILD_JOBS", default=2).install()

setup(
    ext_modules=[
        Pybind11Extension(
            "fm_index._core",
            sorted(glob("fm_index/csrc/*.cpp")),
            depends=sorted(glob("fm_index/csrc/*.hpp") + glob("fm_index/csrc/*.inc")),
            include_dirs=["fm_index/csrc"],
            cxx_std=17,
            # One baseline build; the hot loops are compiled a second time for AVX2 and chosen at run time.
            extra_compile_args=["-O3", "-pthread", "-Wall", "-Wextra"],
            extra_link_args=["-pthread"],
        )
    ],
    cmdclass={"build_ext": build_ext},
)
