// The hot loops for x86-64 machines with AVX2, BMI2 and POPCNT (2013 and later), chosen at run time.
// The standard headers come before the pragma, so that none of their functions is compiled for that target.
#include "engine.hpp"

#if defined(FM_TWO_KINDS)
#include <algorithm>
#include <limits>
#include <type_traits>

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt"))), apply_to = function)
#else
#pragma GCC target("avx2,bmi,bmi2,popcnt,lzcnt")
#endif
#define FM_HAVE_BMI2 1
#define FM_ARCH v3
#include "engines.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
